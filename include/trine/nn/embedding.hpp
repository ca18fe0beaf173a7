// SPDX-License-Identifier: Apache-2.0
// From inputs to hidden rows: token ids, or features of the sites of a grid.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include <trine/core/token_id.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/kernels/online_softmax.hpp>
#include <trine/nn/linear.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// The input of a model: token_ids and embeddings, or features of the batch.
class Embedding {
 public:
  Embedding() = default;
  Embedding(const Embedding&) = delete;
  Embedding& operator=(const Embedding&) = delete;
  virtual ~Embedding() = default;

  /// y: [rows, hidden], output.
  virtual void forward(const ForwardContext& context, View<float, 2> y) const = 0;
  /// Number of weights.
  [[nodiscard]] virtual std::size_t parameters() const = 0;
};

/// y[t] = scale W[token_ids[t]], or the input embedding of row t. Input embeddings are hidden rows: they are not
/// scaled.
class TokenEmbedding : public Embedding {
 public:
  /// Reads "weight" [vocab, hidden] as stored. Throws WeightError.
  TokenEmbedding(const WeightScope& scope, std::size_t vocab, std::size_t hidden, float scale = 1.0F)
      : weight_(scope.matrix("weight", vocab, hidden)), target_(scope.add_linear(weight_)), scale_(scale) {}

  /// Every id must be below vocab (the session checks). An adapter may have a table of its own.
  void forward(const ForwardContext& context, View<float, 2> y) const override {
    const Batch& batch = context.batch;
    parallel_rows(context.execution, y.extent(0), y.extent(1), [&](std::size_t t) {
      if (!batch.embeddings.empty() && batch.embeddings[t] != nullptr) {
        std::copy_n(batch.embeddings[t], y.extent(1), y.row(t).data());
      } else {
        kernels::decode_row(table_of(context.adapters, t), batch.token_ids[t], y.row(t).data());
        if (scale_ != 1.0F) kernels::multiply(context.execution.isa, y.row(t), scale_);
      }
    });
  }
  [[nodiscard]] std::size_t parameters() const override { return weight_.parameters(); }
  /// For a tied head.
  [[nodiscard]] const WeightMatrix& weight() const noexcept { return weight_; }

 private:
  // Of row t: that of the adapter that has one.
  [[nodiscard]] const WeightMatrix& table_of(std::span<const AdapterRows> adapters, std::size_t t) const noexcept {
    const WeightMatrix* table = &weight_;
    const auto after = std::ranges::upper_bound(adapters, t, {}, &AdapterRows::first);
    if (after == adapters.begin() || t >= std::prev(after)->first + std::prev(after)->count) return *table;
    for (const AttachedAdapter& adapter : std::prev(after)->adapters) {
      const LowRank* map = adapter.of(target_);
      if (map != nullptr && map->weight != nullptr) table = map->weight;
    }
    return *table;
  }

  WeightMatrix weight_;
  std::uint32_t target_;
  float scale_;
};

/// y[n] = W x[n] + b + site[n mod S]: a linear map of the features plus a learned embedding of the site.
class FeatureEmbedding : public Embedding {
 public:
  /// Reads "embed_features.{weight [hidden, features], bias [hidden]}" and "embed_sites.weight" [sites, hidden].
  FeatureEmbedding(const WeightScope& scope, std::size_t features, std::size_t sites, std::size_t hidden)
      : linear_(scope / "embed_features", features, hidden, Linear::Bias::yes) {
    const WeightMatrix table = (scope / "embed_sites").matrix("weight", sites, hidden);
    site_.resize(table.parameters());  // after the fetch: the tensor exists, so its size is plausible
    for (std::size_t s = 0; s < sites; ++s) kernels::decode_row(table, s, site_.data() + s * hidden);
  }

  /// Each sequence has whole frames: its first row is site 0.
  void forward(const ForwardContext& context, View<float, 2> y) const override {
    linear_.forward(context, context.batch.features, y);
    const std::size_t hidden = y.extent(1);
    parallel_rows(context.execution, y.extent(0), hidden, [&](std::size_t n) {
      const std::size_t s = context.batch.positions[n] % (site_.size() / hidden);
      kernels::add_inplace(context.execution.isa, std::span(site_).subspan(s * hidden, hidden), y.row(n));
    });
  }
  [[nodiscard]] std::size_t parameters() const override { return linear_.parameters() + site_.size(); }

 private:
  Linear linear_;
  std::vector<float> site_;  // [sites, hidden]
};

}  // namespace trine::inline TRINE_ABI
