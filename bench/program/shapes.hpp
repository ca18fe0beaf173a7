// SPDX-License-Identifier: Apache-2.0
// Shapes of published models: their config.json, as far as it matters for speed, and what tensors their checkpoints
// have. Names and shapes are those of the checkpoints on Hugging Face, experts one by one. And one shape of the native
// architecture with each kind of attention.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <trine/json/parse.hpp>

namespace trine::bench {

struct NamedShape {
  std::string_view name;
  const char* config;            // JSON, "model_type" and all
  const char* tiny;              // what makes it small enough for a test
  const char* attention = "{}";  // what differs from `config`
};

// 490 M parameters, 105 M of them active; 16 heads of 64 for 4 key/value heads, whatever the kind of attention.
inline constexpr const char* kTrineShape = R"({"model_type": "trine", "vocab_size": 32000, "hidden_size": 1024,
    "num_hidden_layers": 8, "max_position_embeddings": 262144, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
    "tie_word_embeddings": false, "attention": {"kind": "3d", "head_dim": 64, "frame_size": 64,
      "spatial": {"num_heads": 8, "num_kv_heads": 2, "lookback": 1, "causal": true},
      "temporal": {"num_heads": 8, "num_kv_heads": 2, "pattern": "summary"}},
    "moe": {"num_experts": 32, "intermediate_size": 512, "num_shared_experts": 0, "first_dense_layers": 0,
      "router": {"kind": "attention", "key_dim": 64, "score": "sigmoid", "normalize": true, "routed_scale": 1.0,
        "choice": {"kind": "top_k", "k": 4}}},
    "input": {"kind": "tokens"}, "output": {"kind": "language_model"}})";
inline constexpr const char* kTinyTrineShape = R"({"vocab_size": 512, "hidden_size": 128,
    "max_position_embeddings": 4096, "attention": {"head_dim": 32, "frame_size": 16},
    "moe": {"num_experts": 8, "intermediate_size": 64}})";

inline constexpr const char* kTinyQwenNextShape = R"({"vocab_size": 512, "hidden_size": 128,
    "moe_intermediate_size": 64, "shared_expert_intermediate_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "linear_key_head_dim": 32, "linear_value_head_dim": 32,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "num_experts": 16, "num_experts_per_tok": 4,
    "max_position_embeddings": 4096})";

// V3.2 is the same with an indexer. The first three layers have no experts: --layers 1 measures attention and a dense
// MLP.
inline constexpr const char* kDeepseekV3Shape = R"({"model_type": "deepseek_v3", "vocab_size": 129280,
    "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048, "num_hidden_layers": 61,
    "num_attention_heads": 128, "num_key_value_heads": 128, "n_shared_experts": 1, "n_routed_experts": 256,
    "num_experts_per_tok": 8, "routed_scaling_factor": 2.5, "kv_lora_rank": 512, "q_lora_rank": 1536,
    "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128, "n_group": 8, "topk_group": 4,
    "topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": true, "first_k_dense_replace": 3,
    "moe_layer_freq": 1, "rms_norm_eps": 1e-6, "max_position_embeddings": 163840, "rope_theta": 10000,
    "rope_scaling": {"type": "yarn", "beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0,
      "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096}, "attention_bias": false,
    "tie_word_embeddings": false, "num_nextn_predict_layers": 0})";
inline constexpr const char* kTinyDeepseekV3Shape = R"({"vocab_size": 512, "hidden_size": 128,
    "intermediate_size": 256, "moe_intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4,
    "n_routed_experts": 16, "num_experts_per_tok": 3, "kv_lora_rank": 64, "q_lora_rank": 64, "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 32, "v_head_dim": 32, "first_k_dense_replace": 1, "max_position_embeddings": 4096,
    "rope_scaling": null})";

