// SPDX-License-Identifier: Apache-2.0
// Mistral Small 4: latent attention whose scores grow with the position, experts chosen by a softmax, perhaps among
// groups. Reference: transformers, models/mistral4. Multimodal checkpoints with a Mistral as text part:
// models/mistral3.
#pragma once

#include <cstddef>
#include <string_view>

#include <trine/model/architectures/deepseek.hpp>
#include <trine/model/architectures/hf_text_part.hpp>
#include <trine/model/architectures/llama.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: Mistral4Config of transformers.
inline constexpr std::string_view kMistral4Defaults = R"({
    "vocab_size": 131072, "hidden_size": 4096, "intermediate_size": 12288, "moe_intermediate_size": 2048,
    "num_hidden_layers": 36, "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 1048576,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "rope_interleave": true,
    "attention_bias": false, "q_lora_rank": 1024, "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "first_k_dense_replace": 0, "n_routed_experts": 128, "n_shared_experts": 1,
    "num_experts_per_tok": 4, "n_group": 1, "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 1.0,
    "rope_parameters": {"type": "yarn", "rope_type": "yarn", "factor": 128.0, "original_max_position_embeddings": 8192,
                        "max_position_embeddings": 1048576, "beta_fast": 32.0, "beta_slow": 1.0, "mscale_all_dim": 1.0,
                        "mscale": 1.0, "llama_4_scaling_beta": 0.1}})";

/// Builder of "model_type": "mistral4". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_mistral4(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kMistral4Defaults);
  const HfConfig config = reader.common();
  const RotaryPairs pairs = reader.boolean("rope_interleave") ? RotaryPairs::interleaved : RotaryPairs::half_split;
  const hf::DeepseekConfig attention = hf::parse_deepseek(reader, config, context, pairs, "qk_rope_head_dim", true);
  hf::MoeConfig moe = hf::read_moe(reader, hf::read_first_dense(reader, config.num_hidden_layers));
  moe.score = RouterScore::softmax;
  moe.groups = hf::read_groups(reader, moe, 2);
  moe.combine.normalize = reader.boolean("norm_topk_prob");
  static_cast<void>(hf::without_windows(reader, config.num_hidden_layers));
  reader.reject_unknown_keys();
  return hf::build_deepseek(context, config, attention, moe, weights, {.balance_bias = ""});
}

/// Builder of "model_type": "mistral3", whose text part is a "mistral" or a "mistral4". The head is the embedding where
/// there is no other, unless tie_word_embeddings says false. Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_mistral3(const BuildContext& context, const WeightScope& weights) {
  constexpr std::string_view kTied = "tie_word_embeddings";
  const auto outer = context.config.find(kTied);  // transformers reads that of the whole model
  const bool may_be_tied = outer == context.config.end() || *outer != false;
  return hf::build_text_part(context, weights, [&](const BuildContext& text, const WeightScope& scope) {
    Json config = text.config;
    config[kTied] = may_be_tied && !hf::text_part(weights).lm_head.contains("weight");
    const BuildContext inner{config,        text.source_name, text.routers,    text.router_decorator,
                             text.chunking, text.notes,       text.config_path};
    const bool is_4 = ObjectReader(config, text.source_name, text.config_path)
                          .choice<bool>("model_type", {{"mistral", false}, {"mistral4", true}});
    return is_4 ? build_mistral4(inner, scope) : build_mistral(inner, scope);
  });
}

}  // namespace trine::inline TRINE_ABI
