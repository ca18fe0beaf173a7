// SPDX-License-Identifier: Apache-2.0
// What a conversation is asked for, and what comes out of its turns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include <trine/generate/text_stream.hpp>

namespace trine::inline TRINE_ABI {

/// How a conversation begins, and what happens when it becomes too long.
struct ChatOptions {
  std::string system = {};                                              ///< a system message to begin with; empty: none
  nlohmann::ordered_json tools = nullptr;                               ///< for the template: see ChatInput
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  ///< for the template: see ChatInput
  bool drop_old_turns = true;  ///< when the context has no room for all; otherwise that is a CapacityError
};

/// What one turn made: `prompt_tokens` are those of the whole conversation, of which `cached_tokens` had been computed
/// before.
struct ChatResult : GenerateResult {
  std::size_t dropped_messages = 0;  ///< the oldest ones, which had no room: the model has forgotten them
};

/// Sums over the turns of a conversation, also over those before a reset.
struct ChatStatistics {
  std::size_t turns = 0;             ///< answers that ended without an exception
  std::size_t prefill_tokens = 0;    ///< computed to read what people said
  std::size_t cached_tokens = 0;     ///< that did not have to be computed again
  std::size_t generated_tokens = 0;  ///< of answers
  double prefill_seconds = 0.0;      ///< wall-clock time of reading
  double decode_seconds = 0.0;       ///< wall-clock time of generating

  /// Computed tokens per second of reading; without those that were cached.
  [[nodiscard]] double prefill_tokens_per_second() const { return per_second(prefill_tokens, prefill_seconds); }
  /// Generated tokens per second.
  [[nodiscard]] double decode_tokens_per_second() const { return per_second(generated_tokens, decode_seconds); }

 private:
  [[nodiscard]] static double per_second(std::size_t tokens, double seconds) {
    return static_cast<double>(tokens) / std::max(seconds, 1e-9);
  }
};

}  // namespace trine::inline TRINE_ABI
