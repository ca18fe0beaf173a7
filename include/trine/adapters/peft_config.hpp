// SPDX-License-Identifier: Apache-2.0
// adapter_config.json as PEFT writes it (peft.LoraConfig, versions 0.5 to 0.21).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/notes.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/regex.hpp>

namespace trine::inline TRINE_ABI {

/// What of it counts for inference. Which modules have tensors is said by the file of tensors itself.
struct PeftConfig {
  /// Which modules a key of rank_pattern or alpha_pattern is for, and its value.
  struct Pattern {
    std::function<bool(std::string_view module)> matches;
    double value;
  };
  std::size_t r = 8;
  double lora_alpha = 8.0;
  std::vector<Pattern> rank_pattern;
  std::vector<Pattern> alpha_pattern;
  bool use_rslora = false;
  bool use_dora = false;
  bool fan_in_fan_out = false;
  bool lora_bias = false;
  bool ensure_weight_tying = false;
  std::vector<std::string> modules_to_save;
  std::vector<std::string> target_parameters;
  std::vector<std::size_t> version = {};  // of PEFT, empty where it is not said

  /// The rank that a module has, by its name without "base_model.model.".
  [[nodiscard]] std::size_t rank_of(std::string_view module) const {
    return static_cast<std::size_t>(value_of(rank_pattern, module, static_cast<double>(r)));
  }
  /// lora_alpha / rank, or lora_alpha / sqrt(rank) with use_rslora (Kalajdzievski 2023, arXiv:2312.03732).
  [[nodiscard]] float scale_of(std::string_view module, std::size_t rank) const {
    const double alpha = value_of(alpha_pattern, module, lora_alpha);
    const double divisor = static_cast<double>(rank);
    return static_cast<float>(alpha / (use_rslora ? std::sqrt(divisor) : divisor));
  }
  /// Returns whether the version is known and before this one.
  [[nodiscard]] bool is_before(const std::vector<std::size_t>& other) const {
    return !version.empty() && std::ranges::lexicographical_compare(version, other);
  }

 private:
  [[nodiscard]] static double value_of(const std::vector<Pattern>& patterns, std::string_view module,
                                       double otherwise) {
    const auto found = std::ranges::find_if(patterns, [&](const Pattern& pattern) { return pattern.matches(module); });
    return found == patterns.end() ? otherwise : found->value;
  }
};

namespace detail {

// Keys that say how an adapter was trained, or where it came from.
inline constexpr std::array<IgnoredNames, 26> kIgnoredPeftKeys{{
    {"task_type", "says what it was trained for"},
    {"auto_mapping", "says what it was trained for"},
    {"base_model_name_or_path", "the model is the one that it is loaded for"},
    {"revision", "the model is the one that it is loaded for"},
    {"inference_mode", "trine only runs models"},
    {"lora_dropout", "of training"},
    {"runtime_config", "of PEFT"},
    {"target_modules", "the tensors say which modules have an adapter"},
    {"exclude_modules", "the tensors say which modules have an adapter"},
    {"layers_to_transform", "the tensors say which layers have an adapter"},
    {"layers_pattern", "the tensors say which layers have an adapter"},
    {"megatron_config", "of training"},
    {"megatron_core", "of training"},
    {"eva_config", "of training"},
    {"loftq_config", "counts with init_lora_weights only"},
    {"corda_config", "counts with init_lora_weights only"},
    {"lora_ga_config", "counts with init_lora_weights only"},
    {"velora_config", "of training"},
    {"qalora_group_size", "counts with use_qalora only"},
    {"num_attention_heads", "of other methods"},
    {"num_layers", "of other methods"},
    {"token_dim", "of other methods"},
    {"num_virtual_tokens", "of other methods"},
    {"num_transformer_submodules", "of other methods"},
    {"enable_lora", "of versions before 0.3, always with target_modules"},
    {"merge_weights", "of versions before 0.3"},
}};

// A key that is names and dots needs no engine for regular expressions: nullopt is any character. nullopt for others.
using PlainKey = std::vector<std::optional<char>>;
[[nodiscard]] inline std::optional<PlainKey> plain_key(std::string_view text) {
  PlainKey key;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.substr(i).starts_with("\\.")) {
      key.emplace_back(text[++i]);
    } else if (c == '.') {
      key.emplace_back(std::nullopt);
    } else if (c == '_' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      key.emplace_back(c);
    } else {
      return std::nullopt;
    }
  }
  return key;
}

// How PEFT looks for a key of rank_pattern: re.match(rf"(.*\.)?({key})$", module). Its own keys begin with ".*\.",
// those of its documentation with "^".
[[nodiscard]] inline std::function<bool(std::string_view)> match_pattern_key(const std::string& key,
                                                                             const RegexCompiler& compile,
                                                                             const ObjectReader& reader,
                                                                             std::string_view field) {
  const bool is_whole = key.starts_with('^');
  const bool is_inner = key.starts_with(".*\\.");
  if (const auto plain = plain_key(std::string_view(key).substr(is_whole ? 1 : is_inner ? 4 : 0))) {
    return [plain = *plain, is_whole, is_inner](std::string_view module) {
      if (module.size() < plain.size()) return false;
      const std::string_view before = module.substr(0, module.size() - plain.size());
      if (!std::ranges::equal(plain, module.substr(before.size()),
                              [](std::optional<char> wanted, char found) { return wanted.value_or(found) == found; }))
        return false;
      return before.empty() ? !is_inner : !is_whole && before.ends_with('.');
    };
  }
  if (!compile)
    reader.fail(field,
                in_quotes(key) + " is a regular expression, for which no engine was given (AdapterOptions::regex)",
                ErrorKind::unsupported);
  try {
    return [regex = std::shared_ptr<const Regex>(compile("\\A(.*\\.)?(" + key + ")\\z"))](std::string_view module) {
      return !regex->find_all(module).empty();
    };
  } catch (const Error& error) {
    reader.fail(field, in_quotes(key) + ": " + error.what(), error.kind());
  }
}

