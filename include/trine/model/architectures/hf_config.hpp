// SPDX-License-Identifier: Apache-2.0
// What the config.json files of published checkpoints have in common. Keys are spelled as in the files; where
// transformers 4 and 5 differ, both are read.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/json/object_reader.hpp>
#include <trine/model/architectures/config_limits.hpp>
#include <trine/model/architectures/rope_config.hpp>

namespace trine::inline TRINE_ABI {

struct HfConfig {
  std::string model_type;
  std::size_t vocab_size = 0;
  std::size_t hidden_size = 0;
  std::size_t num_hidden_layers = 0;
  std::size_t max_position_embeddings = 0;
  float rms_norm_eps = 1e-6F;
  bool tie_word_embeddings = false;
};

/// Reads one config.json: typed getters of ObjectReader, and what several families share. Throws ConfigError.
class HfConfigReader : public ObjectReader {
 public:
  using ObjectReader::ObjectReader;

  /// The fields of HfConfig. Marks those as known that training, generation or other software reads: they change
  /// nothing here.
  [[nodiscard]] HfConfig common() {
    HfConfig config;
    config.model_type = string("model_type");
    config.vocab_size = integer("vocab_size", 1, config_limits::kVocab);
    config.hidden_size = integer("hidden_size", 1, config_limits::kWidth);
    config.num_hidden_layers = integer("num_hidden_layers", 1, config_limits::kLayers);
    config.max_position_embeddings = integer("max_position_embeddings", 1, config_limits::kPositions);
    config.rms_norm_eps = static_cast<float>(number_or("rms_norm_eps", 0.0, 1.0, 1e-6));
    config.tie_word_embeddings = boolean_or("tie_word_embeddings", false);
    if (has("hidden_act")) static_cast<void>(choice<bool>("hidden_act", {{"silu", true}, {"swish", true}}));
    ignore({"architectures",
            "auto_map",
            "_name_or_path",
            "name_or_path",
            "transformers_version",
            "dtype",
            "torch_dtype",
            "use_cache",
            "initializer_range",
            "attention_dropout",
            "hidden_dropout",
            "pretraining_tp",
            "bos_token_id",
            "eos_token_id",
            "pad_token_id",
            "unk_token_id",
            "_attn_implementation",
            "_attn_implementation_autoset",
            "output_router_logits",
            "router_aux_loss_coef",
            "router_jitter_noise",
            "aux_loss_alpha",
            "seq_aux",
            "ep_size",
            "return_dict",
            "output_hidden_states",
            "output_attentions",
            "id2label",
            "label2id",
            "chunk_size_feed_forward",
            "problem_type",
            "is_encoder_decoder",
            "is_decoder",
            "quantization_config"});  // the last is read in model/quantization_config.hpp
    return config;
  }

  /// Keys that are known and change nothing.
  void ignore(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) static_cast<void>(has(key));
  }

  /// Of several spellings of one key that which is there; the first one where none is.
  [[nodiscard]] std::string_view spelling(std::initializer_list<std::string_view> keys) {
    std::string_view found;
    for (const std::string_view key : keys)
      if (has(key) && found.empty()) found = key;
    return found.empty() ? *keys.begin() : found;
  }

  /// Query and key/value heads. `head_dim` is hidden_size / num_attention_heads where it is not given.
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
      fail("num_key_value_heads",
           "expected a divisor of num_attention_heads = " + std::to_string(result.num_attention_heads) + ", found " +
               std::to_string(result.num_key_value_heads));
    }
    if (has("head_dim")) {
      result.head_dim = integer("head_dim", 2, config_limits::kHeadDim);
    } else if (hidden_size % result.num_attention_heads == 0) {
      result.head_dim = hidden_size / result.num_attention_heads;
    } else {
      fail("num_attention_heads", "expected a divisor of hidden_size = " + std::to_string(hidden_size) + ", found " +
                                      std::to_string(result.num_attention_heads));
    }
    if (result.head_dim % 2 != 0) fail("head_dim", "expected an even number, found " + std::to_string(result.head_dim));
    return result;
  }

  /// "layer_types": which layers slide, one entry a layer; nothing where the key is absent.
  [[nodiscard]] std::optional<std::vector<bool>> layer_types(std::size_t layers) {
    if (!has("layer_types")) return std::nullopt;
    const Json& list = at("layer_types");
    if (!list.is_array() || list.size() != layers)
      fail("layer_types", "a list of " + std::to_string(layers) + " names", list);
    std::vector<bool> sliding;
    for (const Json& name : list) {
      if (name != "full_attention" && name != "sliding_attention")
        fail("layer_types", "full_attention or sliding_attention", name);
      sliding.push_back(name == "sliding_attention");
    }
    return sliding;
  }

  /// The width of the window where the key is set; null and 0 mean none.
  [[nodiscard]] std::optional<std::size_t> sliding_window() {
    const std::size_t window = integer_or("sliding_window", 0, config_limits::kPositions, 0);
    return window == 0 ? std::nullopt : std::optional(window);
  }

  /// For a setting with one value that we know: any other is an error that names it.
  void require_integer(std::string_view key, std::uint64_t value) {
    if (has(key)) static_cast<void>(integer(key, value, value));
  }
  void require_false(std::string_view key) {
    if (boolean_or(key, false)) fail(key, "expected false, true is not supported");
  }

  /// As ObjectReader::finish, but keys that we do not know may be null or false: they ask for nothing.
  void finish() const { finish_but_unset(); }
};

}  // namespace trine::inline TRINE_ABI
