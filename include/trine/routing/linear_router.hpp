// SPDX-License-Identifier: Apache-2.0
// Routers with one weight row per expert, p = score(W x):
//   softmax top-k            arXiv:2401.04088
//   softmax, group-limited   arXiv:2405.04434: a group is scored by its best member
//   sigmoid, group-limited   arXiv:2412.19437: a group is scored by the sum of its two best members, including the bias
//   top-k, then softmax      arXiv:2508.10925: the softmax runs over the chosen logits
//   Switch                   arXiv:2101.03961: the best expert, weighted by its probability
#pragma once

#include <optional>
#include <utility>

#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/routing/attention_router.hpp>

namespace trine::inline TRINE_ABI {

/// Affinities by one linear map:  p = score(W x + b), or of the normalised x.
class LinearRouter : public TopKRouter {
 public:
  /// Whether the balance bias of a checkpoint is read.
  enum class Bias : bool {
    none,        ///< the kind of router has none
    if_present,  ///< zero if the checkpoint lacks it
  };

  /// Reads "weight" [experts, hidden] and "balance_bias" [experts] if it is present and the kind of router supports it.
  LinearRouter(const WeightScope& scope, std::size_t hidden, std::size_t experts, RouterScore score,
               const TopKOptions& choice, const CombineWeights& combine,
               std::optional<GroupLimit> groups = std::nullopt, Bias bias = Bias::if_present)
      : TopKRouter(experts, score, choice, combine, groups,
                   bias == Bias::none ? std::nullopt : scope.read_f32_if_present("balance_bias", experts)),
        weight_(scope.matrix("weight", experts, hidden)) {}
  /// weight: [experts, hidden], with or without a bias of the logits   norm: of x, before the map
  LinearRouter(Linear weight, RouterScore score, const TopKOptions& choice, const CombineWeights& combine,
               std::optional<GroupLimit> groups = std::nullopt, RouterExtras extras = {},
               std::optional<RmsNorm> norm = std::nullopt)
      : TopKRouter(weight.out(), score, choice, combine, groups, std::move(extras)),
        weight_(std::move(weight)),
        norm_(std::move(norm)) {}

  [[nodiscard]] std::size_t parameters() const override {
    return weight_.parameters() + extra_parameters() + (norm_ ? norm_->parameters() : 0);
  }

 protected:
  void logits(const ForwardContext& context, View<const float, 2> x, View<float, 2> logits) const override {
    if (!norm_) return weight_.forward(context, x, logits);
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> normed = context.workspace.take_matrix<float>(x.extent(0), x.extent(1));
    norm_->forward(context, x, normed);
    weight_.forward(context, normed, logits);
  }

 private:
  Linear weight_;  // [experts, hidden]
  std::optional<RmsNorm> norm_;
};

}  // namespace trine::inline TRINE_ABI
