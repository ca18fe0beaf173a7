// SPDX-License-Identifier: Apache-2.0
#include "throughput/synthetic_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include <trine/core/nearest_name.hpp>
#include <trine/core/random.hpp>
#include <trine/core/tensor.hpp>
#include <trine/quant/packed.hpp>

namespace trine::bench {
namespace {

using Bytes = std::vector<std::byte, CacheLineAllocator<std::byte>>;

const std::map<std::string, const char*>& configs() {
  static const std::map<std::string, const char*> kConfigs{
      {"deepseek-v2-lite", R"({"model_type": "deepseek_v2", "hidden_size": 2048, "intermediate_size": 10944,
        "moe_intermediate_size": 1408, "num_hidden_layers": 27, "num_attention_heads": 16, "num_key_value_heads": 16,
        "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
        "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 102400,
        "max_position_embeddings": 163840, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu",
        "topk_method": "greedy", "tie_word_embeddings": false})"},
      {"qwen3-30b-a3b", R"({"model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144,
        "moe_intermediate_size": 768, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4,
        "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": true, "vocab_size": 151936,
        "max_position_embeddings": 40960, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "hidden_act": "silu",
        "tie_word_embeddings": false})"},
      {"mixtral-8x7b", R"({"model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8,
        "num_experts_per_tok": 2, "vocab_size": 32000, "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
        "rope_theta": 1000000.0, "hidden_act": "silu", "tie_word_embeddings": false})"}};
  return kConfigs;
}

std::size_t number(const Json& config, const char* key, std::size_t missing = 0) {
  return config.contains(key) ? config.at(key).get<std::size_t>() : missing;
}

struct Wanted {
  std::string name;
  std::vector<std::size_t> shape;
  DType dtype;
};

// Every tensor that the recipes of the three shapes ask for.
class Tensors {
 public:
  Tensors(const Json& config, DType dtype) : config_(config), dtype_(dtype), hidden_(number(config, "hidden_size")) {
    add("model.embed_tokens.weight", {number(config, "vocab_size"), hidden_}, dtype_);
    for (std::size_t i = 0; i < number(config, "num_hidden_layers"); ++i) add_layer(i);
    add("model.norm.weight", {hidden_}, DType::f32);
    add("lm_head.weight", {number(config, "vocab_size"), hidden_}, dtype_);
  }
  std::vector<Wanted> list;

 private:
  void add(const std::string& name, std::vector<std::size_t> shape, DType dtype) {
    list.push_back({name, std::move(shape), dtype});
  }
  void add_mlp(const std::string& name, std::size_t ffn, const char* gate = "gate_proj", const char* up = "up_proj",
               const char* down = "down_proj") {
    add(name + gate + ".weight", {ffn, hidden_}, dtype_);
    add(name + up + ".weight", {ffn, hidden_}, dtype_);
    add(name + down + ".weight", {hidden_, ffn}, dtype_);
  }
  void add_layer(std::size_t index) {
    const std::string layer = "model.layers." + std::to_string(index) + ".";
    add(layer + "input_layernorm.weight", {hidden_}, DType::f32);
    add(layer + "post_attention_layernorm.weight", {hidden_}, DType::f32);
    const std::string type = config_.at("model_type").get<std::string>();
    type == "deepseek_v2" ? add_latent_attention(layer + "self_attn.") : add_attention(layer + "self_attn.");
    const std::size_t ffn = number(config_, "moe_intermediate_size", number(config_, "intermediate_size"));
    if (type == "mixtral") {
      add(layer + "block_sparse_moe.gate.weight", {number(config_, "num_local_experts"), hidden_}, DType::f32);
      for (std::size_t e = 0; e < number(config_, "num_local_experts"); ++e)
        add_mlp(layer + "block_sparse_moe.experts." + std::to_string(e) + ".", ffn, "w1", "w3", "w2");
    } else if (type == "deepseek_v2" && index < number(config_, "first_k_dense_replace")) {
      add_mlp(layer + "mlp.", number(config_, "intermediate_size"));
    } else {
      const std::size_t experts = number(config_, "n_routed_experts", number(config_, "num_experts"));
      add(layer + "mlp.gate.weight", {experts, hidden_}, DType::f32);
      for (std::size_t e = 0; e < experts; ++e) add_mlp(layer + "mlp.experts." + std::to_string(e) + ".", ffn);
      if (const std::size_t shared = number(config_, "n_shared_experts"); shared > 0)
        add_mlp(layer + "mlp.shared_experts.", shared * ffn);
    }
  }
  void add_attention(const std::string& scope) {
    const std::size_t heads = number(config_, "num_attention_heads");
    const std::size_t kv_heads = number(config_, "num_key_value_heads");
    const std::size_t head_dim = number(config_, "head_dim", hidden_ / heads);
    add(scope + "q_proj.weight", {heads * head_dim, hidden_}, dtype_);
    add(scope + "k_proj.weight", {kv_heads * head_dim, hidden_}, dtype_);
    add(scope + "v_proj.weight", {kv_heads * head_dim, hidden_}, dtype_);
    add(scope + "o_proj.weight", {hidden_, heads * head_dim}, dtype_);
    if (config_.at("model_type") != "qwen3_moe") return;
    add(scope + "q_norm.weight", {head_dim}, DType::f32);
    add(scope + "k_norm.weight", {head_dim}, DType::f32);
  }
  void add_latent_attention(const std::string& scope) {
    const std::size_t heads = number(config_, "num_attention_heads");
    const std::size_t rank = number(config_, "kv_lora_rank");
    const std::size_t nope = number(config_, "qk_nope_head_dim");
    const std::size_t rope = number(config_, "qk_rope_head_dim");
    const std::size_t value = number(config_, "v_head_dim");
    add(scope + "q_proj.weight", {heads * (nope + rope), hidden_}, dtype_);
    add(scope + "kv_a_proj_with_mqa.weight", {rank + rope, hidden_}, dtype_);
    add(scope + "kv_a_layernorm.weight", {rank}, DType::f32);
    add(scope + "kv_b_proj.weight", {heads * (nope + value), rank}, is_packed(dtype_) ? DType::bf16 : dtype_);
    add(scope + "o_proj.weight", {hidden_, heads * value}, dtype_);
  }

