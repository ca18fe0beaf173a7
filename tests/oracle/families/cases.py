# SPDX-License-Identifier: Apache-2.0
"""Every case: its config.json, how its weights are stored, its prompt length, and what must matter."""
from dataclasses import dataclass, field

import torch

from .checks import (BF16_BIAS, NO_BIAS, NO_GROUPS, OTHER_GROUP_SCORE, ZERO_MASK, config, hunyuan_norms_first, identity, module,
                     no_rope_scaling,
                     no_sinks, ones, other_index_pairs, rope, rope_of, set_attributes, set_eps, shared_selection,
                     symmetric_clamp, tensors, zero)
from .configs import (absent, afmoe, cohere2_moe, deepseek_v2, deepseek_v3, deepseek_v32, dots1, ernie4_5_moe, exaone_moe, flex_olmo, gemma4,
                      gemma4_text, glm4_moe, glm4_moe_lite, glm_moe_dsa, gpt_oss, granitemoe, hunyuan_v1_moe, hy_v3, laguna, lfm2_moe, llama, llama4_text, mellum,
                      mimo_v2_flash, minimax_m2, mistral, mistral4, mixtral, olmoe, qwen2, qwen2_moe, qwen3, qwen3_5_moe,
                      qwen3_5_moe_text, qwen3_moe, qwen3_next, sarvam_moe, solar_open)


@dataclass
class Case:
    config: dict                        # config.json as a hub repository has it
    reaches: str                        # for the README
    matters: dict = field(default_factory=dict)      # {what is switched off: check}
    scheme: str = "f32"                 # storage.SCHEMES
    tokens: int = 24
    shards: int = 1
    fused: bool = False                 # expert tensors as transformers v5 keeps them in memory
    v5: bool = False                    # config.json as save_pretrained of transformers v5 writes it
    bias: tuple | None = None           # mean and deviation of e_score_correction_bias
    scale: dict = field(default_factory=dict)        # {pattern of tensor names: factor on the random weights}
    extra: str | None = None            # tensors to ignore: "mtp", a multi-token-prediction layer; "inv_freq"


FP8 = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}


def groups_of(weights, layout, **changes):
    """quantization_config of compressed-tensors with one group of modules."""
    static = {"dynamic": False, "num_bits": 8, "observer": "minmax", "strategy": "tensor", "symmetric": True, "type": "float"}
    scheme = {"block_structure": None, "dynamic": False, "group_size": None, "observer": "minmax", "observer_kwargs": {},
              "symmetric": True, **weights}
    return {"config_groups": {"group_0": {"input_activations": static if layout == "float-quantized" else None,
                                          "output_activations": None, "targets": ["Linear"], "weights": scheme}},
            "format": layout, "global_compression_ratio": None, "ignore": ["lm_head", "re:.*mlp.gate$"],
            "kv_cache_scheme": None, "quant_method": "compressed-tensors", "quantization_status": "compressed", **changes}


NO_MSCALE = rope(mscale=None, mscale_all_dim=None, attention_factor=1.0)
SHARED = {"shared expert": zero(r"shared_experts?\.down_proj")}
SHARED_MLP = {"shared expert": zero(r"shared_mlp\.down_proj")}
SLIDING = config(use_sliding_window=True, layer_types=["sliding_attention"] * 2)
QKV_BIAS = {f"{x} bias": zero(rf"{x}_proj\.bias") for x in "qv"} | {
    "k bias": zero(r"k_proj\.bias")}                          # without a rotation it would shift all scores of a query alike
SMALL = {r"embed_tokens": 0.002}                              # so that the eps of the first norms matters
HEAD_NORM = {"q norm gain": tensors(r"q_norm", lambda t: t * 0 + 1), "k norm gain": tensors(r"k_norm", lambda t: t * 0 + 1)}
INDEXER = {                                                   # the parts of an indexer
    "index_topk": lambda c, t: config(index_topk=c["index_topk"] + 1)(c, t), "pairs of the indexer": other_index_pairs,
    "index key bias": zero(r"indexer\.k_norm\.bias"), "signs of index weights": tensors(r"indexer\.weights_proj", torch.abs)}
HEAD_NORM_SARVAM = {f"{x} norm gain": tensors(rf"{name}_layernorm", lambda t: t * 0 + 1)
                    for x, name in (("q", "query"), ("k", "key"))}
CONV = tensors(r"conv\.conv\.weight", lambda t: t * (torch.arange(t.shape[-1]) == t.shape[-1] - 1))
DELTA = {                                                     # the parts of a layer of Gated DeltaNet
    "convolution": tensors(r"conv1d", lambda t: t * (torch.arange(t.shape[-1]) == t.shape[-1] - 1)),
    "decay": tensors(r"A_log", lambda t: t + 4), "slow decay": tensors(r"A_log", lambda t: t - 20),
    "dt_bias": zero(r"dt_bias"), "gain of the gated norm": tensors(r"linear_attn\.norm", torch.ones_like),
    "gates of the state": zero(r"in_proj_(ba|a|b)\.")}
CENTRED = {f"{norm} of weight + 1": tensors(norm, lambda t: t - 1) for norm in (
    "input_layernorm", "post_attention_layernorm", "model.norm", "q_norm", "k_norm")}
GATED = {"output gate": lambda config, stored: tensors(r"q_proj\.weight", lambda t: t * output_rows(t, config))(config, stored),
         "gate of the shared expert": zero(r"shared_expert_gate"), **SHARED}


