// SPDX-License-Identifier: Apache-2.0
// Chooses the next token from the scores of the vocabulary.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/random.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/logits_filters.hpp>

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
  void validate() const {
    require("temperature", temperature, temperature >= 0.0F && std::isfinite(temperature),
            "a finite number, 0 or more");
    require("top_p", top_p, top_p >= 0.0F && top_p <= 1.0F, "a number from 0 to 1");
    require("min_p", min_p, min_p >= 0.0F && min_p <= 1.0F, "a number from 0 to 1");
    require("repeat_penalty", repeat_penalty, repeat_penalty > 0.0F && std::isfinite(repeat_penalty),
            "a finite number above 0");
  }

 private:
  static void require(const char* name, float found, bool valid, const char* expected) {
    if (valid) return;
    std::ostringstream message;
    message << name << ": expected " << expected << ", found " << found;
    throw InputError(message.str(), {.field = name});
  }
};

/// One sequence's choice of tokens. The n-th call with one seed uses the n-th random number of that seed, whatever
/// happened before: the same scores give the same tokens, with any number of threads. Not for two threads at once.
class Sampler {
 public:
  /// Throws InputError: see SamplingOptions::validate.
  explicit Sampler(const SamplingOptions& options) : options_(options), random_{options.seed} { options_.validate(); }

  /// A valid index of `logits` [vocab] whatever they hold: NaN counts as minus infinity, and if that is all there is,
  /// the choice is among all. `history`: the tokens so far, oldest first; ids beyond the vocabulary are ignored. Throws
  /// InputError without logits.
  [[nodiscard]] TokenId sample(std::span<const float> logits, std::span<const TokenId> history) {
    if (logits.empty() || logits.size() - 1 > std::numeric_limits<TokenId>::max()) {
      throw InputError("logits: expected 1 to 4294967296 of them, found " + std::to_string(logits.size()),
                       {.field = "logits"});
    }
    const double uniform = random_.uniform(sampled_++);
    gather_candidates(logits, candidates_);
    penalize_repeats(candidates_, history.last(std::min(history.size(), options_.repeat_last_n)),
                     options_.repeat_penalty);
    if (options_.temperature == 0.0F) {
      return std::min_element(candidates_.begin(), candidates_.end(), is_better)->id;
    }
    if (options_.temperature_first) apply_temperature(candidates_, options_.temperature);
    keep_top_k(candidates_, options_.top_k);
    keep_top_p(candidates_, options_.top_p);
    keep_min_p(candidates_, options_.min_p);
    if (!options_.temperature_first) apply_temperature(candidates_, options_.temperature);
    return draw(candidates_, uniform);
  }

  /// How many tokens were sampled: the index of the next random number.
  [[nodiscard]] std::uint64_t sampled() const noexcept { return sampled_; }
  /// As they were given.
  [[nodiscard]] const SamplingOptions& options() const noexcept { return options_; }

 private:
  // The first token at which the cumulative probability exceeds `uniform`, in [0, 1). Scores are at most 0, the best is
  // 0.
  [[nodiscard]] static TokenId draw(std::span<const Candidate> candidates, double uniform) {
    double total = 0.0;
    for (const Candidate& candidate : candidates) total += relative_weight(candidate.logit, 0.0F);
    double rest = uniform * total;
    TokenId last = candidates.front().id;
    for (const Candidate& candidate : candidates) {
      const double weight = relative_weight(candidate.logit, 0.0F);
      if (weight == 0.0) continue;
      last = candidate.id;
      rest -= weight;
      if (rest < 0.0) break;
    }
    return last;  // rounding may leave a rest: then the last token that is possible at all
  }

  SamplingOptions options_;
  CounterRandom random_;
  std::uint64_t sampled_ = 0;
  std::vector<Candidate> candidates_;  // kept for its memory
};

}  // namespace trine::inline TRINE_ABI
