// SPDX-License-Identifier: Apache-2.0
// Settings of generation_config.json, or general.sampling of a GGUF file: how the makers of a model mean it to be
// sampled, and which tokens end its text.
//
// Keys are read in three ways. Those below are used. Those that would change the text in a way that is not implemented
// (beam search, forbidden words, ...) are refused unless they are off. All others are ignored: they say who wrote the
// file, how fast to run, or what to return.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <trine/core/token_id.hpp>
#include <trine/generate/sampling_options.hpp>
#include <trine/json/fwd.hpp>

namespace trine::inline TRINE_ABI {

/// What a generation_config.json says; nullopt or empty is what it leaves open.
struct GenerationConfig {
  std::vector<TokenId> eos_token_ids;         ///< any of them ends the text; empty: not said
  std::optional<TokenId> bos_token_id;        ///< read, not used: the tokenizer adds it
  std::optional<TokenId> pad_token_id;        ///< read, not used: nothing is padded
  std::optional<bool> do_sample;              ///< false: always the best token
  std::optional<float> temperature;           ///< as SamplingOptions::temperature
  std::optional<std::uint32_t> top_k;         ///< as SamplingOptions::top_k
  std::optional<float> top_p;                 ///< as SamplingOptions::top_p
  std::optional<float> min_p;                 ///< as SamplingOptions::min_p
  std::optional<float> repetition_penalty;    ///< as SamplingOptions::repeat_penalty
  std::optional<std::size_t> repeat_last_n;   ///< as SamplingOptions::repeat_last_n; not said: all tokens before
  std::optional<std::size_t> max_new_tokens;  ///< as GenerateOptions::max_new_tokens
  std::vector<std::string> stop_strings;      ///< as GenerateOptions::stop_strings

  /// Sets what the file says in `options`, and leaves the rest.
  ///   do_sample: false   always the best token
  ///   do_sample: true    what the file leaves open is as in transformers: temperature 1, top_k 50, all else off
  /// The file's numbers are meant for the order of transformers (repetition penalty, temperature, top-k, top-p, min-p),
  /// and its repetition penalty for all tokens before: so these are set, too, when it has any such number.
  void apply_to(SamplingOptions& options) const;
};

/// From the text of a generation_config.json; `name` says in errors where it came from. Throws ConfigError.
[[nodiscard]] TRINE_DECL GenerationConfig parse_generation_config(const Json& document, const std::string& name);

/// Reads generation_config.json in a model directory, if it is there; ids that it does not give are those of
/// config.json. Of a GGUF file, its metadata (model/architectures/gguf/generation.hpp); ids are left to its tokenizer.
/// Throws FileError, ConfigError, WeightError.
[[nodiscard]] TRINE_DECL GenerationConfig read_generation_config(const std::filesystem::path& model);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/generation_config.inl>
#endif