def output_rows(weight, config):
    """[rows, 1] 1 for rows of queries, 0 for those of gates, which then are one half everywhere."""
    head_dim = config.get("text_config", config)["head_dim"]
    return (torch.arange(weight.shape[0]) // head_dim % 2 == 0)[:, None]


CASES = {
    "deepseek_v3_yarn_groups": Case(
        deepseek_v3(num_hidden_layers=3, qk_rope_head_dim=16, ep_size=1, aux_loss_alpha=0.001, seq_aux=True, pretraining_tp=1,
                    rope_theta=100, rope_scaling={
                        "beta_fast": 32, "beta_slow": 1, "factor": 4, "mscale": 1.0, "mscale_all_dim": 1.0,
                        "original_max_position_embeddings": 16, "type": "yarn"}),
        "q_lora_rank, groups, correction bias with biased scores of both signs (dropped groups at -inf, not 0), YaRN beyond the "
        "original context, dense first layer, shared expert; interleaved pairs without the key rope_interleave",
        {"YaRN": no_rope_scaling, "mscale_all_dim": NO_MSCALE,
         "half-split pairs": config(rope_interleave=False), "correction bias": NO_BIAS,
         "correction bias in f32": BF16_BIAS, "groups": NO_GROUPS,
         "-inf in dropped groups": ZERO_MASK, "best two of a group": OTHER_GROUP_SCORE,
         "renormalisation": config(norm_topk_prob=False), "routed_scaling_factor": config(routed_scaling_factor=1.0),
         **SHARED}, scheme="bf16", tokens=32, bias=(-0.55, 0.35)),
    "deepseek_v3_plain": Case(
        deepseek_v3(q_lora_rank=None, n_group=1, topk_group=1, rope_scaling=None, n_shared_experts=None, norm_topk_prob=False,
                    first_k_dense_replace=0, routed_scaling_factor=1.5),
        "q_lora_rank null, one group, no rope scaling, n_shared_experts null, norm_topk_prob false, no dense layer",
        {"correction bias": NO_BIAS, "no renormalisation": config(norm_topk_prob=True),
         "routed_scaling_factor": config(routed_scaling_factor=1.0)}, scheme="bf16", tokens=32, bias=(0.1, 0.2)),
    "deepseek_v3_bias_mtp": Case(
        deepseek_v3(attention_bias=True, rms_norm_eps=1e-5, num_nextn_predict_layers=1, n_routed_experts=4,
                    num_experts_per_tok=2, n_group=2, topk_group=1),
        "attention_bias, rms_norm_eps 1e-5 with latent norms that stay at 1e-6, one multi-token-prediction layer to skip; "
        "config.json of transformers v5",
        {"eps of q_a_layernorm": module(r"q_a_layernorm", set_eps(1e-5)),
         "eps of kv_a_layernorm": module(r"kv_a_layernorm", set_eps(1e-5)),
         "eps of the other norms": config(rms_norm_eps=1e-6),
         **{f"{x} bias": zero(rf"{x}\.bias") for x in ("q_a_proj", "kv_a_proj_with_mqa", "o_proj")}, **SHARED},
        scheme="bf16", v5=True, bias=(0.0, 0.2), extra="mtp",
        scale={r"embed_tokens": 0.004, r"q_a_proj|kv_a_proj": 0.003}),
    "deepseek_v3_fp8": Case(
        deepseek_v3(hidden_size=144, n_routed_experts=4, num_experts_per_tok=2, n_group=2, topk_group=1,
                    kv_lora_rank=136, num_attention_heads=4, num_key_value_heads=4, qk_nope_head_dim=24, quantization_config=FP8),
        "FP8 with one scale for each 128 x 128 block, ragged last blocks in both directions, a head of kv_b_proj across two "
        "blocks, scales in another shard than their weights, three shards",
        {"groups": NO_GROUPS, **SHARED}, scheme="fp8", shards=3, bias=(0.0, 0.1)),
    "deepseek_v3_int4": Case(
        deepseek_v3(intermediate_size=32, moe_intermediate_size=16, q_lora_rank=32, v_head_dim=16, n_routed_experts=4,
                    num_experts_per_tok=2, n_group=1, topk_group=1, quantization_config=groups_of(
                        {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 16}, "pack-quantized")),
        "compressed-tensors: int4 in groups of 16 columns, also of kv_b_proj; two shards", {**SHARED},
        scheme="int4_group", shards=2, bias=(0.0, 0.1)),
    "deepseek_v3_gptq": Case(
        deepseek_v3(intermediate_size=32, moe_intermediate_size=16, q_lora_rank=32, v_head_dim=16, n_routed_experts=4,
                    num_experts_per_tok=2, n_group=1, topk_group=1, quantization_config={
                        "bits": 4, "checkpoint_format": "gptq_v2", "desc_act": False, "group_size": 16, "quant_method": "gptq",
                        "sym": False}),
        "GPTQ of version 2, whose matrices are stored transposed, also kv_b_proj", {**SHARED}, scheme="gptq_v2",
        bias=(0.0, 0.1)),
    "deepseek_v3_fused": Case(
        deepseek_v3(tie_word_embeddings=True, rope_scaling={
            "rope_type": "yarn", "factor": 8.0, "beta_fast": 4, "beta_slow": 0.25, "mscale": 0.707, "mscale_all_dim": 1.0,
            "original_max_position_embeddings": 16}),
        "fused expert tensors and config.json of transformers v5 (rope_parameters), tied head (no lm_head.weight), mscale other "
        "than mscale_all_dim",
        {"YaRN": no_rope_scaling, "mscale": rope(mscale=1.0), "mscale_all_dim": rope(mscale_all_dim=0.707),
         "correction bias": NO_BIAS, **SHARED}, fused=True, v5=True, bias=(-0.2, 0.2)),
    "deepseek_v3_kimi_k2": Case(
        deepseek_v3(architectures=["DeepseekV3ForCausalLM"], model_type="kimi_k2", n_group=1, topk_group=1, rope_theta=50000.0,
                    routed_scaling_factor=2.827, rms_norm_eps=1e-5, qk_rope_head_dim=16, rope_scaling={
                        "beta_fast": 1.0, "beta_slow": 1.0, "factor": 32.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                        "original_max_position_embeddings": 32, "type": "yarn"}),
        "model_type kimi_k2, BF16 weights with an F32 bias, beta_fast = beta_slow (a step instead of a ramp)",
        {"YaRN": no_rope_scaling, "beta_fast": rope(beta_fast=32.0), "correction bias": NO_BIAS, **SHARED},
        scheme="bf16", tokens=40, bias=(0.2, 0.2)),
    "deepseek_v3_defaults": Case(
        deepseek_v3(num_hidden_layers=4, n_routed_experts=24, **absent(
            "routed_scaling_factor", "n_group", "topk_group", "num_experts_per_tok", "n_shared_experts", "norm_topk_prob",
            "first_k_dense_replace", "rms_norm_eps", "rope_theta", "max_position_embeddings", "attention_bias",
            "tie_word_embeddings", "hidden_act", "topk_method", "scoring_func", "moe_layer_freq")),
        "every key absent that has a default of a small size: 8 groups of which 4 stay, 8 experts of a token, 3 dense layers, "
        "scale 2.5; a multi-token-prediction layer without its key",
        {"groups": NO_GROUPS, "routed_scaling_factor": config(routed_scaling_factor=1.0), "k": config(num_experts_per_tok=7),
         "renormalisation": config(norm_topk_prob=False), "rope_theta": config(rope_theta=100.0), "eps": config(rms_norm_eps=1e-5),
         **SHARED}, scheme="bf16", bias=(0.0, 0.2), extra="mtp", scale=SMALL),
    "deepseek_v3_half_split": Case(
        deepseek_v3(rope_interleave=False, n_group=2, topk_group=1),
        "rope_interleave false: half-split pairs on the vectors as they are",
        {"rope_interleave": config(rope_interleave=True), "groups": NO_GROUPS}, scheme="f16", bias=(0.0, 0.2)),

    "deepseek_v2_lite": Case(
        deepseek_v2(rope_scaling={"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
                                  "original_max_position_embeddings": 16, "type": "yarn"}, rope_theta=100),
        "as V2-Lite: q_lora_rank null, greedy, two shared experts, YaRN with mscale 0.707 beyond the original context",
        {"YaRN": no_rope_scaling, "mscale_all_dim": NO_MSCALE, **SHARED}, scheme="bf16", tokens=28),
    "deepseek_v2_group_limited": Case(
        deepseek_v2(q_lora_rank=24, topk_method="group_limited_greedy", n_group=4, topk_group=2, routed_scaling_factor=4.0,
                    rope_scaling={"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
                                  "original_max_position_embeddings": 16, "type": "yarn"}, rope_theta=100),
        "as V2: q_lora_rank, group_limited_greedy (groups ranked by their best), routed_scaling_factor, YaRN",
        {"groups": NO_GROUPS, "best of a group": OTHER_GROUP_SCORE, "routed_scaling_factor": config(routed_scaling_factor=1.0),
         "mscale_all_dim": NO_MSCALE, **SHARED}, scheme="bf16"),
    "deepseek_v2_fused": Case(
        deepseek_v2(routed_scaling_factor=2.0, attention_bias=True, q_lora_rank=24, first_k_dense_replace=0, n_group=None,
                    topk_group=None),
        "fused expert tensors and config.json of transformers v5, n_group null, attention_bias, no rope scaling, no dense layer",
        {"routed_scaling_factor": config(routed_scaling_factor=1.0), "o_proj bias": zero(r"o_proj\.bias"),
         "kv_a_proj bias": zero(r"kv_a_proj_with_mqa\.bias"), **SHARED}, scheme="bf16", fused=True, v5=True),

    "deepseek_v2_defaults": Case(
        deepseek_v2(q_lora_rank=24, **absent(
            "routed_scaling_factor", "n_group", "topk_group", "topk_method", "n_shared_experts", "norm_topk_prob",
            "first_k_dense_replace", "rms_norm_eps", "rope_theta", "max_position_embeddings", "attention_bias",
            "tie_word_embeddings", "hidden_act", "scoring_func", "moe_layer_freq", "num_key_value_heads")),
        "every key absent that has a default of a small size: two shared experts, no dense layer, greedy, scale 1",
        {"rope_theta": config(rope_theta=100.0), "eps": config(rms_norm_eps=1e-5),
         "routed_scaling_factor": config(routed_scaling_factor=2.5), **SHARED}, scheme="bf16", scale=SMALL),

    "glm4_moe": Case(
        glm4_moe(n_group=4, topk_group=2),
        "as GLM-4.5-Air: half of each head rotates, biases of q, k and v but not of o, no q/k norm, dense first layer, shared "
        "expert; groups; one multi-token-prediction layer to skip",
        {"half of a head": config(partial_rotary_factor=1.0), "correction bias": NO_BIAS, "groups": NO_GROUPS,
         "best two of a group": OTHER_GROUP_SCORE, "renormalisation": config(norm_topk_prob=False),
         "routed_scaling_factor": config(routed_scaling_factor=1.0), **QKV_BIAS, **SHARED}, scheme="bf16", bias=(-0.55, 0.35),
        extra="mtp"),
    "glm4_moe_qk_norm": Case(
        glm4_moe(num_hidden_layers=3, first_k_dense_replace=2, use_qk_norm=True, attention_bias=False, rope_theta=100,
                 tie_word_embeddings=True, num_nextn_predict_layers=0, partial_rotary_factor=0.7, rope_scaling={
                     "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}),
        "as GLM-4.6: norm of each head; a rotated part of 8 of 12 that is rounded down, YaRN of it beyond the original context, tied "
        "head; fused expert tensors and config.json of transformers v5",
        {"YaRN": no_rope_scaling, "part of a head": rope(partial_rotary_factor=0.5), "correction bias": NO_BIAS, **HEAD_NORM,
         **SHARED}, fused=True, v5=True, tokens=28, bias=(0.0, 0.2)),
    "glm4_moe_defaults": Case(
        glm4_moe(hidden_size=32, n_routed_experts=12, **absent(
            "rms_norm_eps", "rope_theta", "head_dim", "num_experts_per_tok", "n_shared_experts",
            "routed_scaling_factor", "n_group", "topk_group", "norm_topk_prob", "first_k_dense_replace", "use_qk_norm",
            "partial_rotary_factor", "attention_bias", "max_position_embeddings", "tie_word_embeddings", "hidden_act",
            "num_nextn_predict_layers")),
        "every key absent that has a default of a small size: heads of hidden_size / heads, half of which rotates, eps 1e-5, "
        "8 experts of a token, scale 1",
        {"eps": config(rms_norm_eps=1e-6), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=7),
         "half of a head": config(partial_rotary_factor=1.0), "routed_scaling_factor": config(routed_scaling_factor=2.5),
         "renormalisation": config(norm_topk_prob=False), **SHARED}, scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "glm4_moe_lite": Case(
        glm4_moe_lite(),
        "as GLM-4.7-Flash: latent attention with values wider than keys, dense first layer, one multi-token-prediction layer to "
        "skip",
        {"half-split pairs": config(rope_interleave=False), "correction bias": NO_BIAS,
         "renormalisation": config(norm_topk_prob=False), "routed_scaling_factor": config(routed_scaling_factor=1.0), **SHARED},
        scheme="bf16", bias=(0.1, 0.3), extra="mtp"),
    "glm4_moe_lite_layers": Case(
        glm4_moe_lite(num_hidden_layers=3, mlp_layer_types=["sparse", "dense", "sparse"], q_lora_rank=None, n_group=2, topk_group=1,
                      attention_bias=True, norm_topk_prob=False, first_k_dense_replace="absent"),
        "mlp_layer_types, q_lora_rank null, groups, attention_bias, no renormalisation; config.json of transformers v5",
        {"groups": NO_GROUPS, "no renormalisation": config(norm_topk_prob=True),
         **{f"{x} bias": zero(rf"{x}\.bias") for x in ("kv_a_proj_with_mqa", "o_proj")}, **SHARED},
        scheme="bf16", v5=True, bias=(0.0, 0.2)),
    "glm4_moe_lite_defaults": Case(
        glm4_moe_lite(n_routed_experts=12, **absent(
            "routed_scaling_factor", "n_group", "topk_group", "num_experts_per_tok", "n_shared_experts", "norm_topk_prob",
            "first_k_dense_replace", "rms_norm_eps", "rope_theta", "max_position_embeddings", "attention_bias",
            "tie_word_embeddings", "hidden_act", "topk_method", "partial_rotary_factor", "num_nextn_predict_layers")),
        "every key absent that has a default of a small size: dense first layer, 4 experts of a token, scale 1.8, eps 1e-5",
        {"routed_scaling_factor": config(routed_scaling_factor=1.0), "k": config(num_experts_per_tok=3),
         "renormalisation": config(norm_topk_prob=False), "rope_theta": config(rope_theta=100.0), "eps": config(rms_norm_eps=1e-6),
         **SHARED}, scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "deepseek_v32": Case(
        deepseek_v32(rope_theta=100, rope_scaling={
            "beta_fast": 32, "beta_slow": 1, "factor": 4, "mscale": 1.0, "mscale_all_dim": 1.0,
            "original_max_position_embeddings": 16, "type": "yarn"}),
        "as DeepSeek-V3.2: an indexer that selects 6 of 32 positions, groups, YaRN; one multi-token-prediction layer to skip",
        {**INDEXER, "YaRN": no_rope_scaling, "mscale_all_dim": NO_MSCALE, "correction bias": NO_BIAS, "groups": NO_GROUPS,
         "renormalisation": config(norm_topk_prob=False), "routed_scaling_factor": config(routed_scaling_factor=1.0), **SHARED},
        scheme="bf16", tokens=32, bias=(-0.55, 0.35), extra="mtp"),
    "deepseek_v32_layers": Case(
        deepseek_v32(num_hidden_layers=3, mlp_layer_types=["sparse", "dense", "sparse"], attention_bias=True, index_topk=3,
                     index_n_heads=5, index_head_dim=8, norm_topk_prob=False, num_nextn_predict_layers=0),
        "indexer heads that rotate as a whole, mlp_layer_types, attention_bias, no renormalisation; config.json of "
        "transformers v5",
        {**INDEXER, "no renormalisation": config(norm_topk_prob=True), **{f"{x} bias": zero(rf"{x}\.bias") for x in (
            "q_a_proj", "kv_a_proj_with_mqa", "o_proj")}, **SHARED}, scheme="bf16", v5=True, bias=(0.0, 0.2)),
    "deepseek_v32_pages": Case(
        deepseek_v32(vocab_size=16, num_hidden_layers=1, first_k_dense_replace=1, index_topk=129, index_n_heads=16,
                     num_nextn_predict_layers=0, rope_scaling={
                         "beta_fast": 32, "beta_slow": 1, "factor": 4, "mscale": 1.0, "mscale_all_dim": 0.5,
                         "original_max_position_embeddings": 64, "type": "yarn"}),
        "two pages of the cache, of which 129 positions are selected; YaRN with an amplitude other than 1",
        {"index_topk": config(index_topk=200), "pairs of the indexer": other_index_pairs, "YaRN": no_rope_scaling},
        tokens=160),
    "deepseek_v32_defaults": Case(
        deepseek_v32(num_hidden_layers=4, n_routed_experts=24, **absent(
            "routed_scaling_factor", "n_group", "topk_group", "num_experts_per_tok", "n_shared_experts", "norm_topk_prob",
            "first_k_dense_replace", "rms_norm_eps", "rope_theta", "max_position_embeddings", "attention_bias",
            "tie_word_embeddings", "hidden_act", "topk_method", "scoring_func", "moe_layer_freq", "index_topk",
            "num_nextn_predict_layers")),
        "every key absent that has a default of a small size: 8 groups of which 4 stay, 8 experts of a token, 3 dense layers, "
        "scale 2.5",
        {"routed_scaling_factor": config(routed_scaling_factor=1.0), "k": config(num_experts_per_tok=7),
         "rope_theta": config(rope_theta=100.0), "eps": config(rms_norm_eps=1e-5), **SHARED},
        scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "glm_moe_dsa": Case(
        glm_moe_dsa(), "as GLM-5: an indexer that selects 6 of 24 positions, values wider than keys, one multi-token-prediction "
        "layer to skip",
        {**INDEXER, "correction bias": NO_BIAS, "routed_scaling_factor": config(routed_scaling_factor=1.0), **SHARED},
        scheme="bf16", bias=(0.0, 0.3), extra="mtp"),
    "glm_moe_dsa_shared_indexer": Case(
        glm_moe_dsa(num_hidden_layers=3, indexer_types=["full", "shared", "shared"], mlp_layer_types=["dense", "sparse", "dense"],
                    index_topk=4, tie_word_embeddings=True, num_nextn_predict_layers=0),
        "layers that share the selection of the first, mlp_layer_types, tied head; fused expert tensors and config.json of "
        "transformers v5",
        {**INDEXER, "correction bias": NO_BIAS, **SHARED}, fused=True, v5=True, bias=(0.0, 0.3)),
    "glm_moe_dsa_frequency": Case(
        glm_moe_dsa(hidden_size=16, intermediate_size=8, q_lora_rank=8, num_hidden_layers=7, first_k_dense_replace=7,
                    index_topk_freq=2, index_skip_topk_offset=3, index_topk=8, num_nextn_predict_layers=0,
                    index_share_for_mtp_iteration=True),
        "as GLM-5.2: after the first three, every second layer has an indexer; the others share the selection of the one before",
        {**INDEXER, "third indexer": shared_selection(2), "fifth indexer": shared_selection(4)}, scheme="bf16"),
    "glm_moe_dsa_defaults": Case(
        glm_moe_dsa(num_hidden_layers=4, n_routed_experts=12, **absent(
            "routed_scaling_factor", "n_group", "topk_group", "num_experts_per_tok", "n_shared_experts", "norm_topk_prob",
            "first_k_dense_replace", "rms_norm_eps", "rope_theta", "max_position_embeddings", "attention_bias",
            "tie_word_embeddings", "hidden_act", "topk_method", "scoring_func", "moe_layer_freq", "index_topk",
            "num_nextn_predict_layers")),
        "every key absent that has a default of a small size: one group, 8 experts of a token, 3 dense layers, scale 2.5, eps 1e-5",
        {"routed_scaling_factor": config(routed_scaling_factor=1.0), "k": config(num_experts_per_tok=7),
         "rope_theta": config(rope_theta=100.0), "eps": config(rms_norm_eps=1e-6), **SHARED},
        scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "solar_open": Case(
        solar_open(n_group=2, topk_group=1), "whole heads rotate, no dense layer, shared expert, groups",
        {"correction bias": NO_BIAS, "groups": NO_GROUPS, "renormalisation": config(norm_topk_prob=False), **SHARED},
        scheme="bf16", bias=(-0.3, 0.3)),
    "solar_open_biases": Case(
        solar_open(attention_bias=True, routed_scaling_factor=2.5, norm_topk_prob=False, tie_word_embeddings=True, rope_theta=100,
                   rope_scaling={"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16}),
        "biases of q, k and v, no renormalisation, scale, YaRN beyond the original context, tied head; fused expert tensors and "
        "config.json of transformers v5",
        {"YaRN": no_rope_scaling, "no renormalisation": config(norm_topk_prob=True),
         "routed_scaling_factor": config(routed_scaling_factor=1.0), **QKV_BIAS, **SHARED}, fused=True, v5=True, bias=(0.0, 0.2)),
    "solar_open_defaults": Case(
        solar_open(num_attention_heads=8, head_dim=4, n_routed_experts=12, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts_per_tok", "n_shared_experts",
            "routed_scaling_factor", "n_group", "topk_group", "norm_topk_prob", "first_k_dense_replace", "use_qk_norm",
            "partial_rotary_factor", "attention_bias", "max_position_embeddings", "tie_word_embeddings", "hidden_act",
            "intermediate_size")),
        "every key absent that has a default of a small size: eps 1e-5, theta 1e6, 8 key heads, 8 experts of a token, scale 1",
        {"eps": config(rms_norm_eps=1e-6), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=7),
         "routed_scaling_factor": config(routed_scaling_factor=2.5), **SHARED}, scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "sarvam_moe": Case(
        sarvam_moe(), "queries, keys and values in one tensor, and other names of the published files; norm of each head, dense "
        "first layer, shared expert", {"correction bias": NO_BIAS, "renormalisation": config(norm_topk_prob=False),
                                       "routed_scaling_factor": config(routed_scaling_factor=1.0), **HEAD_NORM_SARVAM, **SHARED},
        scheme="bf16", bias=(0.0, 0.3)),
    "sarvam_moe_biases": Case(
        sarvam_moe(use_qk_norm=False, use_qkv_bias=True, num_key_value_heads=1, n_group=4, topk_group=2, rope_theta=100,
                   rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}),
        "biases of queries, keys and values in one tensor, no norm of heads, one key head, groups, YaRN beyond the original context",
        {"YaRN": no_rope_scaling, "correction bias": NO_BIAS, "groups": NO_GROUPS,
         "fused bias": zero(r"query_key_value\.bias"), **SHARED}, tokens=28, bias=(-0.55, 0.35)),
    "sarvam_moe_defaults": Case(
        sarvam_moe(num_experts=12, num_attention_heads=8, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts_per_tok", "num_shared_experts",
            "routed_scaling_factor", "n_group", "topk_group", "norm_topk_prob", "first_k_dense_replace", "use_qk_norm",
            "use_qkv_bias", "use_bias", "score_function", "moe_router_enable_expert_bias", "max_position_embeddings",
            "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: eps 1e-6, theta 8e6, 4 key heads, norm of each head, 6 experts of a "
        "token, scale 2.5; names and config.json of transformers v5",
        {"rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=5),
         "routed_scaling_factor": config(routed_scaling_factor=1.0), **HEAD_NORM, **SHARED},
        fused=True, scheme="bf16", bias=(0.0, 0.2)),

    "exaone_moe": Case(
        exaone_moe(), "as K-EXAONE: windows that rotate and a full layer that does not, norm of each head, dense first layer, shared "
        "expert", {"window": config(sliding_window=999), "exact window": config(sliding_window=7),
                   "full layer": config(layer_types=["sliding_attention"] * 4), "correction bias": NO_BIAS,
                   "renormalisation": config(norm_topk_prob=False),
                   "routed_scaling_factor": config(routed_scaling_factor=1.0), **HEAD_NORM, **SHARED},
        scheme="bf16", bias=(0.0, 0.3)),
    "exaone_moe_layers": Case(
        exaone_moe(num_hidden_layers=3, first_k_dense_replace=0, mlp_layer_types=["sparse", "dense", "sparse"],
                   num_shared_experts=2, n_group=4, topk_group=2, tie_word_embeddings=True, rope_theta=100,
                   rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
                   sliding_window=20, sliding_window_pattern=2, **absent("layer_types", "is_moe_layer")),
        "sliding_window_pattern 2, mlp_layer_types, two shared experts, groups, YaRN, tied head; fused expert tensors and "
        "config.json of transformers v5",
        {"window": config(sliding_window=999), "YaRN": no_rope_scaling, "correction bias": NO_BIAS, "groups": NO_GROUPS,
         **SHARED}, fused=True, v5=True, scheme="bf16", tokens=28, bias=(-0.55, 0.35)),
    "exaone_moe_defaults": Case(
        exaone_moe(hidden_size=8, num_experts=12, num_attention_heads=32, head_dim=4, intermediate_size=8, moe_intermediate_size=4,
                   **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts_per_tok", "num_shared_experts", "layer_types",
            "routed_scaling_factor", "n_group", "topk_group", "norm_topk_prob", "first_k_dense_replace", "sliding_window",
            "sliding_window_pattern", "is_moe_layer", "scoring_func", "topk_method", "num_nextn_predict_layers",
            "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: eps 1e-5, 32 key heads, every fourth layer full, dense first layer, "
        "8 experts of a token, scale 2.5",
        {"rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=7), "eps": config(rms_norm_eps=1e-6),
         "full layer": config(sliding_window_pattern=5),
         "routed_scaling_factor": config(routed_scaling_factor=1.0), **SHARED}, scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "cohere2_moe": Case(
        cohere2_moe(), "attention and experts beside each other below one LayerNorm, windows that rotate, a full layer that does not, a "
        "dense first layer that rotates, sigmoid of the chosen, average with the shared expert, logit scale, interleaved pairs, tied head",
        {"window": config(sliding_window=999), "full layer": config(sliding_window_pattern=99),
         "dense layer rotates": config(prefix_dense_sliding_window_pattern=99),
         "average": config(shared_expert_combination_strategy="sum"), "renormalisation": config(norm_topk_prob=False),
         "sigmoid": config(expert_selection_fn="softmax"), "logit scale": config(logit_scale=1.0),
         "LayerNorm": config(rms_norm_eps=1e-5), **SHARED}, scheme="bf16"),
    "cohere2_moe_layers": Case(
        cohere2_moe(num_hidden_layers=3, rms_norm_eps=1e-6, expert_selection_fn="softmax", num_shared_experts=2,
                    shared_expert_combination_strategy="sum", attention_bias=True, tie_word_embeddings=False, rope_theta=100,
                    prefix_dense_sliding_window_pattern=2,
                    layer_types=["full_attention", "sliding_attention", "full_attention"],
                    mlp_layer_types=["sparse", "dense", "sparse"], **absent("first_k_dense_replace")),
        "RMSNorm, softmax of the chosen, two shared experts in sum, layer_types, mlp_layer_types, attention_bias, separate head; "
        "fused expert tensors and config.json of transformers v5",
        {"RMSNorm": config(rms_norm_eps=None), "softmax": config(expert_selection_fn="sigmoid"),
         "sum": config(shared_expert_combination_strategy="average"), "rope_theta": config(rope_theta=10000, rope_parameters=None),
         "o bias": zero(r"o_proj\.bias"), "q bias": zero(r"q_proj\.bias"), "v bias": zero(r"v_proj\.bias"), **SHARED},
        scheme="bf16", fused=True, v5=True),
    "cohere2_moe_defaults": Case(
        cohere2_moe(hidden_size=16, num_attention_heads=2, **absent(
            "layer_norm_eps", "rope_theta", "num_key_value_heads", "num_experts", "num_experts_per_tok", "num_shared_experts",
            "shared_expert_combination_strategy", "expert_selection_fn", "norm_topk_prob", "first_k_dense_replace",
            "prefix_dense_intermediate_size", "prefix_dense_sliding_window_pattern", "sliding_window_pattern", "sliding_window",
            "logit_scale", "attention_bias", "max_position_embeddings", "tie_word_embeddings", "hidden_act",
            "use_parallel_block")),
        "every key absent that has a default of a small size: eps 1e-5, every fourth layer full, 2 of 8 experts by softmax, no "
        "shared expert, logit scale 1/16, tied head",
        {"eps": config(layer_norm_eps=0.1), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=3),
         "full layer": config(sliding_window_pattern=5), "logit scale": config(logit_scale=1.0)},
        scheme="bf16"),

    "hunyuan_v1_moe": Case(
        hunyuan_v1_moe(), "as Hunyuan-A13B: norm of each head after the rotation, theta stretched by alpha, softmax with "
        "renormalisation, shared MLP, tied head", {"alpha": no_rope_scaling, **SHARED_MLP, **HEAD_NORM_SARVAM,
                                                   "norms before rotation": hunyuan_norms_first}, scheme="bf16"),
    "hunyuan_v1_moe_layers": Case(
        hunyuan_v1_moe(num_hidden_layers=3, moe_topk=[1, 4, 2], num_key_value_heads=1, attention_bias=True, rope_theta=100,
                       tie_word_embeddings=False, rope_scaling={"type": "linear", "factor": 4.0}, **absent(
                           "moe_intermediate_size", "num_shared_expert")),
        "other numbers of experts in each layer, attention_bias, linear scaling, separate head; fused expert tensors and config.json "
        "of transformers v5",
        {"linear": no_rope_scaling, "o bias": zero(r"o_proj\.bias"), **QKV_BIAS, **SHARED_MLP}, scheme="bf16", fused=True, v5=True),
    "hunyuan_v1_moe_defaults": Case(
        hunyuan_v1_moe(num_experts=4, hidden_size=32, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "attention_head_dim", "moe_topk", "rope_scaling",
            "attention_bias", "max_position_embeddings", "tie_word_embeddings", "hidden_act", "use_qk_norm",
            "use_mixed_mlp_moe", "moe_intermediate_size", "num_shared_expert")),
        "every key absent that has a default of a small size: eps 1e-5, a key head for each query head, one expert of a token",
        {"eps": config(rms_norm_eps=1e-6), "rope_theta": config(rope_theta=100.0), "k": config(moe_topk=2), **SHARED_MLP},
        scheme="bf16", scale=SMALL),

    "mistral4": Case(
        mistral4(), "as Mistral Small 4: latent attention whose scores grow with the position, softmax over all experts, YaRN, "
        "shared expert", {"YaRN": rope(factor=2.0), "temperature": rope(llama_4_scaling_beta=0.0),
                          "mscale_all_dim": rope(mscale_all_dim=0.5), "renormalisation": config(norm_topk_prob=False), **SHARED},
        scheme="bf16", tokens=40),
    "mistral4_groups": Case(
        mistral4(num_hidden_layers=3, first_k_dense_replace=1, n_group=4, topk_group=2, routed_scaling_factor=2.5,
                 norm_topk_prob=False, q_lora_rank=None, attention_bias=True, rope_interleave=False, tie_word_embeddings=True),
        "groups ranked by their best two, no renormalisation, scale, dense first layer, q_lora_rank null, attention_bias, half-split "
        "pairs, tied head; fused expert tensors and config.json of transformers v5",
        {"groups": NO_GROUPS, "best two of a group": OTHER_GROUP_SCORE, "no renormalisation": config(norm_topk_prob=True),
         "routed_scaling_factor": config(routed_scaling_factor=1.0), "pairs": config(rope_interleave=True),
         "o_proj bias": zero(r"o_proj\.bias"), **SHARED}, scheme="bf16", fused=True, v5=True, tokens=28),
    "mistral4_defaults": Case(
        mistral4(n_routed_experts=12, **absent(
            "rms_norm_eps", "rope_parameters", "num_experts_per_tok", "n_shared_experts", "routed_scaling_factor", "n_group",
            "topk_group", "norm_topk_prob", "first_k_dense_replace", "rope_interleave", "attention_bias",
            "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: YaRN of factor 128, interleaved pairs, one group, 4 experts of a token, "
        "no dense layer",
        {"k": config(num_experts_per_tok=3), "pairs": config(rope_interleave=False), "eps": config(rms_norm_eps=1e-5), **SHARED},
        scheme="bf16", scale=SMALL),

    "minimax_m2": Case(
        minimax_m2(), "as MiniMax-M2: norm over the whole query and key vectors, rotary_dim of 6 of 12, correction bias beside the "
        "gate, block_sparse_moe names",
        {"part of a head": config(rotary_dim=12), "correction bias": NO_BIAS, **HEAD_NORM}, scheme="bf16", bias=(-0.3, 0.3)),
    "minimax_m2_fused": Case(
        minimax_m2(num_experts_per_tok=1, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True, rotary_dim=8,
                   rope_theta=100, rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}),
        "one expert of a token, YaRN of the rotated part beyond the original context, tied head; fused expert tensors and "
        "config.json of transformers v5",
        {"YaRN": no_rope_scaling, "part of a head": rope(partial_rotary_factor=1.0), "correction bias": NO_BIAS, **HEAD_NORM},
        fused=True, v5=True, tokens=28, bias=(0.0, 0.3)),
    "minimax_m2_defaults": Case(
        minimax_m2(num_attention_heads=8, num_local_experts=12, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts_per_tok", "rotary_dim", "max_position_embeddings",
            "tie_word_embeddings", "hidden_act", "scoring_func", "use_routing_bias", "use_qk_norm", "qk_norm_type")),
        "every key absent that has a default of a small size: whole heads rotate, eps 1e-6, theta 5e6, 8 key heads, 8 experts of a "
        "token",
        {"eps": config(rms_norm_eps=1e-5), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=7),
         "whole heads": config(rotary_dim=6), **HEAD_NORM}, scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "ernie4_5_moe": Case(
        ernie4_5_moe(), "as ERNIE-4.5-21B-A3B: softmax with a correction bias [1, experts], two shared experts, interleaved pairs, "
        "dense first layer, tied head; tensors of multi-token prediction to skip",
        {"correction bias": NO_BIAS, **SHARED}, scheme="bf16", bias=(0.0, 0.2), tokens=32, extra="mtp"),
    "ernie4_5_moe_layers": Case(
        ernie4_5_moe(num_hidden_layers=5, moe_layer_start_index=1, moe_layer_end_index=3, moe_layer_interval=2,
                     intermediate_size=8,
                     moe_num_shared_experts=0, moe_norm_min=0.6, tie_word_embeddings=False, head_dim="absent", rope_theta=100,
                     rope_scaling={"rope_type": "linear", "factor": 2.0}),
        "dense layers by start, end and interval, no shared expert, moe_norm_min above the sum of the weights, separate head; fused "
        "expert tensors and config.json of transformers v5",
        {"moe_norm_min": config(moe_norm_min=1e-12), "linear": no_rope_scaling, "correction bias": NO_BIAS},
        fused=True, v5=True, bias=(0.0, 0.2)),
    "ernie4_5_moe_defaults": Case(
        ernie4_5_moe(num_attention_heads=4, moe_num_experts=12, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "moe_k", "moe_num_shared_experts", "moe_layer_start_index",
            "moe_layer_end_index", "moe_layer_interval", "use_bias", "max_position_embeddings", "tie_word_embeddings",
            "hidden_act")),
        "every key absent that has a default of a small size: theta 5e5, 4 key heads, 6 experts of a token, two shared experts, dense "
        "first layer, tied head",
        {"rope_theta": config(rope_theta=100.0), "k": config(moe_k=5), **SHARED}, scheme="bf16", bias=(0.0, 0.1)),

    "dots1": Case(
        dots1(n_group=4, topk_group=2),
        "norm of each head, dense first layer, two shared experts, groups, renormalisation, scale",
        {"correction bias": NO_BIAS, "groups": NO_GROUPS, "renormalisation": config(norm_topk_prob=False),
         "routed_scaling_factor": config(routed_scaling_factor=1.0), **HEAD_NORM, **SHARED}, scheme="bf16", bias=(-0.55, 0.35)),
    "dots1_sliding_window": Case(
        dots1(num_hidden_layers=3, sliding_window=6, max_window_layers=1, attention_bias=True, num_key_value_heads=2,
              first_k_dense_replace=0, num_experts_per_tok=2),
        "sliding window from layer max_window_layers on, attention_bias, no dense layer, grouped queries; config.json of "
        "transformers v5",
        {"window": config(layer_types=["full_attention"] * 3), "o bias": zero(r"o_proj\.bias"), **QKV_BIAS},
        scheme="bf16", v5=True, bias=(0.0, 0.2)),
    "dots1_defaults": Case(
        dots1(num_attention_heads=32, head_dim=2, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor",
            "first_k_dense_replace", "attention_bias", "sliding_window", "max_window_layers", "max_position_embeddings",
            "tie_word_embeddings", "hidden_act", "moe_layer_freq")),
        "every key absent that has a default of a small size: eps 1e-6, 32 key heads, no renormalisation, scale 1, no dense layer",
        {"eps": config(rms_norm_eps=1e-5), "no renormalisation": config(norm_topk_prob=True),
         "routed_scaling_factor": config(routed_scaling_factor=2.5), **HEAD_NORM, **SHARED},
        scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "hy_v3": Case(
        hy_v3(), "as Hy3-preview: norm of each head, dense first layer, shared expert, correction bias beside the gate under its own "
        "name, scale; one multi-token-prediction layer to skip",
        {"correction bias": NO_BIAS, "router_scaling_factor": config(router_scaling_factor=1.0), **HEAD_NORM, **SHARED_MLP},
        scheme="bf16", bias=(-0.3, 0.3), extra="mtp"),
    "hy_v3_biases": Case(
        hy_v3(num_hidden_layers=3, mlp_layer_types=["sparse", "dense", "sparse"], attention_bias=True, mlp_bias=True,
              num_shared_experts=2, first_k_dense_replace="absent", num_nextn_predict_layers="absent", tie_word_embeddings=True),
        "mlp_layer_types, two shared experts, attention_bias, mlp_bias of dense and shared MLPs, tied head; fused expert tensors and "
        "config.json of transformers v5",
        {"o bias": zero(r"o_proj\.bias"), "dense bias": zero(r"layers\.1\.mlp\.\w+_proj\.bias"),
         "shared bias": zero(r"shared_experts\.\w+_proj\.bias"), **QKV_BIAS, **SHARED}, fused=True, v5=True, bias=(0.0, 0.2)),
    "hy_v3_defaults": Case(
        hy_v3(num_attention_heads=8, head_dim=4, num_experts=12, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts_per_tok", "num_shared_experts",
            "router_scaling_factor", "route_norm", "moe_router_use_sigmoid", "moe_router_enable_expert_bias",
            "first_k_dense_replace", "qk_norm", "attention_bias", "mlp_bias", "enable_moe_fp32_combine", "max_position_embeddings",
            "tie_word_embeddings", "hidden_act", "expert_hidden_dim", "num_nextn_predict_layers")),
        "every key absent that has a default of a small size: eps 1e-5, 8 key heads, 8 experts of a token, one shared expert, scale "
        "2.826, dense first layer",
        {"eps": config(rms_norm_eps=1e-6), "k": config(num_experts_per_tok=7), "rope_theta": config(rope_theta=100.0),
         "router_scaling_factor": config(router_scaling_factor=1.0), **HEAD_NORM, **SHARED_MLP},
        scheme="bf16", bias=(0.0, 0.2), scale=SMALL),

    "mixtral_defaults": Case(
        mixtral(num_attention_heads=8, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_local_experts", "num_experts_per_tok", "sliding_window",
            "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: eps 1e-5, theta 1e6, 8 key heads, 2 of 8 experts",
        {"eps": config(rms_norm_eps=1e-6), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=3)},
        scheme="bf16", scale=SMALL),
    "mixtral": Case(mixtral(), "grouped queries, block_sparse_moe names, config.json of transformers v4", {
        "rope_theta": config(rope_theta=10000.0)}),
    "mixtral_sliding_window": Case(
        mixtral(sliding_window=8, head_dim=12, num_experts_per_tok=1),
        "sliding window shorter than the prompt, head_dim other than hidden_size / heads, one expert for each token, two shards; "
        "config.json of transformers v5",
        {"sliding window": config(sliding_window=None), "exact window": config(sliding_window=9)},
        scheme="bf16", v5=True, shards=2),
    "mixtral_awq": Case(
        mixtral(intermediate_size=16, num_local_experts=4, quantization_config={
            "bits": 4, "group_size": 16, "modules_to_not_convert": ["gate"], "quant_method": "awq", "version": "gemm",
            "zero_point": True}),
        "AWQ: int4 in groups of 16 inputs", scheme="awq"),
    "mixtral_fused_tied": Case(
        mixtral(tie_word_embeddings=True, num_key_value_heads=1),
        "fused expert tensors, mlp.gate, tied head, one key head, F16 weights; config.json of transformers v5", {},
        scheme="f16", fused=True, v5=True),

    "qwen2_moe": Case(
        qwen2_moe(sliding_window=8), "biases of q, k and v without the key qkv_bias, gated shared expert, no renormalisation, a "
        "sliding window that use_sliding_window turns off",
        {**QKV_BIAS, "no window": SLIDING, "gate of the shared expert": zero(r"shared_expert_gate"),
         "no renormalisation": config(norm_topk_prob=True),
         **SHARED}, scheme="bf16"),
    "qwen2_moe_defaults": Case(
        qwen2_moe(num_attention_heads=16, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts_per_tok", "norm_topk_prob", "decoder_sparse_step",
            "use_sliding_window", "sliding_window", "max_window_layers", "max_position_embeddings", "tie_word_embeddings",
            "hidden_act")),
        "every key absent that has a default of a small size: eps 1e-6, theta 1e4, 16 key heads, 4 experts of a token",
        {"eps": config(rms_norm_eps=1e-5), "k": config(num_experts_per_tok=3), **QKV_BIAS}, scheme="bf16", scale=SMALL),
    "qwen2_moe_dense_layers": Case(
        qwen2_moe(num_hidden_layers=4, mlp_only_layers=[1], decoder_sparse_step=2, norm_topk_prob=True),
        "dense layers by mlp_only_layers and by decoder_sparse_step, renormalisation",
        {"renormalisation": config(norm_topk_prob=False), **SHARED}, scheme="bf16"),
    "qwen2_moe_sliding_window": Case(
        qwen2_moe(num_hidden_layers=3, num_experts=4, num_experts_per_tok=2, use_sliding_window=True, sliding_window=6,
                  qkv_bias=False, layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
        "sliding window in the layers that layer_types names, qkv_bias false; config.json of transformers v5",
        {"window": config(sliding_window=999), "layer_types": config(
            layer_types=["sliding_attention", "full_attention", "sliding_attention"])}, scheme="bf16", v5=True),

    "qwen3_moe": Case(
        qwen3_moe(), "head_dim other than hidden_size / heads, norm of each head, renormalisation",
        {**HEAD_NORM, "renormalisation": config(norm_topk_prob=False)}, scheme="bf16"),
    "qwen3_moe_defaults": Case(
        qwen3_moe(num_experts=12, **absent(
            "rms_norm_eps", "rope_theta", "head_dim", "num_key_value_heads", "num_experts_per_tok", "norm_topk_prob",
            "decoder_sparse_step", "mlp_only_layers", "attention_bias", "use_sliding_window", "sliding_window",
            "max_window_layers", "max_position_embeddings", "tie_word_embeddings", "hidden_act"), use_qk_norm=True,
            shared_expert_intermediate_size=0),
        "every key absent that has a default of a small size: head_dim hidden_size / heads, 4 key heads, 8 experts of a token, no "
        "renormalisation; beside them use_qk_norm and shared_expert_intermediate_size as Qwen3-Coder has them",
        {"eps": config(rms_norm_eps=1e-5), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=7),
         "no renormalisation": config(norm_topk_prob=True), **HEAD_NORM}, scheme="bf16", scale=SMALL),
    "qwen3_moe_yarn": Case(
        qwen3_moe(norm_topk_prob=False, attention_bias=True, rope_theta=100.0, rope_scaling={
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}),
        "YaRN with its default amplitude beyond the original context, attention_bias, no renormalisation",
        {"YaRN": no_rope_scaling, "amplitude": rope(attention_factor=1.0), "no renormalisation": config(norm_topk_prob=True),
         "o bias": zero(r"o_proj\.bias"), **QKV_BIAS, **HEAD_NORM}, scheme="bf16", tokens=28),
    "qwen3_moe_dense_layers": Case(
        qwen3_moe(num_hidden_layers=3, num_experts=6, mlp_only_layers=[1], use_sliding_window=True, sliding_window=8),
        "a dense layer by mlp_only_layers, sliding window in all layers; config.json of transformers v5, which spells "
        "num_local_experts",
        {"window": config(use_sliding_window=False)}, scheme="bf16", v5=True),
    "qwen3_moe_fp8": Case(
        qwen3_moe(hidden_size=144, num_attention_heads=2, num_key_value_heads=1, head_dim=24, num_experts=4,
                  num_experts_per_tok=2, quantization_config={**FP8, "modules_to_not_convert": [
                      "lm_head", "model.layers.0.input_layernorm", "model.layers.0.mlp.gate", "model.layers.1.mlp.gate"]}),
        "FP8 blocks with ragged edges in one file, as the Qwen3 FP8 releases", {**HEAD_NORM}, scheme="fp8"),

    "qwen3_moe_int4": Case(
        qwen3_moe(moe_intermediate_size=16, head_dim=16, num_experts=4, num_experts_per_tok=2, quantization_config=groups_of(
            {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 16, "symmetric": False, "actorder": None},
            "pack-quantized")),
        "compressed-tensors: int4 in groups of 16 columns with zero points", {**HEAD_NORM}, scheme="int4_asymmetric"),
    "qwen3_moe_fp8_channel": Case(
        qwen3_moe(num_experts=4, num_experts_per_tok=2, quantization_config={
            "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head", "model.layers.0.mlp.gate"],
            "quant_method": "fbgemm_fp8"}),
        "fbgemm_fp8: FP8 with a scale for each row", {**HEAD_NORM}, scheme="fp8_channel_f32"),
    "qwen3_moe_nvfp4": Case(
        qwen3_moe(moe_intermediate_size=16, head_dim=16, num_experts=4, num_experts_per_tok=2, quantization_config=groups_of(
            {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}, "nvfp4-pack-quantized")),
        "compressed-tensors: NVFP4 with a scale for the tensor that divides", {**HEAD_NORM}, scheme="nvfp4"),
    "qwen3_moe_nvfp4_modelopt": Case(
        qwen3_moe(vocab_size=48, hidden_size=64, moe_intermediate_size=64, num_hidden_layers=1, head_dim=16, num_experts=3,
                  num_experts_per_tok=2, quantization_config={"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16,
                                                              "ignore": ["lm_head", "*.mlp.gate"], "producer": {"name": "modelopt"}}),
        "ModelOpt: NVFP4 with a scale for the tensor that multiplies", {**HEAD_NORM}, scheme="nvfp4_modelopt"),
    "qwen3_moe_gptq": Case(
        qwen3_moe(moe_intermediate_size=16, head_dim=16, num_experts=4, num_experts_per_tok=2, quantization_config={
            "bits": 4, "checkpoint_format": "gptq", "damp_percent": 0.1, "desc_act": True, "group_size": 16, "lm_head": False,
            "meta": {"quantizer": ["gptqmodel:2.0.0"]}, "pack_dtype": "int32", "quant_method": "gptq", "sym": False,
            "static_groups": False, "true_sequential": True}),
        "GPTQ of version 1: int4 in groups of 16 inputs in another order (desc_act)", {**HEAD_NORM}, scheme="gptq_reordered"),
    "qwen3_next": Case(
        qwen3_next(num_hidden_layers=2, full_attention_interval=2),
        "Gated DeltaNet with two value heads for each key head, over several chunks; output gate, rotation of a quarter of a "
        "head, zero-centred norms, gated shared expert",
        {**DELTA, **CENTRED, **GATED, "partial rotation": config(partial_rotary_factor=0.5),
         "renormalisation": config(norm_topk_prob=False)}, scheme="bf16", tokens=72),
    "qwen3_next_defaults": Case(
        qwen3_next(**absent(
            "full_attention_interval", "partial_rotary_factor", "linear_conv_kernel_dim", "rms_norm_eps", "rope_theta",
            "rope_scaling", "num_key_value_heads", "norm_topk_prob", "decoder_sparse_step", "mlp_only_layers", "attention_bias",
            "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: full attention in every fourth layer, a quarter of a head rotates, "
        "four taps, 2 key heads, renormalisation",
        {"eps": config(rms_norm_eps=1e-4), "rope_theta": config(rope_theta=100.0),
         "partial rotation": config(partial_rotary_factor=0.5),
         "renormalisation": config(norm_topk_prob=False)}, scheme="bf16", tokens=40, scale={r"embed_tokens": 0.01}),
    "qwen3_next_variants": Case(
        qwen3_next(num_hidden_layers=3, layer_types=["full_attention", "linear_attention", "linear_attention"],
                   linear_num_value_heads=2, linear_key_head_dim=12, linear_value_head_dim=20, linear_conv_kernel_dim=3,
                   attention_bias=True, mlp_only_layers=[1], norm_topk_prob=False, tie_word_embeddings=True, rope_theta=100,
                   partial_rotary_factor=0.5, num_key_value_heads=1,
                   rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}),
        "layer_types, one value head for each key head, values wider than keys, three taps, biases, a dense layer, tied head, "
        "YaRN of half a head, no renormalisation; fused experts and config.json of transformers v5",
        {**DELTA, **GATED, **QKV_BIAS, "o bias": zero(r"o_proj\.bias"), "YaRN": rope(rope_type="default"),
         "partial rotation": rope(partial_rotary_factor=0.25), "no renormalisation": config(norm_topk_prob=True)},
        scheme="f16", fused=True, v5=True, tokens=70),
    "qwen3_5_moe": Case(
        qwen3_5_moe(), "the text part of a multimodal checkpoint, beside tensors of pictures and of drafts; separate projections "
        "of q, k, v and of their gates", {**DELTA, **GATED}, scheme="bf16", tokens=70, extra="visual"),
    "qwen3_5_moe_text": Case(
        qwen3_5_moe_text(linear_num_value_heads=6, linear_value_head_dim=4, num_hidden_layers=3,
                         layer_types=["linear_attention", "full_attention", "linear_attention"], attention_bias=True),
        "text alone, three value heads for each key head, biases; fused experts and config.json of transformers v5",
        {**DELTA, **CENTRED, **GATED, **QKV_BIAS, "partial rotation": rope(partial_rotary_factor=0.5)},
        fused=True, v5=True, scheme="bf16", tokens=72),
    "qwen3_5_moe_defaults": Case(
        qwen3_5_moe_text(num_hidden_layers=4, num_experts=9, moe_intermediate_size=4, **absent(
            "layer_types", "full_attention_interval", "attn_output_gate", "mamba_ssm_dtype", "linear_conv_kernel_dim",
            "rms_norm_eps", "rope_parameters", "num_key_value_heads", "num_experts_per_tok", "mlp_only_layers", "attention_bias",
            "max_position_embeddings", "tie_word_embeddings", "hidden_act", "mtp_num_hidden_layers",
            "mtp_use_dedicated_embeddings")),
        "every key absent that has a default of a small size: 8 experts of a token",
        {"eps": config(rms_norm_eps=1e-4), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=7),
         "partial rotation": config(partial_rotary_factor=0.5)}, scheme="bf16", tokens=16, scale={r"embed_tokens": 0.01, r"mlp\.gate\.": 0.2}),

    "lfm2_moe": Case(
        lfm2_moe(), "gated short convolutions over several chunks, attention in one layer, a dense layer, sigmoid routing with a "
        "bias of the choice, tied head",
        {"convolution": CONV, "expert_bias": NO_BIAS, "renormalisation": config(norm_topk_prob=False),
         "q norm gain": tensors(r"q_layernorm", torch.ones_like), "k norm gain": tensors(r"k_layernorm", torch.ones_like),
         "eps": config(norm_eps=1e-2)}, scheme="bf16", tokens=70, bias=(0.0, 0.2)),
    "lfm2_moe_biases": Case(
        lfm2_moe(conv_bias=True, conv_L_cache=4, num_dense_layers=0, tie_word_embeddings=False, use_expert_bias=False,
                 norm_topk_prob=False, routed_scaling_factor=1.5, num_attention_heads=3, num_key_value_heads=1),
        "biases of the convolution and its projections, four taps, no dense layer, separate head, no bias of the choice, no "
        "renormalisation, routed_scaling_factor; fused experts and config.json of transformers v5",
        {"convolution": CONV, "conv bias": zero(r"conv\.conv\.bias"), "in_proj bias": zero(r"in_proj\.bias"),
         "out_proj bias": zero(r"conv\.out_proj\.bias"), "no renormalisation": config(norm_topk_prob=True),
         "routed_scaling_factor": config(routed_scaling_factor=1.0)}, scheme="f16", fused=True, v5=True, tokens=40),
    "lfm2_moe_defaults": Case(
        lfm2_moe(num_attention_heads=8, hidden_size=32, num_experts=8, num_hidden_layers=4, vocab_size=32,
                 layer_types=["conv", "full_attention", "conv", "conv"], **absent(
            "num_key_value_heads", "conv_L_cache", "conv_bias", "num_dense_layers", "num_experts_per_tok", "use_expert_bias",
            "norm_topk_prob", "routed_scaling_factor", "max_position_embeddings", "norm_eps", "rope_theta")),
        "every key absent that has a default of a small size: 8 key heads, three taps, two dense layers, 4 experts of a token, "
        "renormalisation, theta 1e6, tied head",
        {"rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=3), "eps": config(norm_eps=1e-2),
         "expert_bias": NO_BIAS, "renormalisation": config(norm_topk_prob=False)}, scheme="bf16", bias=(0.0, 0.2), tokens=24),

    "olmoe": Case(olmoe(), "norm over the whole query and key vectors, no renormalisation", {
        **HEAD_NORM, "no renormalisation": config(norm_topk_prob=True)}, scheme="f16"),
    "olmoe_defaults": Case(
        olmoe(num_experts=12, **absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts_per_tok", "norm_topk_prob", "clip_qkv",
            "attention_bias", "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: eps 1e-5, a key head for each query head, 8 experts of a token",
        {"eps": config(rms_norm_eps=1e-6), "rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=7),
         "no renormalisation": config(norm_topk_prob=True), **HEAD_NORM}, scheme="bf16", scale=SMALL),
    "olmoe_clip_qkv": Case(
        olmoe(clip_qkv=0.8), "clip_qkv after the norms", {"clip_qkv": config(clip_qkv=None), **HEAD_NORM}, scheme="bf16"),
    "olmoe_gqa": Case(
        olmoe(num_key_value_heads=2, norm_topk_prob=True, attention_bias=True),
        "grouped queries with norms of unlike widths, renormalisation, attention_bias; config.json of transformers v5",
        {"renormalisation": config(norm_topk_prob=False), "o bias": zero(r"o_proj\.bias"), **QKV_BIAS, **HEAD_NORM},
        scheme="bf16", v5=True),

    "flex_olmo": Case(
        flex_olmo(), "norms after attention and experts only, norm over the whole query and key vectors, 5 of 7 experts", {
            **HEAD_NORM, "k": config(num_experts_per_tok=4), "post norms": ones(r"post_(attention|feedforward)_layernorm")}, scheme="bf16"),
    "flex_olmo_biases": Case(
        flex_olmo(num_key_value_heads=2, norm_topk_prob=True, attention_bias=True, tie_word_embeddings=True, rope_theta=100,
                  rope_scaling={"rope_type": "linear", "factor": 4.0}),
        "grouped queries, attention_bias, linear scaling, tied head; fused expert tensors and config.json of "
        "transformers v5",
        {"o bias": zero(r"o_proj\.bias"), "linear": no_rope_scaling, **QKV_BIAS, **HEAD_NORM}, fused=True, v5=True),
    "flex_olmo_defaults": Case(
        flex_olmo(**absent(
            "rms_norm_eps", "rope_theta", "num_key_value_heads", "num_experts", "num_experts_per_tok", "norm_topk_prob",
            "attention_bias", "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: theta 5e5, a key head for each query head, 5 of 7 experts",
        {"rope_theta": config(rope_theta=100.0), "k": config(num_experts_per_tok=4), **HEAD_NORM}, scheme="bf16"),

    "gpt_oss_bf16": Case(
        gpt_oss(num_hidden_layers=3, num_local_experts=4, layer_types="absent"),
        "BF16 experts [experts, in, out], sinks, window of 8 in every other layer by default, YaRN with truncate false beyond "
        "the original context, biases everywhere",
        {"sinks": no_sinks, "window": config(sliding_window=999), "exact window": config(sliding_window=9),
         "YaRN": no_rope_scaling, "truncate": rope(truncate=True), "amplitude": rope(attention_factor=1.0), "router bias": zero(r"router\.bias"),
         "gate_up bias": zero(r"gate_up_proj_bias"), "down bias": zero(r"down_proj_bias"), "o bias": zero(r"o_proj\.bias"),
         "lower layers": config(layer_types=["full_attention", "sliding_attention", "full_attention"]), **QKV_BIAS},
        scheme="bf16", tokens=28),
    "gpt_oss_mxfp4": Case(
        gpt_oss(hidden_size=64, intermediate_size=32, num_local_experts=4, rope_theta=150000, quantization_config={
            "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"],
            "quant_method": "mxfp4"}),
        "MXFP4 experts (blocks and scales) beside BF16, as gpt-oss is published",
        {"sinks": no_sinks, "window": config(sliding_window=999), "router bias": zero(r"router\.bias")}, scheme="mxfp4"),
    "gpt_oss_clamped": Case(
        gpt_oss(num_hidden_layers=3, num_local_experts=4, intermediate_size=8, swiglu_limit=1.0,
                layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
        "f32 experts, clamps of the activation reached, an order of layer_types of its own; config.json of transformers v5",
        {"clamps": config(swiglu_limit=1e9), "clamp of the gate on one side": module(r"experts$", symmetric_clamp),
         "sinks": no_sinks, "unscaled sinks": tensors(r"\.sinks$", lambda t: t * 12 ** -0.5),
         "layer_types": config(layer_types=["sliding_attention", "full_attention", "sliding_attention"])},
        v5=True, scale={r"gate_up_proj$": 1.5}),

    "gpt_oss_defaults": Case(
        gpt_oss(num_attention_heads=8, head_dim=8, **absent(
            "rms_norm_eps", "rope_theta", "rope_scaling", "num_key_value_heads", "num_experts_per_tok", "experts_per_token",
            "layer_types", "attention_bias", "swiglu_limit", "max_position_embeddings", "initial_context_length",
            "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: eps 1e-5, YaRN of factor 32 with theta 150000, layers that slide in "
        "turn, 8 key heads, 4 experts of a token, biases",
        {"eps": config(rms_norm_eps=1e-6), "YaRN": config(rope_parameters={"rope_type": "default"}),
         "truncate": config(rope_parameters={"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096,
                                             "truncate": True}, rope_theta=150000.0),
         "k": config(num_experts_per_tok=3), "o bias": zero(r"o_proj\.bias"), **QKV_BIAS}, scheme="bf16", scale=SMALL),

    "gemma4": Case(
        gemma4(), "a multimodal checkpoint, of which the text part is read: text_config, names below model.language_model, a "
        "tower for pictures to skip", {}, scheme="bf16"),
    "gemma4_text": Case(
        gemma4_text(final_logit_softcapping=4.0),
        "as 26B-A4B: experts beside a dense MLP, values that are keys, heads by layer type, norms of all kinds, softcap",
        {"window": config(sliding_window=999), "exact window": config(sliding_window=9),
         "softcap": config(final_logit_softcapping=None), "GELU": config(hidden_activation="silu"),
         "proportional rope": rope_of("full_attention", rope_type="default", rope_theta=100.0),
         "rope_theta": rope_of("sliding_attention", rope_theta=100.0),
         "embedding scale": module(r"embed_tokens$", lambda m: m.embed_scale.fill_(1.0)),
         "layer scalar": ones(r"layer_scalar$"), "per_expert_scale": ones(r"per_expert_scale$"),
         "router scale": ones(r"router\.scale$"), "norm of the router": module(r"router\.norm$", identity),
         "v norm": module(r"v_norm$", identity), "score scale 1": module(r"self_attn$", set_attributes(scaling=0.3)),
         **{name: ones(name + r"\.weight$") for name in (
             "post_attention_layernorm", "pre_feedforward_layernorm", "pre_feedforward_layernorm_2",
             "post_feedforward_layernorm", "post_feedforward_layernorm_1", "post_feedforward_layernorm_2")}, **HEAD_NORM},
        scheme="bf16"),
    "gemma4_dense": Case(
        gemma4_text(num_hidden_layers=3, enable_moe_block=False, attention_k_eq_v=False, attention_bias=True,
                    tie_word_embeddings=False, rms_norm_eps=1e-5, use_bidirectional_attention=None,
                    layer_types=["full_attention", "sliding_attention", "sliding_attention"], final_logit_softcapping=None,
                    rope_parameters={"sliding_attention": {"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0},
                                     "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.7,
                                                        "rope_theta": 100.0, "factor": 3.0}}),
        "without experts, as 31B: a projection of values, biases, a head of its own, the last layer full whatever layer_types "
        "says; config.json of transformers v5, which has per_layer_config",
        {"window": config(sliding_window=999), "factor": rope_of("full_attention", factor=1.0),
         "linear": rope_of("sliding_attention", rope_type="default"), "o bias": zero(r"o_proj\.bias"),
         "share that rotates": rope_of("full_attention", partial_rotary_factor=1.0), **QKV_BIAS, **HEAD_NORM},
        scheme="bf16", v5=True),
    "gemma4_defaults": Case(
        gemma4_text(hidden_size=16, num_hidden_layers=8, num_attention_heads=4, intermediate_size=12, head_dim=4,
                    global_head_dim=8, **absent(
                        "num_global_key_value_heads", "num_key_value_heads", "rope_parameters", "layer_types",
                        "rms_norm_eps", "tie_word_embeddings", "hidden_activation", "attention_bias", "attention_k_eq_v",
                        "final_logit_softcapping", "use_bidirectional_attention", "num_kv_shared_layers",
                        "use_double_wide_mlp", "sliding_window", "max_position_embeddings", "enable_moe_block",
                        "num_experts", "top_k_experts", "moe_intermediate_size", "vocab_size_per_layer_input")),
        "every key absent that has a default of a small size: dense, layers 5 and 7 full, a key head for each of 4 query heads",
        {"eps": config(rms_norm_eps=1e-3), "GELU": config(hidden_activation="silu"),
         "proportional rope": config(rope_parameters={
             "full_attention": {"rope_type": "default", "rope_theta": 100.0},
             "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})}, scheme="bf16", scale={r"embed_tokens": 0.02}),

    "laguna": Case(
        laguna(), "heads by layer, output gates per head, a share of each head that rotates, windows, a dense first layer, sigmoid "
        "routing with a correction bias, a shared expert",
        {"window": config(sliding_window=999), "exact window": config(sliding_window=9), "output gate": zero(r"g_proj"),
         "rope of full layers": rope_of("full_attention", partial_rotary_factor=1.0),
         "rope of sliding layers": rope_of("sliding_attention", rope_theta=100.0), "correction bias": NO_BIAS,
         "scale": config(moe_routed_scaling_factor=1.0), **HEAD_NORM, **SHARED}, scheme="bf16", bias=(0.0, 0.3)),
    "laguna_per_element": Case(
        laguna(gating="per-element", num_attention_heads_per_layer=[6, 2], moe_intermediate_size=8, num_experts=6, attention_bias=True, moe_router_logit_softcapping=1.5,
               layer_types=["sliding_attention", "sliding_attention"], mlp_layer_types=["sparse", "dense"], rope_parameters={
                   "full_attention": {"rope_type": "default", "rope_theta": 500.0},
                   "sliding_attention": {"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "partial_rotary_factor": 0.5,
                                         "original_max_position_embeddings": 16}}),
        "output gates per element, softcap of the router's logits, YaRN on half of each head, biases; config.json and names of "
        "transformers v5",
        {"output gate": zero(r"g_proj"), "softcap": config(moe_router_logit_softcapping=0.0), "correction bias": NO_BIAS,
         "YaRN": rope_of("sliding_attention", rope_type="default"), "o bias": zero(r"o_proj\.bias"), **QKV_BIAS, **HEAD_NORM},
        scheme="bf16", fused=True, v5=True, bias=(0.0, 0.3)),
    "laguna_defaults": Case(
        laguna(num_attention_heads=8, head_dim=4, moe_intermediate_size=4, num_experts=10, **absent(
            "num_attention_heads_per_layer", "num_key_value_heads", "num_experts_per_tok", "gating", "layer_types",
            "mlp_layer_types", "sliding_window", "hidden_act", "max_position_embeddings", "rms_norm_eps",
            "moe_routed_scaling_factor", "moe_apply_router_weight_on_input", "rope_parameters", "attention_bias",
            "tie_word_embeddings")),
        "every key absent that has a default of a small size: full layers of which half a head rotates, the first one dense, 8 "
        "key heads, 8 experts of a token",
        {"eps": config(rms_norm_eps=1e-3), "k": config(num_experts_per_tok=7), "scale": config(moe_routed_scaling_factor=2.0),
         "output gate": zero(r"g_proj"), **HEAD_NORM}, scheme="bf16", bias=(0.0, 0.3), scale=SMALL),

    "mellum": Case(
        mellum(), "windows and rope by layer type, YaRN in full layers, norm of each head",
        {"window": config(sliding_window=999), "YaRN": rope_of("full_attention", rope_type="default"),
         "rope of sliding layers": rope_of("sliding_attention", rope_theta=100.0),
         "renormalisation": config(norm_topk_prob=False), **HEAD_NORM}, scheme="bf16"),
    "mellum_dense_layer": Case(
        mellum(mlp_layer_types=["dense", "sparse"], num_experts=6, moe_intermediate_size=8, norm_topk_prob=False, attention_bias=True, sliding_window=5,
               tie_word_embeddings=True, num_nextn_predict_layers=1),
        "a dense layer by mlp_layer_types, no renormalisation, biases, tied head; config.json of transformers v5",
        {"no renormalisation": config(norm_topk_prob=True), "window": config(sliding_window=6), "o bias": zero(r"o_proj\.bias"),
         **QKV_BIAS, **HEAD_NORM}, scheme="bf16", fused=True, v5=True),
    "mellum_defaults": Case(
        mellum(num_attention_heads=8, head_dim=4, moe_intermediate_size=4, num_experts=10, **absent(
            "num_key_value_heads", "num_experts_per_tok", "norm_topk_prob", "layer_types", "mlp_layer_types", "sliding_window",
            "hidden_act", "max_position_embeddings", "rms_norm_eps", "rope_parameters", "attention_bias",
            "tie_word_embeddings")),
        "every key absent that has a default of a small size: full layers of theta 5e5, 4 key heads, 8 experts of a token",
        {"eps": config(rms_norm_eps=1e-3), "k": config(num_experts_per_tok=7), "renormalisation": config(norm_topk_prob=False),
         **HEAD_NORM}, scheme="bf16", scale=SMALL),

    "afmoe": Case(
        afmoe(num_experts=6, moe_intermediate_size=8), "sliding layers that rotate, full ones that do not, output gates per element, norms before and after, scaled "
        "embeddings, expert bias, a shared expert, a dense first layer",
        {"window": config(sliding_window=999), "exact window": config(sliding_window=9), "output gate": zero(r"self_attn\.gate_proj"),
         "rope_theta": config(rope_theta=100.0), "embedding scale": config(mup_enabled=False), "correction bias": NO_BIAS,
         "scale": config(route_scale=1.0),
         **{name: ones(name + r"\.weight$") for name in ("post_attention_layernorm", "pre_mlp_layernorm", "post_mlp_layernorm")},
         **HEAD_NORM, **SHARED}, scheme="bf16", bias=(0.0, 0.3)),
    "afmoe_full_layers": Case(
        afmoe(num_hidden_layers=2, num_experts=6, moe_intermediate_size=8, layer_types=["full_attention", "sliding_attention"], num_dense_layers=0, mup_enabled=False,
              num_shared_experts=2, attention_bias=True, sliding_window=5),
        "layer_types, no dense layer, two shared experts, biases; config.json of transformers v5",
        {"window": config(sliding_window=6), "correction bias": NO_BIAS, "o bias": zero(r"o_proj\.bias"), **QKV_BIAS, **SHARED},
        scheme="bf16", fused=True, v5=True, bias=(0.0, 0.3)),
    "afmoe_defaults": Case(
        afmoe(hidden_size=16, num_hidden_layers=4, head_dim=4, moe_intermediate_size=4, num_experts=8, **absent(
            "num_key_value_heads", "num_dense_layers", "num_experts_per_tok", "num_shared_experts", "route_norm", "route_scale",
            "score_func", "mup_enabled", "global_attn_every_n_layers", "sliding_window", "hidden_act", "max_position_embeddings",
            "rms_norm_eps", "rope_theta", "rope_scaling", "tie_word_embeddings")),
        "every key absent that has a default of a small size: the fourth layer full, 6 experts of a token, two shared ones, a key "
        "head for each query head",
        {"eps": config(rms_norm_eps=1e-3), "k": config(num_experts_per_tok=5), "rope_theta": config(rope_theta=100.0),
         "embedding scale": config(mup_enabled=True), **SHARED}, scheme="bf16", bias=(0.0, 0.3), scale=SMALL),

    "afmoe_trinity": Case(
        afmoe(hidden_size=24, vocab_size=48, num_hidden_layers=4, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8,
              intermediate_size=16, global_attn_every_n_layers=4),
        "as published: every fourth layer is full, scaled embeddings, a dense first layer",
        {"window": config(sliding_window=999), "exact window": config(sliding_window=9), "embedding scale": config(mup_enabled=False),
         "full layer": config(global_attn_every_n_layers=5), "correction bias": NO_BIAS, "scale": config(route_scale=1.0), **SHARED},
        scheme="bf16", bias=(0.0, 0.3)),

    "granitemoe": Case(
        granitemoe(attention_multiplier=0.6), "multipliers of embeddings, scores, what layers add, and logits; experts in two tensors, input_linear and "
        "output_linear, as published",
        {"embeddings": config(embedding_multiplier=1.0), "scores": config(attention_multiplier=0.3),
         "additions": config(residual_multiplier=1.0), "logits": config(logits_scaling=1.0)}, scheme="bf16"),
    "granitemoe_biases": Case(
        granitemoe(attention_bias=True, attention_multiplier=0.8, tie_word_embeddings=False, num_key_value_heads=1, rope_scaling={
            "type": "linear", "factor": 4.0}),
        "biases, a head of its own, rope scaling; config.json and names of transformers v5",
        {"linear": no_rope_scaling, "o bias": zero(r"o_proj\.bias"), **QKV_BIAS}, scheme="bf16", fused=True, v5=True),
    "granitemoe_defaults": Case(
        granitemoe(**absent(
            "num_key_value_heads", "num_local_experts", "num_experts_per_tok", "attention_multiplier", "embedding_multiplier",
            "residual_multiplier", "logits_scaling", "hidden_act", "max_position_embeddings", "rms_norm_eps", "rope_theta",
            "rope_scaling", "attention_bias", "tie_word_embeddings")),
        "every key absent that has a default of a small size: multipliers of 1, scores too; 2 of 8 experts",
        {"eps": config(rms_norm_eps=1e-3), "k": config(num_experts_per_tok=3), "scores": config(attention_multiplier=0.3),
         "rope_theta": config(rope_theta=100.0)}, scheme="bf16", scale=SMALL),

    "llama4_text": Case(
        llama4_text(), "chunks in layers that rotate, full layers that do not and whose scores grow with the position, norm after "
        "rotation, one expert whose input is weighted, transposed stacks, a shared expert",
        {"chunks": config(attention_chunk_size=999), "exact chunks": config(attention_chunk_size=9),
         "rotation": no_rope_scaling, "norm": config(use_qk_norm=False), "temperature": config(attn_temperature_tuning=False),
         "its length": config(floor_scale=5), "its scale": config(attn_scale=0.2), **SHARED}, scheme="bf16", tokens=32),
    "llama4_text_interleaved": Case(
        llama4_text(num_hidden_layers=3, interleave_moe_layer_step=2, num_experts_per_tok=2, no_rope_layers=[0, 1, 1],
                    use_qk_norm=False, attn_temperature_tuning=False, attention_bias=True, rope_scaling=None,
                    layer_types=["chunked_attention", "full_attention", "chunked_attention"], tie_word_embeddings=True),
        "as Maverick: dense layers between those with experts, no norm; two experts, layer_types of its own, biases, no "
        "temperature, tied head; config.json of transformers v5",
        {"chunks": config(attention_chunk_size=999), "no temperature": config(attn_temperature_tuning=True),
         "no norm": config(use_qk_norm=True), "o bias": zero(r"o_proj\.bias"), **QKV_BIAS, **SHARED}, scheme="bf16", v5=True),
    "llama4_text_defaults": Case(
        llama4_text(num_hidden_layers=4, num_attention_heads=8, head_dim=4, intermediate_size=4, hidden_size=16, **absent(
            "num_key_value_heads", "num_local_experts", "num_experts_per_tok", "interleave_moe_layer_step", "no_rope_layers",
            "no_rope_layer_interval", "attention_chunk_size", "use_qk_norm", "attn_temperature_tuning", "floor_scale",
            "attn_scale", "hidden_act", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling",
            "attention_bias", "tie_word_embeddings")),
        "every key absent that has a default of a small size: the fourth layer does not rotate, one of 16 experts, 8 key heads",
        {"eps": config(rms_norm_eps=1e-3), "rope_theta": config(rope_theta=100.0), "norm": config(use_qk_norm=False),
         "layers that rotate": config(no_rope_layers=[1, 1, 1, 1]), **SHARED}, scheme="bf16", scale=SMALL),

    "llama4_text_scout": Case(
        llama4_text(hidden_size=24, vocab_size=48, num_hidden_layers=4, num_local_experts=4, intermediate_size=8, intermediate_size_mlp=12,
                    head_dim=8, interleave_moe_layer_step=2, no_rope_layers=None, attention_chunk_size=8192, floor_scale=8192,
                    attn_scale=0.1),
        "as published: every fourth layer does not rotate, chunks of 8192, scores that grow every 8192 positions; rope scaling, and "
        "dense layers between those with experts",
        {"rotation": no_rope_scaling, "norm": config(use_qk_norm=False), "layers that rotate": config(no_rope_layers=[1, 1, 1, 1]),
         **SHARED}, scheme="bf16"),

    "mimo_v2_flash": Case(
        mimo_v2_flash(), "values narrower than keys, twice the key heads in sliding layers and sinks, a third of each head that "
        "rotates, scaled values, correction bias",
        {"window": config(sliding_window=999), "exact window": config(sliding_window=9),
         "sinks": tensors(r"attention_sink_bias$", lambda t: t * 0 - 1e9), "scale of values": config(attention_value_scale=1.0),
         "share that rotates": rope_of("full_attention", partial_rotary_factor=1.0), "correction bias": NO_BIAS,
         "renormalisation": config(norm_topk_prob=False)}, scheme="bf16", bias=(0.0, 0.3)),
    "mimo_v2_flash_bias": Case(
        mimo_v2_flash(attention_bias=True, num_key_value_heads=2, v_head_dim=16, routed_scaling_factor=2.0, norm_topk_prob=False,
                      attention_value_scale=None, mlp_layer_types=["sparse", "dense"],
                      layer_types=["sliding_attention", "full_attention"]),
        "values wider than keys, biases, no renormalisation, values as they are; config.json and names of transformers v5",
        {"window": config(sliding_window=999), "sinks": tensors(r"\.sinks$", lambda t: t * 0 - 1e9),
         "correction bias": NO_BIAS, "routed_scaling_factor": config(routed_scaling_factor=1.0), **QKV_BIAS},
        scheme="bf16", fused=True, v5=True, bias=(0.0, 0.3)),
    "mimo_v2_flash_defaults": Case(
        mimo_v2_flash(num_hidden_layers=3, num_attention_heads=8, head_dim=6, v_head_dim=4, n_routed_experts=10,
                      moe_intermediate_size=4, **absent(
            "num_key_value_heads", "num_experts_per_tok", "n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor",
            "layer_types", "mlp_layer_types", "sliding_window", "attention_value_scale", "hidden_act",
            "max_position_embeddings", "rms_norm_eps", "rope_parameters", "attention_bias", "tie_word_embeddings")),
        "every key absent that has a default of a small size: the first layer full and dense, 4 key heads, 8 experts of a token, "
        "values times 0.707",
        {"eps": config(rms_norm_eps=1e-3), "k": config(num_experts_per_tok=7),
         "scale of values": config(attention_value_scale=1.0)}, scheme="bf16", bias=(0.0, 0.3), scale=SMALL),

    "llama_defaults": Case(
        llama(**absent("rms_norm_eps", "rope_theta", "num_key_value_heads", "attention_bias", "mlp_bias", "rope_scaling",
                       "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: eps 1e-6, theta 1e4, a key head for each query head",
        {"eps": config(rms_norm_eps=1e-5), "rope_theta": config(rope_theta=100.0)}, scheme="bf16", scale=SMALL),
    "llama_llama3_rope": Case(
        llama(tie_word_embeddings=True, rope_theta=500.0, rope_scaling={
            "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
            "rope_type": "llama3"}),
        "rope_type llama3 beyond the original context, grouped queries, tied head", {"llama3": no_rope_scaling},
        scheme="bf16", tokens=40),
    "llama_fp8_tensor": Case(
        llama(quantization_config={
            "config_groups": {"group_0": {"input_activations": {"dynamic": False, "num_bits": 8, "type": "float"},
                                          "weights": {"dynamic": False, "num_bits": 8, "type": "float"}}},
            "ignore": ["lm_head"], "kv_cache_scheme": None, "producer": {"name": "modelopt", "version": "0.31.0"},
            "quant_algo": "FP8", "quant_method": "modelopt"}),
        "ModelOpt: FP8 with one scale for each matrix, and scales of activations, which are not used", {"rope_theta": config(rope_theta=100.0)},
        scheme="fp8_tensor"),
    "llama_biases": Case(
        llama(attention_bias=True, mlp_bias=True, head_dim=12),
        "attention_bias, mlp_bias and head_dim; config.json of transformers v5",
        {**QKV_BIAS, **{f"{x} bias": zero(rf"{x}_proj\.bias") for x in ("o", "gate", "up", "down")}}, v5=True),
    "llama_linear_rope": Case(
        llama(rope_scaling={"type": "linear", "factor": 4.0}),
        "rope_type linear, under its old name type; tensors rotary_emb.inv_freq to ignore, as old exports hold them",
        {"linear": no_rope_scaling}, scheme="bf16", extra="inv_freq"),
    "llama_dynamic_rope": Case(
        llama(max_position_embeddings=16, rope_scaling={"type": "dynamic", "factor": 4.0}),
        "rope_type dynamic with 28 positions where max_position_embeddings is 16: the whole prompt at once, all positions by "
        "the frequencies of length 28", {"dynamic": no_rope_scaling}, scheme="bf16", tokens=28),
    "qwen2": Case(
        qwen2(tie_word_embeddings=True, sliding_window=8, max_window_layers=0),
        "biases of q, k and v, tied head, a sliding window that use_sliding_window turns off",
        {**QKV_BIAS, "no window": SLIDING}, scheme="bf16"),
    "qwen2_sliding_window": Case(
        qwen2(num_hidden_layers=3, use_sliding_window=True, sliding_window=8, max_window_layers=2),
        "sliding window from layer max_window_layers on, without layer_types",
        {"window": config(use_sliding_window=False), "max_window_layers": config(max_window_layers=0)}, scheme="bf16"),
    "qwen3": Case(qwen3(), "norm of each head, head_dim", HEAD_NORM, scheme="f16"),
    "qwen3_defaults": Case(
        qwen3(num_hidden_layers=1, num_attention_heads=2, **absent(
            "rms_norm_eps", "rope_theta", "head_dim", "attention_bias", "use_sliding_window", "sliding_window", "max_window_layers",
            "rope_scaling", "max_position_embeddings", "tie_word_embeddings", "hidden_act")),
        "every key absent that has a default of a small size: heads of 128, eps 1e-6, theta 1e4",
        {"eps": config(rms_norm_eps=1e-5), "rope_theta": config(rope_theta=100.0), **HEAD_NORM}, scheme="bf16", scale=SMALL),
    "qwen3_bias": Case(
        qwen3(attention_bias=True, num_key_value_heads=1), "attention_bias, one key head; config.json of transformers v5",
        {"o bias": zero(r"o_proj\.bias"), **QKV_BIAS, **HEAD_NORM}, scheme="bf16", v5=True),
    "mistral": Case(mistral(), "grouped queries, sliding_window null", {}, scheme="bf16"),
    "mistral_sliding_window": Case(
        mistral(sliding_window=8, head_dim=12), "sliding window in all layers, head_dim; config.json of transformers v5",
        {"window": config(sliding_window=None), "exact window": config(sliding_window=7)}, scheme="bf16", v5=True),
}
