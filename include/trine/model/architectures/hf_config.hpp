// SPDX-License-Identifier: Apache-2.0
// The common part of the config.json files of published checkpoints. Keys are spelled as in the files; if transformers
// 4 and 5 differ, both are read. An absent key has the default of its family's configuration class, which each
// builder's file declares; keys without a default in the class are required.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/json/object_reader.hpp>
#include <trine/model/architectures/config_limits.hpp>
#include <trine/model/architectures/hf_ignored_keys.hpp>
#include <trine/model/model_builder.hpp>

namespace trine::inline TRINE_ABI {

struct HfConfig {
  std::string model_type;
  std::size_t vocab_size = 0;
  std::size_t hidden_size = 0;
  std::size_t num_hidden_layers = 0;
  std::size_t max_position_embeddings = 0;
  float rms_norm_eps = 0.0F;
  bool tie_word_embeddings = false;
};

/// Reads one config.json: typed getters of ObjectReader, and options of several families. Throws ConfigError.
class HfConfigReader : public ObjectReader {
 public:
  /// defaults: a JSON object with the defaults of absent keys of this family.
  HfConfigReader(const BuildContext& context, std::string_view defaults)
      : ObjectReader(context.config, context.source_name, context.config_path, parse_json(defaults, "defaults")),
        notes_(context.notes == nullptr ? own_notes_ : *context.notes) {}
  HfConfigReader(const HfConfigReader&) = delete;
  HfConfigReader& operator=(const HfConfigReader&) = delete;

  [[nodiscard]] Notes& notes() noexcept { return notes_; }

  /// The fields of HfConfig, for families whose only activation is silu.
  [[nodiscard]] HfConfig common() {
    const HfConfig config = sizes();
    static_cast<void>(choice<bool>("hidden_act", {{"silu", true}, {"swish", true}}));
    return config;
  }

  /// The fields of HfConfig.   epsilon: the name of rms_norm_eps
  [[nodiscard]] HfConfig sizes(std::string_view epsilon = "rms_norm_eps") {
    HfConfig config;
    config.model_type = string("model_type");
    config.vocab_size = integer("vocab_size", 1, config_limits::kVocab);
    config.hidden_size = integer("hidden_size", 1, config_limits::kWidth);
    config.num_hidden_layers = integer("num_hidden_layers", 1, config_limits::kLayers);
    config.max_position_embeddings = integer("max_position_embeddings", 1, config_limits::kPositions);
    config.rms_norm_eps = static_cast<float>(number(epsilon, 0.0, 1.0));
    config.tie_word_embeddings = boolean("tie_word_embeddings");
    require_true("is_causal");  // transformers drops the causal mask of any family if it is false
    return config;
  }

  /// Known keys without effect.
  void ignore(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) static_cast<void>(has(key));
  }

  /// A key that this family does not read, but a user may expect: noted unless it is null, false or 0.
  void ignore_with_note(std::string_view key, std::string_view text) {
    if (is_given(key) && at(key) != false && at(key) != 0) notes_.add(key, text);
  }

  /// The first present of several spellings of one key; if none is present, the first spelling, which has the default.
  /// Several present ones must have the same value.
  [[nodiscard]] std::string_view first_present(std::initializer_list<std::string_view> keys) {
    std::string_view found;
    for (const std::string_view key : keys) {
      if (!is_given(key)) continue;
      if (found.empty()) {
        found = key;
      } else if (at(key) != at(found)) {
        fail(key, "the same as " + std::string(found), at(key));
      }
    }
    return found.empty() ? *keys.begin() : found;
  }

  /// Query and key/value heads. If they are null, every query head has its own keys, and head_dim is hidden_size /
  /// num_attention_heads.
  struct Heads {
    std::size_t num_attention_heads = 0;
    std::size_t num_key_value_heads = 0;
    std::size_t head_dim = 0;
  };
  [[nodiscard]] Heads heads(std::size_t hidden_size) {
    Heads result;
    result.num_attention_heads = integer("num_attention_heads", 1, config_limits::kHeads);
    result.num_key_value_heads =
        integer_or("num_key_value_heads", 1, result.num_attention_heads, result.num_attention_heads);
    if (result.num_attention_heads % result.num_key_value_heads != 0) {
      fail("num_key_value_heads", "a divisor of num_attention_heads = " + std::to_string(result.num_attention_heads),
           at("num_key_value_heads"));
    }
    if (has("head_dim")) {
      result.head_dim = integer("head_dim", 2, config_limits::kHeadDim);
    } else if (hidden_size % result.num_attention_heads == 0) {
      result.head_dim = hidden_size / result.num_attention_heads;
    } else {
      fail("num_attention_heads", "a divisor of hidden_size = " + std::to_string(hidden_size),
           at("num_attention_heads"));
    }
    if (result.head_dim % 2 != 0) fail("head_dim", "expected an even number, found " + std::to_string(result.head_dim));
    return result;
  }

  /// For a setting with one supported value: any other is an error that names it.
  void require_integer(std::string_view key, std::uint64_t value) {
    if (has(key)) static_cast<void>(integer(key, value, value));
  }
  void require_false(std::string_view key) {
    if (boolean(key)) fail(key, "expected false, true is not supported", ErrorKind::unsupported);
  }
  void require_true(std::string_view key) {
    if (!boolean_or(key, true)) fail(key, "expected true, false is not supported", ErrorKind::unsupported);
  }

  /// Rejects unread keys that may change the computation; notes the others (hf_ignored_keys.hpp).
  void reject_unknown_keys() {
    ignore({"quantization_config"});  // read in model/quantization_config.hpp
    for (const std::string_view key : kUnusedHfKeys) static_cast<void>(has(key));
    ObjectReader::reject_unknown_keys(notes_, kIgnoredHfKeys);
  }

 private:
  Notes own_notes_;  // if the caller does not collect them
  Notes& notes_;
};

}  // namespace trine::inline TRINE_ABI
