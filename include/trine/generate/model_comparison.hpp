// SPDX-License-Identifier: Apache-2.0
// How far one model is from another on a text: what quantisation costs.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/session.hpp>

namespace trine::inline TRINE_ABI {

/// A model p beside a reference q, token by token of the same text.
struct ModelComparison {
  /// Choices of one layer.
  struct Layer {
    std::size_t tokens = 0;   ///< compared
    std::size_t changed = 0;  ///< of them, sent to another set of experts
  };

  std::size_t tokens = 0;           ///< predicted
  double reference_perplexity = 0;  ///< exp(mean of -ln q)
  double perplexity = 0;            ///< exp(mean of -ln p)
  double change = 0;                ///< perplexity / reference_perplexity - 1, which is exp(mean of ln q - ln p) - 1
  /// Its standard error, of the mean of the paired differences: far smaller than the errors of both perplexities, which
  /// share the text.
  double change_error = 0;
  double kl_divergence = 0;             ///< mean of  sum q ln(q / p), in nats
  double kl_divergence_error = 0;       ///< its standard error
  double kl_divergence_99 = 0;          ///< 99 of 100 tokens have less
  std::size_t same_best_token = 0;      ///< tokens where both would choose the same
  std::size_t non_finite_logits = 0;    ///< of both
  std::map<std::size_t, Layer> layers;  ///< with experts
};

/// Runs both over the text in windows that do not overlap; every token but the very first is predicted from those
/// before it in its window. Experts are compared in layers that have them in both. Throws InputError for fewer than 2
/// tokens or vocabularies of different sizes, NumericError where a token has no probability, and what Session throws.
/// window: tokens of a window, at least 1   on_window: called with the number of tokens that are done and of all
[[nodiscard]] TRINE_DECL ModelComparison compare_models(
    const Model& reference, const SessionOptions& reference_options, const Model& model, const SessionOptions& options,
    std::span<const TokenId> tokens, std::size_t window,
    const std::function<void(std::size_t done, std::size_t total)>& on_window = {}, const std::stop_token& stop = {});

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/model_comparison.inl>
#endif
