// SPDX-License-Identifier: Apache-2.0
// From what goes in to hidden rows: token ids, or features of the sites of a grid.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <trine/core/token_id.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/nn/linear.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// The input of a model: one of token_ids [rows] and features [rows, num_features] is empty.
class Embedding {
 public:
  Embedding() = default;
  Embedding(const Embedding&) = delete;
  Embedding& operator=(const Embedding&) = delete;
  virtual ~Embedding() = default;

  /// y: [rows, hidden], is written.
  virtual void forward(const Execution& execution, Workspace& workspace, std::span<const TokenId> token_ids,
                       View<const float, 2> features, View<float, 2> y) const = 0;
  [[nodiscard]] virtual std::size_t parameters() const = 0;
};

/// y[t] = W[token_ids[t]]
class TokenEmbedding : public Embedding {
 public:
  /// Reads "weight" [vocab, hidden] as stored. Throws WeightError.
  TokenEmbedding(const WeightScope& scope, std::size_t vocab, std::size_t hidden)
      : weight_(scope.matrix("weight", vocab, hidden)) {}

  /// Every id is below vocab (the session checks).
  void forward(const Execution& execution, Workspace&, std::span<const TokenId> token_ids, View<const float, 2>,
               View<float, 2> y) const override {
    parallel_rows(execution, token_ids.size(), y.extent(1),
                  [&](std::size_t t) { kernels::decode_row(weight_, token_ids[t], y.row(t).data()); });
  }
  [[nodiscard]] std::size_t parameters() const override { return weight_.parameters(); }
  /// For a head that is tied to it.
  [[nodiscard]] const WeightMatrix& weight() const noexcept { return weight_; }

 private:
  WeightMatrix weight_;
};

/// y[n] = W x[n] + b + site[n mod S]: a linear map of the features and a learned place in the frame.
class FeatureEmbedding : public Embedding {
 public:
  /// Reads "embed_features.{weight [hidden, features], bias [hidden]}" and "embed_sites.weight" [sites, hidden].
  FeatureEmbedding(const WeightScope& scope, std::size_t features, std::size_t sites, std::size_t hidden)
      : linear_(scope / "embed_features", features, hidden, Linear::Bias::yes) {
    const WeightMatrix table = (scope / "embed_sites").matrix("weight", sites, hidden);
    site_.resize(table.parameters());  // after the fetch: a tensor of that size exists
    for (std::size_t s = 0; s < sites; ++s) kernels::decode_row(table, s, site_.data() + s * hidden);
  }

  /// The first row is site 0 of a frame.
  void forward(const Execution& execution, Workspace& workspace, std::span<const TokenId>,
               View<const float, 2> features, View<float, 2> y) const override {
    linear_.forward(execution, workspace, features, y);
    const std::size_t hidden = y.extent(1);
    for (std::size_t n = 0; n < y.extent(0); ++n) {
      const std::size_t s = n % (site_.size() / hidden);
      kernels::add_to(execution.isa, std::span(site_).subspan(s * hidden, hidden), y.row(n));
    }
  }
  [[nodiscard]] std::size_t parameters() const override { return linear_.parameters() + site_.size(); }

 private:
  Linear linear_;
  std::vector<float> site_;  // [sites, hidden]
};

}  // namespace trine::inline TRINE_ABI
