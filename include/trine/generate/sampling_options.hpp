// SPDX-License-Identifier: Apache-2.0
// How the next token is chosen.
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// How tokens are sampled. Defaults as in llama.cpp. The filters apply in the order of llama.cpp: repeat penalty,
/// top-k, top-p, min-p, temperature; top-p and min-p thus look at the probabilities before the temperature changes
/// them. With `temperature_first` the order is that of transformers: repeat penalty, temperature, top-k, top-p, min-p.
struct SamplingOptions {
  float temperature = 0.8F;        ///< 0: always the best token; 1: the probabilities of the model
  std::uint32_t top_k = 40;        ///< how many tokens are considered; 0: all
  float top_p = 0.95F;             ///< the share of probability that is considered; 1: all
  float min_p = 0.05F;             ///< the least probability, as a share of the best token's; 0: off
  float repeat_penalty = 1.0F;     ///< above 1: tokens that occurred lately are less likely; 1: off
  std::size_t repeat_last_n = 64;  ///< how many tokens back "lately" is
  std::uint64_t seed = 0;          ///< of the random numbers: the same seed and logits give the same tokens
  bool temperature_first = false;  ///< top-p and min-p look at the probabilities that the temperature made

  /// Throws InputError naming the option, what was expected, and what was found.
  void validate() const;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/sampling_options.inl>
#endif
