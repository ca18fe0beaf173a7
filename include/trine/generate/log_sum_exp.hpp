// SPDX-License-Identifier: Apache-2.0
// The logarithm of the sum of exponentials, by which logits become log-probabilities.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI::detail {

[[nodiscard]] inline double log_sum_exp(std::span<const float> logits) noexcept {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

/// sum of q ln(q / p), in nats, of the distributions softmax(q) and softmax(p); at least 0.   log_q, log_p: their
/// log_sum_exp
[[nodiscard]] inline double kl_divergence(std::span<const float> q, double log_q, std::span<const float> p,
                                          double log_p) {
  double sum = 0.0;
  for (std::size_t i = 0; i < q.size(); ++i) {
    const double ln_q = static_cast<double>(q[i]) - log_q;
    if (ln_q > -700.0) sum += std::exp(ln_q) * (ln_q - (static_cast<double>(p[i]) - log_p));
  }
  return std::max(sum, 0.0);
}

}  // namespace trine::inline TRINE_ABI::detail