inline constexpr std::array<NamedShape, 11> kShapes{{
    {"deepseek-v2-lite", R"({"model_type": "deepseek_v2", "vocab_size": 102400, "hidden_size": 2048,
      "intermediate_size": 10944, "moe_intermediate_size": 1408, "num_hidden_layers": 27, "num_attention_heads": 16,
      "num_key_value_heads": 16, "n_shared_experts": 2, "n_routed_experts": 64, "num_experts_per_tok": 6,
      "routed_scaling_factor": 1.0, "kv_lora_rank": 512, "q_lora_rank": null, "qk_rope_head_dim": 64,
      "qk_nope_head_dim": 128, "v_head_dim": 128, "n_group": 1, "topk_group": 1, "topk_method": "greedy",
      "scoring_func": "softmax", "norm_topk_prob": false, "first_k_dense_replace": 1, "moe_layer_freq": 1,
      "rms_norm_eps": 1e-6, "max_position_embeddings": 163840, "rope_theta": 10000, "rope_scaling": {"type": "yarn",
      "beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
      "original_max_position_embeddings": 4096}, "attention_bias": false, "tie_word_embeddings": false})",
     R"({"vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "moe_intermediate_size": 64,
      "num_attention_heads": 4, "num_key_value_heads": 4, "n_routed_experts": 8, "num_experts_per_tok": 3,
      "kv_lora_rank": 64, "qk_rope_head_dim": 16, "qk_nope_head_dim": 32, "v_head_dim": 32,
      "max_position_embeddings": 4096, "rope_scaling": null})"},
    {"deepseek-v3", kDeepseekV3Shape, kTinyDeepseekV3Shape},
    {"deepseek-v3.2", kDeepseekV3Shape, kTinyDeepseekV3Shape,
     R"({"model_type": "deepseek_v32", "index_topk": 2048, "index_n_heads": 64, "index_head_dim": 128})"},
    {"qwen3-30b-a3b", R"({"model_type": "qwen3_moe", "vocab_size": 151936, "hidden_size": 2048,
      "intermediate_size": 6144, "moe_intermediate_size": 768, "num_hidden_layers": 48, "num_attention_heads": 32,
      "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": true,
      "decoder_sparse_step": 1, "mlp_only_layers": [], "rms_norm_eps": 1e-6, "max_position_embeddings": 40960,
      "rope_theta": 1000000.0, "rope_scaling": null, "attention_bias": false, "use_sliding_window": false,
      "sliding_window": null, "tie_word_embeddings": false})",
     R"({"vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "moe_intermediate_size": 64,
      "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32, "num_experts": 16, "num_experts_per_tok": 4,
      "max_position_embeddings": 4096})"},
    {"qwen3-next-80b-a3b", R"({"model_type": "qwen3_next", "vocab_size": 151936, "hidden_size": 2048,
      "intermediate_size": 5120, "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512,
      "num_hidden_layers": 48, "full_attention_interval": 4, "num_attention_heads": 16, "num_key_value_heads": 2,
      "head_dim": 256, "partial_rotary_factor": 0.25, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
      "linear_value_head_dim": 128, "linear_num_key_heads": 16, "linear_num_value_heads": 32, "num_experts": 512,
      "num_experts_per_tok": 10, "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": [],
      "rms_norm_eps": 1e-6, "max_position_embeddings": 262144, "rope_theta": 10000000, "attention_bias": false,
      "tie_word_embeddings": false})",
     kTinyQwenNextShape},
    {"qwen3.5-35b-a3b", R"({"model_type": "qwen3_5_moe_text", "vocab_size": 248320, "hidden_size": 2048,
      "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512, "num_hidden_layers": 40,
      "full_attention_interval": 4, "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256,
      "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
      "linear_num_key_heads": 16, "linear_num_value_heads": 32, "num_experts": 256, "num_experts_per_tok": 8,
      "rms_norm_eps": 1e-6, "max_position_embeddings": 262144, "rope_parameters": {"rope_type": "default",
      "rope_theta": 10000000, "partial_rotary_factor": 0.25}, "attention_bias": false, "tie_word_embeddings": false})",
     kTinyQwenNextShape},
    {"mixtral-8x7b", R"({"model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096,
      "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
      "num_local_experts": 8, "num_experts_per_tok": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 32768,
      "rope_theta": 1000000.0, "sliding_window": null, "tie_word_embeddings": false})",
     R"({"vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4,
      "num_key_value_heads": 2, "num_local_experts": 4, "max_position_embeddings": 4096})"},
    {"trine-3d", kTrineShape, kTinyTrineShape},
    {"trine-3d-strided", kTrineShape, kTinyTrineShape, R"({"attention": {"temporal": {"pattern": "strided"}}})"},
    {"trine-3d-routed", kTrineShape, kTinyTrineShape,
     R"({"attention": {"temporal": {"pattern": "routed", "top_k": 4}}})"},
    {"trine-full", kTrineShape, kTinyTrineShape,
     R"({"attention": {"kind": "full", "num_heads": 16, "num_kv_heads": 4, "spatial": null, "temporal": null,
      "frame_size": null}})"},
}};

/// layers: 0 for all that the model has
[[nodiscard]] inline Json config_of(const NamedShape& shape, std::size_t layers, bool tiny) {
  Json config = Json::parse(shape.config);
  if (tiny) config.merge_patch(Json::parse(shape.tiny));
  config.merge_patch(Json::parse(shape.attention));
  if (layers > 0) config["num_hidden_layers"] = layers;
  return config;
}

struct TensorSpec {
  /// What decides about the type that a tensor is stored as.
  enum class Kind : unsigned char {
    matrix,  // the type of the model
    exact,   // routers, and what is read by head: not packed
    norm,    // and what is as small: not packed, and ones
  };

  std::string name;
  std::vector<std::size_t> shape;
  Kind kind = Kind::matrix;
};

