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

}  // namespace trine::inline TRINE_ABI::detail
