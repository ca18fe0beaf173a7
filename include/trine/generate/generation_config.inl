// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/generation_config.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/core/token_id.hpp>
#include <trine/generate/generation_config.hpp>
#include <trine/generate/sampler.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/model/architectures/gguf/generation.hpp>
#include <trine/weights/gguf.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL void GenerationConfig::apply_to(SamplingOptions& options) const {
  if (do_sample.value_or(false)) {
    options.temperature = 1.0F;
    options.top_k = 50;
    options.top_p = 1.0F;
    options.min_p = 0.0F;
  }
  if (temperature) options.temperature = *temperature;
  if (top_k) options.top_k = *top_k;
  if (top_p) options.top_p = *top_p;
  if (min_p) options.min_p = *min_p;
  if (do_sample.value_or(false) || temperature || top_k || top_p || min_p) options.temperature_first = true;
  if (repetition_penalty) {
    options.repeat_penalty = *repetition_penalty;
    options.repeat_last_n = repeat_last_n.value_or(std::numeric_limits<std::size_t>::max());
  }
  if (do_sample && !*do_sample) options.temperature = 0.0F;
}

namespace detail {

/// One id or a list of them; null and -1 mean none.
inline std::vector<TokenId> read_token_ids(ObjectReader& reader, std::string_view key) {
  std::vector<TokenId> ids;
  if (!reader.has(key)) return ids;
  const Json& value = reader.at(key);
  const auto add = [&](const Json& id) {
    constexpr std::uint64_t kMost = std::numeric_limits<TokenId>::max();
    if (id.is_number_integer() && id == -1) return;
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > kMost)
      reader.fail(key, "a token id or a list of them", id);
    ids.push_back(id.get<TokenId>());
  };
  if (value.is_array()) {
    for (const Json& id : value) add(id);
  } else {
    add(value);
  }
  return ids;
}

inline std::optional<TokenId> read_token_id(ObjectReader& reader, std::string_view key) {
  const std::vector<TokenId> ids = read_token_ids(reader, key);
  if (ids.size() > 1) reader.fail(key, "one token id", reader.at(key));
  return ids.empty() ? std::nullopt : std::optional(ids.front());
}

/// Refuses what would change the text and is not implemented.
inline void refuse_other_methods(ObjectReader& reader) {
  // Each with the value that means "off", beside null, false, 0 and what is empty.
  constexpr std::array<std::pair<std::string_view, double>, 22> kMethods = {{
      {"num_beams", 1.0},
      {"num_beam_groups", 1.0},
      {"diversity_penalty", 0.0},
      {"penalty_alpha", 0.0},
      {"constraints", 0.0},
      {"typical_p", 1.0},
      {"epsilon_cutoff", 0.0},
      {"eta_cutoff", 0.0},
      {"top_h", 0.0},
      {"encoder_repetition_penalty", 1.0},
      {"no_repeat_ngram_size", 0.0},
      {"encoder_no_repeat_ngram_size", 0.0},
      {"bad_words_ids", 0.0},
      {"force_words_ids", 0.0},
      {"forced_bos_token_id", 0.0},
      {"forced_eos_token_id", 0.0},
      {"exponential_decay_length_penalty", 0.0},
      {"suppress_tokens", 0.0},
      {"begin_suppress_tokens", 0.0},
      {"sequence_bias", 0.0},
      {"guidance_scale", 1.0},
      {"watermarking_config", 0.0},
  }};
  for (const auto& [key, off] : kMethods) {
    if (!reader.has(key)) continue;
    const Json& value = reader.at(key);
    const bool is_id = key.ends_with("_token_id");  // where 0 is a token
    const bool is_off = value == false || (value.is_number() && !is_id && (value == off || value == 0)) ||
                        ((value.is_array() || value.is_object()) && value.empty());
    if (!is_off) reader.fail(key, "off, all that is supported", value, ErrorKind::unsupported);
  }
  for (const std::string_view key : {"min_length", "min_new_tokens"})
    if (reader.has(key) && reader.at(key) != 0)
      reader.fail(key, "0, all that is supported", reader.at(key), ErrorKind::unsupported);
}

}  // namespace detail

TRINE_DECL GenerationConfig parse_generation_config(const Json& document, const std::string& name) {
  ObjectReader reader(document, name);
  GenerationConfig config;
  config.eos_token_ids = detail::read_token_ids(reader, "eos_token_id");
  config.bos_token_id = detail::read_token_id(reader, "bos_token_id");
  config.pad_token_id = detail::read_token_id(reader, "pad_token_id");
  const auto number = [&](std::string_view key, double least, double most) -> std::optional<float> {
    if (!reader.has(key)) return std::nullopt;
    return static_cast<float>(reader.number(key, least, most));
  };
  constexpr std::uint64_t kMostTokens = std::uint64_t{1} << 40U;
  if (reader.has("do_sample")) config.do_sample = reader.boolean("do_sample");
  config.temperature = number("temperature", 0.0, 1e6);
  config.top_p = number("top_p", 0.0, 1.0);
  config.min_p = number("min_p", 0.0, 1.0);
  config.repetition_penalty = number("repetition_penalty", 1e-6, 1e6);
  if (reader.has("top_k"))
    config.top_k = static_cast<std::uint32_t>(reader.integer("top_k", 0, std::numeric_limits<std::uint32_t>::max()));
  if (reader.has("repeat_last_n")) config.repeat_last_n = reader.integer("repeat_last_n", 0, kMostTokens);
  if (reader.has("max_new_tokens")) config.max_new_tokens = reader.integer("max_new_tokens", 0, kMostTokens);
  if (reader.has("stop_strings")) {
    const Json& strings = reader.at("stop_strings");
    for (const Json& text : strings.is_array() ? strings : Json::array({strings})) {
      if (!text.is_string()) reader.fail("stop_strings", "a string or a list of strings", text);
      config.stop_strings.push_back(text.get<std::string>());
    }
  }
  detail::refuse_other_methods(reader);
  return config;
}

TRINE_DECL GenerationConfig read_generation_config(const std::filesystem::path& model) {
  if (is_gguf(model))
    return parse_generation_config(gguf_generation_config(GgufFile(model).metadata()), model.string());
  const std::filesystem::path path = model / "generation_config.json";
  std::error_code ignored;
  GenerationConfig config;
  if (std::filesystem::exists(path, ignored)) config = parse_generation_config(read_json_file(path), path.string());
  const std::filesystem::path model_path = model / "config.json";
  const Json document = read_json_file(model_path);
  ObjectReader reader(document, model_path.string());
  if (config.eos_token_ids.empty()) config.eos_token_ids = detail::read_token_ids(reader, "eos_token_id");
  if (!config.bos_token_id) config.bos_token_id = detail::read_token_id(reader, "bos_token_id");
  if (!config.pad_token_id) config.pad_token_id = detail::read_token_id(reader, "pad_token_id");
  return config;
}

}  // namespace trine::inline TRINE_ABI