namespace detail {

/// Lists the tensors of a configuration.
class TensorLister {
 public:
  explicit TensorLister(const Json& config) : config_(config) {}

  [[nodiscard]] std::vector<TensorSpec> list() {
    if (type_ == "trine") {
      list_trine();
      return std::move(tensors_);
    }
    add("model.embed_tokens.weight", {number("vocab_size"), hidden_});
    for (std::size_t index = 0; index < number("num_hidden_layers"); ++index) {
      const std::string layer = "model.layers." + std::to_string(index) + ".";
      norm(layer + "input_layernorm.weight", hidden_);
      norm(layer + "post_attention_layernorm.weight", hidden_);
      if (type_.starts_with("deepseek")) {
        latent_attention(layer + "self_attn.");
        deepseek_mlp(layer + "mlp.", index);
      } else {
        if (is_linear(index)) {
          gated_delta_net(layer + "linear_attn.");
        } else {
          grouped_query_attention(layer + "self_attn.");
        }
        if (is_qwen_next()) {
          mlp(layer + "mlp.shared_expert.", number("shared_expert_intermediate_size"));
          add(layer + "mlp.shared_expert_gate.weight", {1, hidden_}, TensorSpec::Kind::exact);
        }
        const bool mixtral = type_ == "mixtral";
        const std::string mlp = layer + (mixtral ? "block_sparse_moe." : "mlp.");
        moe(mlp, number(mixtral ? "num_local_experts" : "num_experts"),
            number(mixtral ? "intermediate_size" : "moe_intermediate_size"),
            mixtral ? Names{"w1", "w3", "w2"} : Names{"gate_proj", "up_proj", "down_proj"});
      }
    }
    norm("model.norm.weight", hidden_);
    add("lm_head.weight", {number("vocab_size"), hidden_});
    return std::move(tensors_);
  }

 private:
  using Names = std::array<const char*, 3>;  // gate, up, down

  [[nodiscard]] std::size_t number(const char* key) const { return config_.at(key).get<std::size_t>(); }
  void add(const std::string& name, std::vector<std::size_t> shape, TensorSpec::Kind kind = TensorSpec::Kind::matrix) {
    tensors_.push_back({name, std::move(shape), kind});
  }
  void norm(const std::string& name, std::size_t width) { add(name, {width}, TensorSpec::Kind::norm); }

  void list_trine() {
    const Json& attention = config_.at("attention");
    const Json& moe = config_.at("moe");
    const auto heads = [&](const char* key) {
      if (attention.at("kind") != "3d") return attention.at(key).get<std::size_t>();
      return attention.at("spatial").at(key).get<std::size_t>() + attention.at("temporal").at(key).get<std::size_t>();
    };
    const auto head_dim = attention.at("head_dim").get<std::size_t>();
    const auto experts = moe.at("num_experts").get<std::size_t>();
    const auto key_dim = moe.at("router").at("key_dim").get<std::size_t>();
    add("embed_tokens.weight", {number("vocab_size"), hidden_});
    for (std::size_t index = 0; index < number("num_hidden_layers"); ++index) {
      const std::string layer = "layers." + std::to_string(index) + ".";
      norm(layer + "attention_norm.weight", hidden_);
      norm(layer + "moe_norm.weight", hidden_);
      projections(layer + "attention.", heads("num_heads") * head_dim, heads("num_kv_heads") * head_dim);
      add(layer + "moe.router.keys", {experts, key_dim}, TensorSpec::Kind::exact);
      add(layer + "moe.router.query.weight", {key_dim, hidden_}, TensorSpec::Kind::exact);
      norm(layer + "moe.router.balance_bias", experts);
      for (std::size_t e = 0; e < experts; ++e)
        mlp(layer + "moe.experts." + std::to_string(e) + ".", moe.at("intermediate_size").get<std::size_t>());
    }
    norm("norm.weight", hidden_);
    add("lm_head.weight", {number("vocab_size"), hidden_});
  }

  void mlp(const std::string& scope, std::size_t ffn, const Names& names = {"gate_proj", "up_proj", "down_proj"}) {
    add(scope + names[0] + ".weight", {ffn, hidden_});
    add(scope + names[1] + ".weight", {ffn, hidden_});
    add(scope + names[2] + ".weight", {hidden_, ffn});
  }
  void moe(const std::string& scope, std::size_t experts, std::size_t ffn, const Names& names) {
    add(scope + "gate.weight", {experts, hidden_}, TensorSpec::Kind::exact);
    for (std::size_t e = 0; e < experts; ++e) mlp(scope + "experts." + std::to_string(e) + ".", ffn, names);
  }
  void deepseek_mlp(const std::string& scope, std::size_t layer) {
    if (layer < number("first_k_dense_replace")) return mlp(scope, number("intermediate_size"));
    const std::size_t ffn = number("moe_intermediate_size");
    moe(scope, number("n_routed_experts"), ffn, {"gate_proj", "up_proj", "down_proj"});
    mlp(scope + "shared_experts.", number("n_shared_experts") * ffn);
  }