// In the order of the file: the first that matches counts.   read: number `key` of the object
template <class Read>
[[nodiscard]] std::vector<PeftConfig::Pattern> read_patterns(ObjectReader& reader, std::string_view text,
                                                             std::string_view field, const RegexCompiler& compile,
                                                             const Read& read) {
  std::vector<PeftConfig::Pattern> patterns;
  if (!reader.has(field)) return patterns;
  ObjectReader inner = reader.object(field);
  for (const std::string& key : keys_in_order(text, field))
    patterns.push_back({match_pattern_key(key, compile, reader, field), static_cast<double>(read(inner, key))});
  return patterns;
}

[[nodiscard]] inline std::vector<std::string> read_names(ObjectReader& reader, std::string_view field) {
  std::vector<std::string> names;
  if (!reader.has(field)) return names;
  const Json& list = reader.at(field);
  if (!list.is_array()) reader.fail(field, "a list of names", list);
  for (const Json& name : list) {
    if (!name.is_string()) reader.fail(field, "a list of names", name);
    names.push_back(name.get<std::string>());
  }
  return names;
}

// Digits between dots, as far as there are any: "0.21.3.dev0@abc" is 0 21 3.
[[nodiscard]] inline std::vector<std::size_t> version_numbers(std::string_view text) {
  std::vector<std::size_t> numbers;
  for (std::size_t at = 0; at < text.size() && numbers.size() < 3;) {
    std::size_t value = 0;
    const std::size_t begin = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - begin < 6; ++at)
      value = value * 10 + static_cast<std::size_t>(text[at] - '0');
    if (at == begin) break;
    numbers.push_back(value);
    if (at < text.size() && text[at] == '.') ++at;
  }
  return numbers;
}

}  // namespace detail

/// Reads it. compile: for keys of rank_pattern and alpha_pattern that are regular expressions, or empty. Throws
/// ConfigError, also for everything that changes the result and is not supported.
[[nodiscard]] inline PeftConfig parse_peft_config(std::string_view text, const std::string& source_name,
                                                  const RegexCompiler& compile, Notes& notes) {
  constexpr std::uint64_t kMaxRank = 1U << 20U;
  constexpr double kMaxAlpha = 1e6;
  const Json document = parse_json(text, source_name);
  ObjectReader reader(document, source_name);
  PeftConfig config;
  static_cast<void>(reader.choice<int>("peft_type", {{"LORA", 0}}));
  config.r = reader.integer_or("r", 1, kMaxRank, config.r);
  config.lora_alpha = reader.number_or("lora_alpha", -kMaxAlpha, kMaxAlpha, config.lora_alpha);
  if (config.lora_alpha == 0.0) reader.fail("lora_alpha", "expected another number than 0, which removes the adapter");
  config.rank_pattern = detail::read_patterns(
      reader, text, "rank_pattern", compile,
      [&](ObjectReader& ranks, const std::string& key) { return ranks.integer(key, 1, kMaxRank); });
  config.alpha_pattern = detail::read_patterns(
      reader, text, "alpha_pattern", compile,
      [&](ObjectReader& alphas, const std::string& key) { return alphas.number(key, -kMaxAlpha, kMaxAlpha); });
  config.use_rslora = reader.boolean_or("use_rslora", false);
  config.use_dora = reader.boolean_or("use_dora", false);
  config.fan_in_fan_out = reader.boolean_or("fan_in_fan_out", false);
  config.lora_bias = reader.boolean_or("lora_bias", false);
  config.ensure_weight_tying = reader.boolean_or("ensure_weight_tying", false);
  config.modules_to_save = detail::read_names(reader, "modules_to_save");
  config.target_parameters = detail::read_names(reader, "target_parameters");
  if (reader.has("peft_version")) config.version = detail::version_numbers(reader.string("peft_version"));
  if (reader.has("bias")) static_cast<void>(reader.choice<int>("bias", {{"none", 0}}));
  if (config.use_dora && config.lora_bias)
    reader.fail("lora_bias", "expected false with use_dora, found true", ErrorKind::unsupported);
  // Ways to begin that change the weights of the model, so that the adapter belongs to other weights.
  if (reader.has("init_lora_weights") && !reader.at("init_lora_weights").is_boolean()) {
    const std::string init = reader.string("init_lora_weights");
    if (init != "gaussian" && init != "eva" && init != "orthogonal" && init != "mica")
      reader.fail("init_lora_weights",
                  in_quotes(init) +
                      " changes the weights of the model; convert the adapter with PEFT first "
                      "(save_pretrained with path_initial_model_for_weight_conversion)",
                  ErrorKind::unsupported);
  }
  for (const std::string_view key : {"layer_replication", "trainable_token_indices", "alora_invocation_tokens",
                                     "use_qalora", "use_bdlora", "arrow_config", "kasa_config", "monteclora_config"}) {
    if (!reader.has(key)) continue;
    const Json& value = reader.at(key);
    const bool nothing = (value.is_boolean() && !value.get<bool>()) || (value.is_structured() && value.empty());
    if (!nothing) reader.fail(key, "is not supported", ErrorKind::unsupported);
  }
  reader.reject_unknown_keys(notes, detail::kIgnoredPeftKeys);
  return config;
}

}  // namespace trine::inline TRINE_ABI
