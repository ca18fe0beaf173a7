# SPDX-License-Identifier: Apache-2.0
"""A small config.json of every family, with the keys that hub repositories have."""


def merged(base, changes):
    """Other values of some keys; "absent" removes a key."""
    return {key: value for key, value in {**base, **changes}.items() if value != "absent"}


def absent(*keys):
    return dict.fromkeys(keys, "absent")


def deepseek_v3(**changes):
    return merged({
        "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "n_shared_experts": 1, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 2.5, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16,
        "v_head_dim": 12, "n_group": 4, "topk_group": 2, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
        "norm_topk_prob": True, "first_k_dense_replace": 1, "moe_layer_freq": 1, "hidden_act": "silu", "rms_norm_eps": 1e-6,
        "max_position_embeddings": 256, "rope_theta": 10000, "attention_bias": False, "tie_word_embeddings": False,
        "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def deepseek_v2(**changes):
    return merged({
        "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "n_shared_experts": 2, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 1.0, "kv_lora_rank": 16, "q_lora_rank": None, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16,
        "v_head_dim": 12, "n_group": 1, "topk_group": 1, "topk_method": "greedy", "scoring_func": "softmax",
        "norm_topk_prob": False, "first_k_dense_replace": 1, "moe_layer_freq": 1, "hidden_act": "silu", "rms_norm_eps": 1e-6,
        "max_position_embeddings": 640, "rope_theta": 10000, "attention_bias": False, "tie_word_embeddings": False,
        "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16", "use_cache": True,
        "aux_loss_alpha": 0.001, "seq_aux": True, "pretraining_tp": 1}, changes)


def glm4_moe(**changes):
    return merged({
        "architectures": ["Glm4MoeForCausalLM"], "model_type": "glm4_moe", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "n_shared_experts": 1, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 2.5, "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "first_k_dense_replace": 1,
        "use_qk_norm": False, "partial_rotary_factor": 0.5, "attention_bias": True, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000, "rope_scaling": None,
        "tie_word_embeddings": False, "num_nextn_predict_layers": 1, "eos_token_id": [1, 2], "pad_token_id": 0,
        "attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def glm4_moe_lite(**changes):
    return merged({
        "architectures": ["Glm4MoeLiteForCausalLM"], "model_type": "glm4_moe_lite", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "n_shared_experts": 1, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 1.8, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 12,
        "v_head_dim": 20, "n_group": 1, "topk_group": 1, "topk_method": "noaux_tc", "norm_topk_prob": True,
        "first_k_dense_replace": 1, "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 256,
        "rope_theta": 1000000, "rope_scaling": None, "partial_rotary_factor": 1.0, "attention_bias": False,
        "tie_word_embeddings": False, "num_nextn_predict_layers": 1, "eos_token_id": [1, 2], "pad_token_id": 0,
        "attention_dropout": 0.0, "dtype": "bfloat16"}, changes)


def deepseek_v32(**changes):
    return merged({
        "architectures": ["DeepseekV32ForCausalLM"], "model_type": "deepseek_v32", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "n_shared_experts": 1, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 2.5, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 12,
        "v_head_dim": 12, "n_group": 4, "topk_group": 2, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
        "norm_topk_prob": True, "first_k_dense_replace": 1, "moe_layer_freq": 1, "index_topk": 6, "index_n_heads": 4,
        "index_head_dim": 12, "hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 256, "rope_theta": 10000,
        "attention_bias": False, "tie_word_embeddings": False, "num_nextn_predict_layers": 1, "ep_size": 1,
        "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def glm_moe_dsa(**changes):
    return deepseek_v32(**{
        "architectures": ["GlmMoeDsaForCausalLM"], "model_type": "glm_moe_dsa", "n_group": 1, "topk_group": 1, "v_head_dim": 20,
        "rms_norm_eps": 1e-5, "indexer_rope_interleave": True, **changes})


def solar_open(**changes):
    return merged({
        "architectures": ["SolarOpenForCausalLM"], "model_type": "solar_open", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "n_shared_experts": 1, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 1.0, "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "first_k_dense_replace": 0,
        "use_qk_norm": False, "partial_rotary_factor": 1.0, "attention_bias": False, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 1000000, "rope_scaling": None,
        "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "attention_dropout": 0.0,
        "initializer_range": 0.02, "dtype": "bfloat16", "use_cache": True}, changes)


def sarvam_moe(**changes):
    return merged({
        "architectures": ["SarvamMoEForCausalLM"], "model_type": "sarvam_moe", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "num_shared_experts": 1, "num_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 2.5, "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "first_k_dense_replace": 1,
        "use_qk_norm": True, "use_qkv_bias": False, "use_bias": False, "moe_router_enable_expert_bias": True,
        "score_function": "sigmoid", "router_dtype": "fp32", "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "rope_theta": 8000000, "rope_scaling": None, "tie_word_embeddings": False, "eos_token_id": 1,
        "pad_token_id": 0, "attention_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0, "torch_dtype": "bfloat16",
        "use_cache": True}, changes)


def exaone_moe(**changes):
    return merged({
        "architectures": ["ExaoneMoEForCausalLM"], "model_type": "exaone_moe", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "num_shared_experts": 1, "num_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 2.5, "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "first_k_dense_replace": 1,
        "is_moe_layer": [False, True, True, True], "sliding_window": 6, "sliding_window_pattern": "LLLG",
        "layer_types": ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"],
        "scoring_func": "sigmoid", "topk_method": "noaux_tc", "num_nextn_predict_layers": 1, "mtp_share_layers": False,
        "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 1000000,
        "rope_scaling": None, "tie_word_embeddings": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "bos_token_id": 1, "eos_token_id": 53, "pad_token_id": 0, "dtype": "bfloat16", "use_cache": True}, changes)


def cohere2_moe(**changes):
    return merged({
        "architectures": ["Cohere2MoeForCausalLM"], "model_type": "cohere2_moe", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 8, "prefix_dense_intermediate_size": 16, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "num_experts": 8, "num_experts_per_tok": 3, "num_shared_experts": 1,
        "shared_expert_combination_strategy": "average", "expert_selection_fn": "sigmoid", "norm_topk_prob": True,
        "first_k_dense_replace": 1, "prefix_dense_sliding_window_pattern": 1, "sliding_window_pattern": 3, "sliding_window": 6,
        "logit_scale": 0.25, "layer_norm_eps": 1e-5, "hidden_act": "silu", "max_position_embeddings": 256, "rope_theta": 50000,
        "rope_scaling": None, "attention_bias": False, "tie_word_embeddings": True, "use_parallel_block": True,
        "attention_dropout": 0.0, "initializer_range": 0.02, "bos_token_id": 5, "eos_token_id": 47, "pad_token_id": 0,
        "torch_dtype": "bfloat16", "use_cache": True}, changes)


def kimi_linear(**changes):
    return merged({
        "architectures": ["KimiLinearForCausalLM"], "model_type": "kimi_linear", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 12, "num_experts": 8, "num_experts_per_token": 3, "num_shared_experts": 1,
        "moe_renormalize": True, "moe_router_activation_func": "sigmoid", "moe_layer_freq": 1, "num_expert_group": 1,
        "topk_group": 1, "use_grouped_topk": True, "routed_scaling_factor": 2.446, "first_k_dense_replace": 1,
        "kv_lora_rank": 16, "q_lora_rank": None, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 12,
        "mla_use_nope": True, "linear_attn_config": {"full_attn_layers": [2], "kda_layers": [1, 3], "head_dim": 8, "num_heads": 3,
                                                     "short_conv_kernel_size": 4},
        "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None, "model_max_length": 256,
        "num_nextn_predict_layers": 0, "tie_word_embeddings": False, "initializer_range": 0.02, "bos_token_id": 1,
        "eos_token_id": 2, "pad_token_id": 3, "dtype": "bfloat16", "use_cache": True}, changes)


def mistral3(text=None, **changes):
    return merged({
        "architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "image_token_index": 10,
        "multimodal_projector_bias": False, "projector_hidden_act": "gelu", "spatial_merge_size": 2, "vision_feature_layer": -1,
        "text_config": text or mistral4(), "torch_dtype": "bfloat16", "vision_config": {
            "model_type": "pixtral", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "head_dim": 4, "image_size": 8, "patch_size": 4, "hidden_act": "silu", "rope_theta": 10000.0}}, changes)


def step3p5(**changes):
    return merged({
        "architectures": ["Step3p5ForCausalLM"], "model_type": "step3p5", "vocab_size": 48, "hidden_size": 16,
        "intermediate_size": 16, "num_hidden_layers": 4, "num_attention_heads": 4, "num_attention_groups": 2, "head_dim": 8,
        "max_position_embeddings": 256, "max_seq_len": 256, "rms_norm_eps": 1e-5, "moe_layers_enum": "1,2,3", "use_moe": True,
        "moe_num_experts": 8, "moe_top_k": 3, "moe_intermediate_size": 8, "share_expert_dim": 12, "norm_expert_weight": True,
        "moe_router_activation": "sigmoid", "moe_router_scaling_factor": 2.5, "use_moe_router_bias": True, "need_fp32_gate": True,
        "att_impl_type": "GQA", "use_qk_norm": True, "use_head_wise_attn_gate": True, "num_nextn_predict_layers": 1,
        "rope_theta": [100000.0, 10000.0, 10000.0, 100000.0, 10000.0], "partial_rotary_factors": [0.5, 1.0, 1.0, 0.5, 1.0],
        "rope_scaling": {"rope_type": "llama3", "factor": 2.0, "original_max_position_embeddings": 16, "low_freq_factor": 1.0,
                         "high_freq_factor": 32.0}, "yarn_only_types": ["full_attention"], "sliding_window": 6,
        "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
        "attention_other_setting": {"attention_type": "sliding_attention", "num_attention_heads": 6, "num_attention_groups": 2,
                                    "head_dim": 8},
        "swiglu_limits": [0.0, 0.0, 0.2, 0.3, 0.0], "swiglu_limits_shared": [0.0, 0.0, 0.0, 0.25, 0.0], "hidden_act": "silu",
        "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": [1, 2], "torch_dtype": "bfloat16"}, changes)


def step3p7(**changes):
    return merged({
        "architectures": ["Step3p7ForConditionalGeneration"], "model_type": "step3p7", "image_token_id": 40, "image_token_len": 169,
        "patch_token_len": 81, "understand_projector_stride": 2, "projector_bias": False, "vision_config": {
            "model_type": "perception_encoder", "image_size": 8, "patch_size": 4, "width": 8, "layers": 1, "heads": 2,
            "mlp_ratio": 1.0, "hidden_act": "quick_gelu"}, "text_config": step3p5()}, changes)


def phimoe(**changes):
    return merged({
        "architectures": ["PhiMoEForCausalLM"], "model_type": "phimoe", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "num_local_experts": 8, "num_experts_per_tok": 2, "attention_bias": True, "lm_head_bias": True, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": 255,
        "router_jitter_noise": 0.01, "input_jitter_noise": 0.01, "original_max_position_embeddings": 64, "rope_scaling": {
            "type": "longrope", "original_max_position_embeddings": 64, "short_factor": [1.0, 1.1, 1.5],
            "long_factor": [1.0, 2.0, 4.5], "short_mscale": 1.25, "long_mscale": 1.5},
        "router_aux_loss_coef": 0.0, "output_router_logits": False, "hidden_dropout": 0.0, "attention_dropout": 0.0,
        "tie_word_embeddings": False, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 47,
        "torch_dtype": "bfloat16", "use_cache": True}, changes)


def hunyuan_v1_moe(**changes):
    return merged({
        "architectures": ["HunYuanMoEV1ForCausalLM"], "model_type": "hunyuan_v1_moe", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 8, "moe_intermediate_size": [8, 8], "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "attention_head_dim": 12, "num_experts": 8, "moe_topk": [3, 3],
        "num_shared_expert": [1, 1], "use_mixed_mlp_moe": True, "use_qk_norm": True, "use_cla": False, "cla_share_factor": 2,
        "mlp_bias": False, "attention_bias": False, "moe_layer_num_skipped": 0, "moe_drop_tokens": False, "norm_type": "rms",
        "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "rope_scaling": {"alpha": 1000.0, "beta_fast": 32, "beta_slow": 1, "factor": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                         "type": "dynamic"},
        "tie_word_embeddings": True, "attention_dropout": 0.0, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2,
        "eod_token_id": 3, "pad_token_id": 0, "sep_token_id": 4, "pretraining_tp": 1, "torch_dtype": "bfloat16",
        "use_cache": True}, changes)


def mistral4(**changes):
    return merged({
        "architectures": ["Mistral4ForCausalLM"], "model_type": "mistral4", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "n_shared_experts": 1, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 1.0, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
        "v_head_dim": 12, "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "first_k_dense_replace": 0,
        "rope_interleave": True, "attention_bias": False, "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "rope_parameters": {
            "beta_fast": 32.0, "beta_slow": 1.0, "factor": 16.0, "llama_4_scaling_beta": 0.1, "max_position_embeddings": 256,
            "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 16, "partial_rotary_factor": 0.5,
            "rope_theta": 10000.0, "rope_type": "yarn", "type": "yarn"},
        "tie_word_embeddings": False, "attention_dropout": 0.0, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2,
        "pad_token_id": 11, "dtype": "bfloat16", "use_cache": True}, changes)


def minimax_m2(**changes):
    return merged({
        "architectures": ["MiniMaxM2ForCausalLM"], "model_type": "minimax_m2", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12,
        "rotary_dim": 6, "num_local_experts": 8, "num_experts_per_tok": 3, "scoring_func": "sigmoid", "use_routing_bias": True,
        "use_qk_norm": True, "qk_norm_type": "per_layer", "shared_intermediate_size": 0, "shared_moe_mode": "sigmoid",
        "attn_type_list": [1, 1], "layernorm_full_attention_beta": 1.0, "layernorm_linear_attention_beta": 1.0,
        "layernorm_mlp_beta": 1.0, "mlp_intermediate_size": 64, "use_mtp": True, "num_mtp_modules": 3,
        "mtp_transformer_layers": 1, "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-6,
        "rope_theta": 5000000, "sliding_window": None, "tie_word_embeddings": False, "router_aux_loss_coef": 0.001,
        "router_jitter_noise": 0.0, "output_router_logits": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "bos_token_id": None, "eos_token_id": None, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def ernie4_5_moe(**changes):
    return merged({
        "architectures": ["Ernie4_5_MoeForCausalLM"], "model_type": "ernie4_5_moe", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "moe_k": 3, "moe_num_experts": 8, "moe_num_shared_experts": 2,
        "moe_layer_start_index": 1, "moe_layer_end_index": 1, "moe_layer_interval": 1, "moe_capacity": [64, 64, 64],
        "moe_gate": "topk", "moe_use_aux_free": True, "use_bias": False, "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 500000, "tie_word_embeddings": True, "num_nextn_predict_layers": 1,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "torch_dtype": "bfloat16", "use_cache": False}, changes)


def dots1(**changes):
    return merged({
        "architectures": ["Dots1ForCausalLM"], "model_type": "dots1", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 4, "head_dim": 12, "n_shared_experts": 2, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "routed_scaling_factor": 2.5, "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "first_k_dense_replace": 1,
        "moe_layer_freq": 1, "attention_bias": False, "sliding_window": None, "max_window_layers": 2, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000000, "rope_scaling": None,
        "tie_word_embeddings": False, "attention_dropout": 0.0, "initializer_range": 0.02, "bos_token_id": None,
        "eos_token_id": 1, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def hy_v3(**changes):
    return merged({
        "architectures": ["HYV3ForCausalLM"], "model_type": "hy_v3", "vocab_size": 48, "hidden_size": 24,
        "intermediate_size": 16, "moe_intermediate_size": 8, "expert_hidden_dim": 8, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12, "num_experts": 8, "num_experts_per_tok": 3,
        "num_shared_experts": 1, "router_scaling_factor": 2.826, "route_norm": True, "moe_router_use_sigmoid": True,
        "moe_router_enable_expert_bias": True, "first_k_dense_replace": 1, "qk_norm": True, "attention_bias": False,
        "mlp_bias": False, "enable_moe_fp32_combine": False, "enable_lm_head_fp32": True,
        "enable_attention_fp32_softmax": False, "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "rope_theta": 11158840.0, "tie_word_embeddings": False, "num_nextn_predict_layers": 1, "eos_token_id": 1,
        "torch_dtype": "bfloat16", "use_cache": True}, changes)


def mixtral(**changes):
    return merged({
        "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "num_local_experts": 5, "num_experts_per_tok": 2, "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 1000000.0, "sliding_window": None, "tie_word_embeddings": False,
        "router_aux_loss_coef": 0.02, "output_router_logits": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version": "4.36.0.dev0",
        "use_cache": True}, changes)


def qwen2_moe(**changes):
    return merged({
        "architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "shared_expert_intermediate_size": 20, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 6, "num_experts_per_tok": 3,
        "norm_topk_prob": False, "decoder_sparse_step": 1, "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "use_sliding_window": False, "sliding_window": 256,
        "max_window_layers": 21, "tie_word_embeddings": False, "router_aux_loss_coef": 0.001, "output_router_logits": False,
        "attention_dropout": 0.0, "initializer_range": 0.02, "bos_token_id": 0, "eos_token_id": 0,
        "torch_dtype": "bfloat16", "use_cache": True}, changes)


def qwen3_moe(**changes):
    return merged({
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 12,
        "num_key_value_heads": 2, "num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": True,
        "decoder_sparse_step": 1, "mlp_only_layers": [], "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "rope_scaling": None, "attention_bias": False,
        "use_sliding_window": False, "sliding_window": None, "max_window_layers": 48, "tie_word_embeddings": False,
        "router_aux_loss_coef": 0.001, "output_router_logits": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def qwen3_next(**changes):
    return merged({
        "architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next", "vocab_size": 40, "hidden_size": 16,
        "intermediate_size": 24, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 12, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "partial_rotary_factor": 0.25,
        "linear_conv_kernel_dim": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 12, "linear_num_key_heads": 2,
        "linear_num_value_heads": 4, "full_attention_interval": 4, "num_experts": 5, "num_experts_per_tok": 2,
        "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [], "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000, "rope_scaling": None,
        "attention_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": False, "router_aux_loss_coef": 0.001,
        "output_router_logits": False, "initializer_range": 0.02, "bos_token_id": 0, "eos_token_id": 0,
        "torch_dtype": "bfloat16", "use_cache": True}, changes)


def qwen3_5_moe_text(**changes):
    return merged({
        "architectures": ["Qwen3_5MoeForCausalLM"], "model_type": "qwen3_5_moe_text", "vocab_size": 40, "hidden_size": 16,
        "moe_intermediate_size": 8, "shared_expert_intermediate_size": 12, "num_hidden_layers": 2,
        "layer_types": ["linear_attention", "full_attention"], "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 16, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
        "linear_num_key_heads": 2, "linear_num_value_heads": 4, "full_attention_interval": 4, "attn_output_gate": True,
        "mamba_ssm_dtype": "float32", "num_experts": 5, "num_experts_per_tok": 2, "mlp_only_layers": [],
        "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000, "partial_rotary_factor": 0.25,
                            "mrope_interleaved": True, "mrope_section": [1, 1, 0]},
        "attention_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": False, "router_aux_loss_coef": 0.001,
        "mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": False, "initializer_range": 0.02, "eos_token_id": 0,
        "dtype": "bfloat16", "use_cache": True}, changes)


def qwen3_5_moe(**changes):
    """The multimodal model, as its checkpoints are published: `changes` are of its text part."""
    text = {key: value for key, value in qwen3_5_moe_text(**changes).items() if key != "architectures"}
    return {"architectures": ["Qwen3_5MoeForConditionalGeneration"], "model_type": "qwen3_5_moe", "text_config": text,
            "image_token_id": 38, "video_token_id": 39, "vision_start_token_id": 36, "vision_end_token_id": 37,
            "tie_word_embeddings": False,
            "vision_config": {"model_type": "qwen3_5_moe", "depth": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 1,
                              "out_hidden_size": 16, "patch_size": 2, "temporal_patch_size": 1, "spatial_merge_size": 1,
                              "num_position_embeddings": 4}}


def olmoe(**changes):
    return merged({
        "architectures": ["OlmoeForCausalLM"], "model_type": "olmoe", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
        "num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": False, "clip_qkv": None, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
        "attention_bias": False, "tie_word_embeddings": False, "router_aux_loss_coef": 0.01, "output_router_logits": False,
        "attention_dropout": 0.0, "initializer_range": 0.02, "eos_token_id": 2, "pad_token_id": 1,
        "torch_dtype": "bfloat16", "use_cache": True}, changes)


def flex_olmo(**changes):
    return merged(olmoe(**{
        "architectures": ["FlexOlmoForCausalLM"], "model_type": "flex_olmo", "rms_norm_eps": 1e-6, "clip_qkv": "absent",
        "rope_theta": 500000, "num_experts": 7, "num_experts_per_tok": 5}), changes)


def gpt_oss(**changes):
    return merged({
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12,
        "num_local_experts": 6, "num_experts_per_tok": 2, "experts_per_token": 2, "sliding_window": 8,
        "layer_types": ["sliding_attention", "full_attention"], "swiglu_limit": 7.0, "hidden_act": "silu",
        "max_position_embeddings": 512, "initial_context_length": 16, "rms_norm_eps": 1e-5, "rope_theta": 150,
        "rope_scaling": {"beta_fast": 32.0, "beta_slow": 0.5, "factor": 32.0, "original_max_position_embeddings": 16,
                         "rope_type": "yarn", "truncate": False},
        "attention_bias": True, "attention_dropout": 0.0, "tie_word_embeddings": False, "router_aux_loss_coef": 0.9,
        "output_router_logits": False, "initializer_range": 0.02, "eos_token_id": 2, "pad_token_id": 3,
        "use_cache": True}, changes)


def lfm2_moe(**changes):
    return merged({
        "architectures": ["Lfm2MoeForCausalLM"], "model_type": "lfm2_moe", "vocab_size": 40, "hidden_size": 24,
        "intermediate_size": 20, "moe_intermediate_size": 8, "num_hidden_layers": 3,
        "layer_types": ["conv", "full_attention", "conv"], "num_attention_heads": 4, "num_key_value_heads": 2,
        "conv_L_cache": 3, "conv_bias": False, "num_dense_layers": 1, "num_experts": 6, "num_experts_per_tok": 2,
        "use_expert_bias": True, "norm_topk_prob": True, "routed_scaling_factor": 1.0, "max_position_embeddings": 256,
        "norm_eps": 1e-5, "rope_theta": 1000000.0, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 7,
        "pad_token_id": 0, "dtype": "bfloat16", "use_cache": True}, changes)


def dense(model_type, architecture, **changes):
    return merged({
        "architectures": [architecture], "model_type": model_type, "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "attention_dropout": 0.0, "initializer_range": 0.02, "bos_token_id": 1,
        "eos_token_id": 2, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def llama(**changes):
    return dense("llama", "LlamaForCausalLM", **{"attention_bias": False, "mlp_bias": False, "rope_scaling": None, **changes})


def qwen2(**changes):
    return dense("qwen2", "Qwen2ForCausalLM", **{
        "use_sliding_window": False, "sliding_window": 256, "max_window_layers": 2, **changes})


def qwen3(**changes):
    return dense("qwen3", "Qwen3ForCausalLM", **{
        "head_dim": 12, "attention_bias": False, "use_sliding_window": False, "sliding_window": None, "max_window_layers": 2,
        "rope_scaling": None, **changes})


def mistral(**changes):
    return dense("mistral", "MistralForCausalLM", **{"sliding_window": None, **changes})


def gemma4_text(**changes):
    return merged({
        "architectures": ["Gemma4ForCausalLM"], "model_type": "gemma4_text", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "global_head_dim": 16, "num_global_key_value_heads": 1,
        "num_experts": 6, "top_k_experts": 3, "enable_moe_block": True, "attention_k_eq_v": True, "attention_bias": False,
        "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 256, "rms_norm_eps": 1e-6,
        "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                            "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25,
                                               "rope_theta": 1000000.0}},
        "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8, "final_logit_softcapping": 30.0,
        "hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 64, "num_kv_shared_layers": 0,
        "use_double_wide_mlp": False, "use_bidirectional_attention": "vision", "tie_word_embeddings": True,
        "attention_dropout": 0.0, "initializer_range": 0.02, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
        "dtype": "bfloat16", "use_cache": True}, changes)


def gemma4(**changes):
    """As hub repositories have it: the text part, beside a tower for pictures that is never asked."""
    text = gemma4_text(**changes)
    del text["architectures"], text["dtype"]
    return {"architectures": ["Gemma4ForConditionalGeneration"], "model_type": "gemma4", "dtype": "bfloat16",
            "text_config": text, "audio_config": None, "tie_word_embeddings": text["tie_word_embeddings"],
            "boi_token_id": 1000, "eoi_token_id": 1001, "image_token_id": 1002, "video_token_id": 1003, "audio_token_id": 1004,
            "boa_token_id": 1005, "eoa_token_index": 1006, "initializer_range": 0.02, "vision_soft_tokens_per_image": 4,
            "vision_config": {"model_type": "gemma4_vision", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
                              "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 8, "patch_size": 2,
                              "position_embedding_size": 4, "max_position_embeddings": 16}}


def laguna(**changes):
    return merged({
        "architectures": ["LagunaForCausalLM"], "model_type": "laguna", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "shared_expert_intermediate_size": 20, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_attention_heads_per_layer": [4, 6], "num_key_value_heads": 2, "head_dim": 12,
        "num_experts": 8, "num_experts_per_tok": 3, "gating": "per-head", "layer_types": ["full_attention", "sliding_attention"],
        "mlp_layer_types": ["dense", "sparse"], "sliding_window": 8, "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "moe_routed_scaling_factor": 2.5, "moe_apply_router_weight_on_input": False,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}},
        "attention_bias": False, "tie_word_embeddings": False, "router_aux_loss_coef": 0.001, "output_router_logits": False,
        "attention_dropout": 0.0, "initializer_range": 0.02, "eos_token_id": 2, "dtype": "bfloat16", "use_cache": True}, changes)


def mellum(**changes):
    return merged({
        "architectures": ["MellumForCausalLM"], "model_type": "mellum", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": True,
        "layer_types": ["sliding_attention", "full_attention"], "mlp_layer_types": ["sparse", "sparse"], "sliding_window": 8,
        "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "full_attention": {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0,
                               "original_max_position_embeddings": 16},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}},
        "attention_bias": False, "tie_word_embeddings": False, "router_aux_loss_coef": 0.001, "output_router_logits": False,
        "attention_dropout": 0.0, "initializer_range": 0.02, "dtype": "bfloat16", "use_cache": True}, changes)


def afmoe(**changes):
    return merged({
        "architectures": ["AfmoeForCausalLM"], "model_type": "afmoe", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 3, "num_dense_layers": 1,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12, "num_experts": 8, "num_experts_per_tok": 3,
        "num_shared_experts": 1, "route_norm": True, "route_scale": 2.5, "score_func": "sigmoid", "mup_enabled": True,
        "global_attn_every_n_layers": 2, "sliding_window": 8, "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 10000, "rope_scaling": None, "n_group": 1, "topk_group": 1,
        "num_expert_groups": 1, "num_limited_groups": 1, "load_balance_coeff": 5e-05, "use_grouped_mm": True,
        "tie_word_embeddings": False, "attention_dropout": 0.0, "initializer_range": 0.02, "dtype": "bfloat16",
        "use_cache": True}, changes)


def granitemoe(**changes):
    return merged({
        "architectures": ["GraniteMoeForCausalLM"], "model_type": "granitemoe", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "num_local_experts": 8, "num_experts_per_tok": 3, "attention_multiplier": 0.2, "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22, "logits_scaling": 6.0, "hidden_act": "silu", "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6, "rope_theta": 10000, "rope_scaling": None, "attention_bias": False,
        "tie_word_embeddings": True, "router_aux_loss_coef": 0.001, "output_router_logits": False, "attention_dropout": 0.1,
        "initializer_range": 0.02, "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def llama4_text(**changes):
    return merged({
        "architectures": ["Llama4ForCausalLM"], "model_type": "llama4_text", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 12, "intermediate_size_mlp": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "num_local_experts": 6, "num_experts_per_tok": 1,
        "interleave_moe_layer_step": 1, "no_rope_layers": [1, 0], "no_rope_layer_interval": 4, "attention_chunk_size": 8,
        "use_qk_norm": True, "attn_temperature_tuning": True, "floor_scale": 6, "attn_scale": 0.4, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 16, "rope_type": "llama3"},
        "attention_bias": False, "for_llm_compressor": False, "tie_word_embeddings": False, "router_aux_loss_coef": 0.001,
        "router_jitter_noise": 0.0, "output_router_logits": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "use_cache": True}, changes)


def mimo_v2_flash(**changes):
    return merged({
        "architectures": ["MiMoV2FlashForCausalLM"], "model_type": "mimo_v2_flash", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 1, "head_dim": 12, "v_head_dim": 8, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "routed_scaling_factor": None, "sliding_window": 8,
        "layer_types": ["full_attention", "sliding_attention"], "mlp_layer_types": ["dense", "sparse"],
        "attention_value_scale": 0.707, "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 5000.0, "partial_rotary_factor": 0.334},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.334}},
        "attention_bias": False, "tie_word_embeddings": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "dtype": "bfloat16", "use_cache": True}, changes)
