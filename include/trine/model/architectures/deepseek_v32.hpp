// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V3.2 (arXiv:2512.02556) and GLM-5: DeepSeek-V3 whose latent attention sees only the index_topk positions
// that a small indexer selects. In GLM-5 layers may share a selection (arXiv:2603.12201), and the indexer rotates other
// pairs. References: transformers, models/deepseek_v32 and models/glm_moe_dsa; DeepSeek's own inference code.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/model/architectures/deepseek.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Which layers have an indexer, and do not share the selection of the layer before: "indexer_types", or
/// "index_topk_pattern" (a letter or name for each layer), or every index_topk_freq-th layer after the first ones.
/// Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_indexer_types(HfConfigReader& reader, std::size_t layers) {
  const std::size_t frequency = reader.integer_or("index_topk_freq", 0, config_limits::kLayers, 1);
  const std::size_t offset = reader.integer_or("index_skip_topk_offset", 0, config_limits::kLayers, 2);
  std::vector<bool> is_full(layers);
  for (std::size_t layer = 0; layer < layers; ++layer)
    is_full[layer] = (layer + 1 - std::min(layer + 1, offset)) % std::max<std::size_t>(frequency, 1) == 0;
  const bool has_pattern = reader.has("index_topk_pattern");
  const std::string_view key = reader.has("indexer_types") ? "indexer_types" : has_pattern ? "index_topk_pattern" : "";
  if (!key.empty()) {
    const Json& given = reader.at(key);
    std::vector<std::string> types;
    if (given.is_string()) {
      for (const char letter : given.get_ref<const std::string&>())
        types.push_back(letter == 'F' ? "full" : letter == 'S' ? "shared" : std::string(1, letter));
    } else if (given.is_array()) {
      for (const Json& type : given) types.push_back(type.is_string() ? type.get<std::string>() : type.dump());
    }
    if (types.size() != layers) reader.fail(key, "full or shared for each of " + std::to_string(layers), given);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      if (types[layer] != "full" && types[layer] != "shared")
        reader.fail(key, "full or shared", types[layer], ErrorKind::unsupported);
      is_full[layer] = types[layer] == "full";
    }
  }
  if (!is_full.front())
    reader.fail(key.empty() ? "index_skip_topk_offset" : key,
                "expected an indexer in the first layer, found that it shares one");
  return is_full;
}

/// Both families.   pairs: that an indexer rotates   is_full: [layers] has an indexer; empty: all have. Throws
/// ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_sparse_latent(const BuildContext& context, HfConfigReader& reader,
                                                    const WeightScope& weights, RotaryPairs pairs,
                                                    const std::vector<bool>& is_full) {
  const HfConfig config = reader.common();
  const std::size_t layers = config.num_hidden_layers;
  DeepseekConfig latent = parse_deepseek(reader, config, context, RotaryPairs::interleaved);
  MlaOptions& attention = latent.attention;
  if (!attention.q_lora_rank) reader.fail("q_lora_rank", "an integer", reader.at("q_lora_rank"));
  const MoeConfig moe = read_v3_moe(reader, read_mlp_layer_types(reader, read_first_dense(reader, layers)));
  reader.require_true("rope_interleave");
  static_cast<void>(reader.boolean("mlp_bias"));  // no MLP of transformers reads it
  if (reader.has("layer_types"))
    for (const Json& type : reader.at("layer_types"))
      if (type != "indexed_attention")
        reader.fail("layer_types", "indexed_attention in every layer", type, ErrorKind::unsupported);
  attention.index_topk = reader.integer("index_topk", 1, config_limits::kPositions);
  const IndexerOptions indexer{
      .hidden_size = config.hidden_size,
      .q_lora_rank = *attention.q_lora_rank,
      .index_n_heads = reader.integer("index_n_heads", 1, config_limits::kHeads),
      .index_head_dim = reader.integer("index_head_dim", attention.qk_rope_head_dim, config_limits::kHeadDim),
      .index_topk = attention.index_topk};
  const auto rotary = std::make_shared<const Rotary>(latent.rotary->with_pairs(pairs));
  const std::size_t drafts = read_draft_layers(reader);
  reader.reject_unknown_keys();
  ignore_draft_layers(weights / "model", layers, drafts);
  return build_deepseek(context, config, latent, moe, weights, {},
                        [&](const WeightScope& scope, std::size_t layer) -> std::optional<LightningIndexer> {
                          if (is_full.empty() || is_full[layer])
                            return LightningIndexer(scope / "indexer", indexer, rotary);
                          scope.ignore("indexer", "the layer shares the selection of an earlier one");
                          return std::nullopt;
                        });
}

}  // namespace hf

/// Defaults of absent keys: DeepseekV32Config of transformers.
inline constexpr std::string_view kDeepseekV32Defaults = R"({
    "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "num_hidden_layers": 61, "num_attention_heads": 128, "hidden_act": "silu", "max_position_embeddings": 163840,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "mlp_layer_types": null, "layer_types": null, "first_k_dense_replace": 3, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "mlp_bias": false, "index_topk": 2048, "index_n_heads": 64, "index_head_dim": 128})";

/// Builder of "model_type": "deepseek_v32". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_deepseek_v32(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kDeepseekV32Defaults);
  reader.ignore({"indexer_types", "index_topk_freq", "index_skip_topk_offset", "index_topk_pattern"});
  return hf::build_sparse_latent(context, reader, weights, RotaryPairs::half_split, {});
}

/// Defaults of absent keys: GlmMoeDsaConfig of transformers.
inline constexpr std::string_view kGlmMoeDsaDefaults = R"({
    "vocab_size": 154880, "hidden_size": 6144, "intermediate_size": 12288, "moe_intermediate_size": 2048,
    "num_hidden_layers": 78, "num_attention_heads": 64, "hidden_act": "silu", "max_position_embeddings": 202752,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false,
    "q_lora_rank": 2048, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256,
    "mlp_layer_types": null, "layer_types": null, "first_k_dense_replace": 3, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "mlp_bias": false, "index_topk": 2048, "index_n_heads": 32, "index_head_dim": 128})";

/// Builder of "model_type": "glm_moe_dsa". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_glm_moe_dsa(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kGlmMoeDsaDefaults);
  reader.require_true("indexer_rope_interleave");
  reader.ignore({"index_share_for_mtp_iteration"});  // of layers for multi-token prediction
  const std::size_t layers = reader.integer("num_hidden_layers", 1, config_limits::kLayers);
  return hf::build_sparse_latent(context, reader, weights, RotaryPairs::interleaved,
                                 hf::read_indexer_types(reader, layers));
}

}  // namespace trine::inline TRINE_ABI
