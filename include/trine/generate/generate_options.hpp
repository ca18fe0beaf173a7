// SPDX-License-Identifier: Apache-2.0
// What a program may ask of one generation. Names as in transformers, vLLM and the OpenAI API.
#pragma once

#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <trine/core/token_id.hpp>
#include <trine/generate/generation_config.hpp>
#include <trine/generate/logits_processor.hpp>
#include <trine/generate/sampling_options.hpp>

namespace trine::inline TRINE_ABI {

/// How one generation samples and when it ends. Logits pass through, in this order: logit_bias, logits_processors,
/// sampling.
struct GenerateOptions {
  std::size_t max_new_tokens = 256;            ///< at most; fewer when the context ends first
  SamplingOptions sampling = {};               ///< temperature, filters, penalty and seed
  std::vector<std::string> stop_strings = {};  ///< the text ends before the first of them; they may name special tokens
  std::vector<TokenId> eos_token_ids = {};     ///< end the text; empty: those of the tokenizer
  bool ignore_eos = false;                     ///< continue after a token that ends the text
  LogitBias logit_bias = {};                   ///< token -> what is added to its logit; minus infinity forbids it
  std::vector<LogitsProcessor> logits_processors = {};  ///< called in order, after the bias
  bool logprobs = false;                                ///< return the log-probability of each sampled token
  std::size_t top_logprobs = 0;                         ///< and of so many most probable tokens in its place
  std::stop_token cancel = {};                          ///< ends the generation within one layer (reason `cancelled`)

  /// The defaults with what the makers of a model say in its generation_config.json and config.json, or
  /// in a GGUF file. Throws FileError, ConfigError, WeightError.
  [[nodiscard]] static GenerateOptions load(const std::filesystem::path& model);

  /// Sets what `config` says, and leaves the rest.
  void apply(const GenerationConfig& config);
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/generate_options.inl>
#endif
