// SPDX-License-Identifier: Apache-2.0
// Chooses the next token from the scores of the vocabulary.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/random.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/logits_filters.hpp>
#include <trine/generate/sampling_options.hpp>

namespace trine::inline TRINE_ABI {

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