  void latent_attention(const std::string& scope) {
    const std::size_t heads = number("num_attention_heads");
    const std::size_t rank = number("kv_lora_rank");
    const std::size_t rope = number("qk_rope_head_dim");
    const std::size_t nope = number("qk_nope_head_dim");
    const std::size_t value = number("v_head_dim");
    if (config_.at("q_lora_rank").is_null()) {
      add(scope + "q_proj.weight", {heads * (nope + rope), hidden_});
    } else {
      const std::size_t low = number("q_lora_rank");
      add(scope + "q_a_proj.weight", {low, hidden_});
      norm(scope + "q_a_layernorm.weight", low);
      add(scope + "q_b_proj.weight", {heads * (nope + rope), low});
      if (config_.contains("index_topk")) indexer(scope + "indexer.", low);
    }
    add(scope + "kv_a_proj_with_mqa.weight", {rank + rope, hidden_});
    norm(scope + "kv_a_layernorm.weight", rank);
    add(scope + "kv_b_proj.weight", {heads * (nope + value), rank}, TensorSpec::Kind::exact);
    add(scope + "o_proj.weight", {hidden_, heads * value});
  }
  void indexer(const std::string& scope, std::size_t low) {
    const std::size_t width = number("index_head_dim");
    add(scope + "wq_b.weight", {number("index_n_heads") * width, low});
    add(scope + "wk.weight", {width, hidden_});
    norm(scope + "k_norm.weight", width);
    norm(scope + "k_norm.bias", width);
    add(scope + "weights_proj.weight", {number("index_n_heads"), hidden_}, TensorSpec::Kind::exact);
  }
  [[nodiscard]] bool is_qwen_next() const { return type_ == "qwen3_next" || type_ == "qwen3_5_moe_text"; }
  [[nodiscard]] bool is_linear(std::size_t layer) const {
    return is_qwen_next() && (layer + 1) % number("full_attention_interval") != 0;
  }
  void gated_delta_net(const std::string& scope) {
    const std::size_t heads = number("linear_num_value_heads");
    const std::size_t keys = number("linear_num_key_heads") * number("linear_key_head_dim");
    const std::size_t values = heads * number("linear_value_head_dim");
    if (type_ == "qwen3_next") {
      add(scope + "in_proj_qkvz.weight", {2 * keys + 2 * values, hidden_});
      add(scope + "in_proj_ba.weight", {2 * heads, hidden_}, TensorSpec::Kind::exact);
    } else {
      add(scope + "in_proj_qkv.weight", {2 * keys + values, hidden_});
      add(scope + "in_proj_z.weight", {values, hidden_});
      add(scope + "in_proj_b.weight", {heads, hidden_}, TensorSpec::Kind::exact);
      add(scope + "in_proj_a.weight", {heads, hidden_}, TensorSpec::Kind::exact);
    }
    add(scope + "conv1d.weight", {2 * keys + values, 1, number("linear_conv_kernel_dim")}, TensorSpec::Kind::norm);
    norm(scope + "A_log", heads);
    norm(scope + "dt_bias", heads);
    norm(scope + "norm.weight", number("linear_value_head_dim"));
    add(scope + "out_proj.weight", {hidden_, values});
  }
  // gates: 2 if q_proj has the rows of an output gate, too
  void projections(const std::string& scope, std::size_t queries, std::size_t keys, std::size_t gates = 1) {
    add(scope + "q_proj.weight", {gates * queries, hidden_});
    add(scope + "k_proj.weight", {keys, hidden_});
    add(scope + "v_proj.weight", {keys, hidden_});
    add(scope + "o_proj.weight", {hidden_, queries});
  }
  void grouped_query_attention(const std::string& scope) {
    const std::size_t heads = number("num_attention_heads");
    const std::size_t kv_heads = number("num_key_value_heads");
    const std::size_t head_dim = config_.contains("head_dim") ? number("head_dim") : hidden_ / heads;
    projections(scope, heads * head_dim, kv_heads * head_dim, is_qwen_next() ? 2 : 1);
    if (type_ != "qwen3_moe" && !is_qwen_next()) return;
    norm(scope + "q_norm.weight", head_dim);
    norm(scope + "k_norm.weight", head_dim);
  }

  const Json& config_;
  std::string type_ = config_.at("model_type").get<std::string>();
  std::size_t hidden_ = number("hidden_size");
  std::vector<TensorSpec> tensors_;
};

}  // namespace detail

[[nodiscard]] inline std::vector<TensorSpec> tensors_of(const Json& config) {
  return detail::TensorLister(config).list();
}

}  // namespace trine::bench
