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
