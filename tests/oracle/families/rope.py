# SPDX-License-Identifier: Apache-2.0
"""Inverse frequencies and amplitudes of every rope type, from the tables of transformers."""
import json

from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

def yarn(factor, original, **others):
    return {"rope_type": "yarn", "beta_fast": 32, "beta_slow": 1, "factor": factor,
            "original_max_position_embeddings": original, **others}


LONGROPE = {"rope_type": "longrope", "original_max_position_embeddings": 4096,
            "short_factor": [1.0 + 0.05 * i for i in range(16)], "long_factor": [1.0 + 0.75 * i for i in range(16)]}

# name: (width of the rotated part, rope_theta, max_position_embeddings, rope_parameters, length of the sequence)
CASES = {
    "default": (64, 10000.0, 4096, {"rope_type": "default"}, None),
    "default_theta_1e6": (128, 1000000.0, 32768, {"rope_type": "default"}, None),
    "linear": (64, 10000.0, 4096, {"rope_type": "linear", "factor": 4.0}, None),
    "dynamic_within": (64, 10000.0, 2048, {"rope_type": "dynamic", "factor": 4.0}, 1000),
    "dynamic_beyond": (64, 10000.0, 2048, {"rope_type": "dynamic", "factor": 4.0}, 5000),
    "llama3": (64, 500000.0, 131072, {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                      "original_max_position_embeddings": 8192}, None),
    "yarn_deepseek_v3": (64, 10000, 163840, yarn(40, 4096, mscale=1.0, mscale_all_dim=1.0), None),
    "yarn_deepseek_v2_lite": (64, 10000, 163840, yarn(40, 4096, mscale=0.707, mscale_all_dim=0.707), None),
    "yarn_kimi_k2": (64, 50000.0, 262144, yarn(64.0, 4096, beta_fast=1.0, mscale=1.0, mscale_all_dim=1.0), None),
    "yarn_gpt_oss": (64, 150000, 131072, yarn(32.0, 4096, truncate=False), None),
    "yarn_qwen3": (128, 1000000.0, 131072, {"rope_type": "yarn", "factor": 4.0,
                                           "original_max_position_embeddings": 32768}, None),
    "yarn_attention_factor": (32, 10000.0, 8192, yarn(2.0, 4096, attention_factor=0.75, mscale=1.0, mscale_all_dim=0.5), None),
    "yarn_mscale_ratio": (32, 10000.0, 8192, yarn(8.0, 1024, mscale=0.707, mscale_all_dim=1.0), None),
    "yarn_mscale_alone": (32, 10000.0, 8192, yarn(8.0, 1024, mscale=0.707), None),
    "yarn_clamped_range": (16, 10000.0, 4096, yarn(16.0, 256, beta_slow=1e-7), None),
    "yarn_empty_range": (16, 10000.0, 64, yarn(16.0, 4), None),
    "yarn_factor_from_lengths": (64, 10000.0, 16384, yarn(None, 4096), None),
    "longrope_short": (32, 10000.0, 131072, LONGROPE, 4096),
    "longrope_long": (32, 10000.0, 131072, LONGROPE, 4097),
    "longrope_factor": (32, 10000.0, 131072, {**LONGROPE, "factor": 8.0}, None),
    "longrope_attention_factor": (32, 10000.0, 131072, {**LONGROPE, "factor": 8.0, "attention_factor": 1.25}, 10000),
}


def rope_goldens(made_by):
    """The text of rope.json. seq_len null: the frequencies a fresh model starts with."""
    cases = []
    for name, (width, theta, positions, parameters, seq_len) in CASES.items():
        config = LlamaConfig(hidden_size=2 * width, num_attention_heads=2, head_dim=width, max_position_embeddings=positions,
                             rope_parameters={**parameters, "rope_theta": theta})
        if parameters["rope_type"] == "default":
            inverse, amplitude = LlamaRotaryEmbedding.compute_default_rope_parameters(config)
        else:
            inverse, amplitude = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, None, seq_len=seq_len)
        cases.append({"name": name, "width": width, "rope_theta": theta, "max_position_embeddings": positions,
                      "rope_parameters": parameters, "seq_len": seq_len, "attention_scaling": float(amplitude),
                      "inv_freq": [float(f"{v:.9g}") for v in inverse.tolist()]})
    lines = ",\n".join(json.dumps(case) for case in cases)
    return f'{{"made_by": {json.dumps(made_by)},\n"cases": [\n{lines}\n]}}\n'
