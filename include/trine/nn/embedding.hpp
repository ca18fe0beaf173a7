// SPDX-License-Identifier: Apache-2.0
// From what goes in to hidden rows: token ids, or features of the sites of a grid.
#pragma once

#include <cstddef>
#include <span>

#include <trine/core/any_view.hpp>
#include <trine/core/token_id.hpp>
#include <trine/nn/linear.hpp>

namespace trine::inline TRINE_ABI {

/// y[t] = W[token_ids[t]]
class TokenEmbedding {
 public:
  /// Reads "weight" [vocab, hidden] as stored. Throws WeightError.
  TokenEmbedding(const WeightScope& scope, std::size_t vocab, std::size_t hidden)
      : weight_(scope.matrix("weight", vocab, hidden)) {}

  /// Every id is below vocab (the session checks). y: [tokens, hidden]
  void forward(std::span<const TokenId> token_ids, View<float, 2> y) const {
    weight_.visit([&]<class T>(const T* rows) {
      for (std::size_t t = 0; t < token_ids.size(); ++t)
        for (std::size_t h = 0; h < weight_.columns; ++h)
          y(t, h) = static_cast<float>(rows[token_ids[t] * weight_.columns + h]);
    });
  }

  [[nodiscard]] const AnyMatrix& weight() const noexcept { return weight_; }

 private:
  AnyMatrix weight_;
};

/// y[n] = W x[n] + b + site[n mod S]: a linear map of the features and a learned place in the frame.
class FeatureEmbedding {
 public:
  /// Reads "embed_features.{weight [hidden, features], bias [hidden]}" and "embed_sites.weight" [sites, hidden]. Throws
  /// WeightError.
  FeatureEmbedding(const WeightScope& scope, std::size_t features, std::size_t sites, std::size_t hidden)
      : linear_(scope / "embed_features", features, hidden, Linear::Bias::yes),
        sites_(scope / "embed_sites", sites, hidden),
        number_(sites) {}

  /// features: [rows, num_features], the first row is site 0 of a frame. y: [rows, hidden]
  void forward(const Execution& execution, Workspace& workspace, View<const float, 2> features,
               View<float, 2> y) const {
    const Workspace::Scope scope(workspace);
    linear_.forward(execution, features, y);
    const View<float, 2> site = workspace.take_matrix<float>(1, y.extent(1));
    for (std::size_t n = 0; n < y.extent(0); ++n) {
      const TokenId index = static_cast<TokenId>(n % number_);
      sites_.forward(std::span(&index, 1), site);
      kernels::add_to(execution.isa, site.row(0), y.row(n));
    }
  }

  [[nodiscard]] std::size_t parameters() const noexcept { return linear_.parameters() + sites_.weight().parameters(); }

 private:
  Linear linear_;
  TokenEmbedding sites_;
  std::size_t number_;
};

}  // namespace trine::inline TRINE_ABI