  const Json& config_;
  DType dtype_;
  std::size_t hidden_;
};

// Rows of a matrix that are made at random; the others repeat them.
constexpr std::size_t kRandomRows = 64;

Bytes random_rows(DType dtype, std::size_t rows, std::size_t columns, bool norm) {
  const float size = norm ? 1.0F : 1.7F / std::sqrt(static_cast<float>(columns));  // products keep their inputs' size
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = norm ? size : size * (2.0F * static_cast<float>(CounterRandom{columns}.uniform(i)) - 1.0F);
  const std::size_t shape[2] = {rows, columns};
  Bytes bytes(static_cast<std::size_t>(stored_bytes(dtype, shape).value()));
  if (is_packed(dtype)) {
    pack(dtype, values.data(), columns, rows, columns, bytes.data());
  } else {
    visit_dtype(dtype, [&]<class T>(const T*) {
      for (std::size_t i = 0; i < values.size(); ++i) reinterpret_cast<T*>(bytes.data())[i] = T(values[i]);
    });
  }
  return bytes;
}

class SyntheticWeights : public TensorMap {
 public:
  SyntheticWeights(const Json& config, DType dtype, const std::function<void(std::size_t, std::size_t)>& progress) {
    const std::vector<Wanted> wanted = Tensors(config, dtype).list;
    std::size_t total = 0;
    for (const Wanted& w : wanted) total += static_cast<std::size_t>(stored_bytes(w.dtype, w.shape).value());
    std::size_t made = 0;
    for (const Wanted& w : wanted) {
      const bool norm = w.shape.size() == 1;
      const std::size_t rows = norm ? 1 : w.shape[0];
      const std::size_t columns = w.shape.back();
      const Bytes& some = some_rows(w.dtype, std::min(rows, kRandomRows), columns, norm);
      Bytes& bytes = bytes_.emplace_back(static_cast<std::size_t>(stored_bytes(w.dtype, w.shape).value()));
      for (std::size_t at = 0; at < bytes.size(); at += some.size())
        std::memcpy(bytes.data() + at, some.data(), std::min(some.size(), bytes.size() - at));
      tensors_.emplace(w.name, StoredTensor{w.dtype, w.shape, bytes});
      made += bytes.size();
      if (progress) progress(made, total);
    }
  }
  [[nodiscard]] std::string place() const override { return "synthetic weights"; }

 private:
  const Bytes& some_rows(DType dtype, std::size_t rows, std::size_t columns, bool norm) {
    const auto key = std::tuple(dtype, rows, columns, norm);
    const auto found = random_.find(key);
    if (found != random_.end()) return found->second;
    return random_.emplace(key, random_rows(dtype, rows, columns, norm)).first->second;
  }

  std::map<std::tuple<DType, std::size_t, std::size_t, bool>, Bytes> random_;
  std::vector<Bytes> bytes_;
};

}  // namespace

std::vector<std::string> synthetic_shapes() {
  std::vector<std::string> names;
  for (const auto& [name, config] : configs()) names.push_back(name);
  return names;
}

Json synthetic_config(const std::string& shape, std::size_t layers, bool tiny) {
  const auto found = configs().find(shape);
  if (found == configs().end()) {
    std::vector<std::string_view> names;
    for (const auto& [name, config] : configs()) names.emplace_back(name);
    throw InputError("no shape named " + in_quotes(shape) + "; the nearest one is " +
                     in_quotes(nearest_name(shape, names)));
  }
  Json config = parse_json(found->second, shape);
  if (layers != 0) config["num_hidden_layers"] = layers;
  if (tiny) {
    const std::map<std::string, std::size_t> most{
        {"hidden_size", 128},       {"intermediate_size", 256}, {"moe_intermediate_size", 64}, {"vocab_size", 512},
        {"num_attention_heads", 4}, {"num_key_value_heads", 4}, {"kv_lora_rank", 64},          {"head_dim", 32}};
    for (const auto& [key, value] : most)
      if (config.contains(key)) config[key] = std::min(config[key].get<std::size_t>(), value);
  }
  return config;
}

Model make_synthetic(const Json& config, DType dtype, const std::function<void(std::size_t, std::size_t)>& progress) {
  return Model::build(config, "synthetic model", std::make_unique<SyntheticWeights>(config, dtype, progress));
}

}  // namespace trine::bench
