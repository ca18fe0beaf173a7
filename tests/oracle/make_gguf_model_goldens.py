# SPDX-License-Identifier: Apache-2.0
"""Tiny models of tests/golden/families as GGUF files, written with the gguf package as llama.cpp's converter writes them.

    pip install gguf numpy torch safetensors
    python tests/oracle/make_gguf_model_goldens.py     # rewrites tests/golden/gguf/*.gguf

Each file holds the same numbers as the model it is named after, so its logits are those of that golden. Names of tensors come
from the gguf package; what the converter changes is written out here: rows of q and k permuted (llama), experts stacked,
kv_b_proj split with the keys transposed (deepseek2; files from before 2025-04 have it whole), gate and up apart (gpt-oss),
the scaling of Llama 3 as divisors of the frequencies.
"""
import json
import math
import re
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
FAMILIES, OUT = ROOT / "tests/golden/families", ROOT / "tests/golden/gguf"

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
                 "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe", "olmoe": "olmoe", "gpt_oss": "gpt-oss",
                 "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2", "kimi_k2": "deepseek2", "glm4_moe": "glm4moe",
                 "glm4_moe_lite": "deepseek2", "minimax_m2": "minimax-m2", "ernie4_5_moe": "ernie4_5-moe", "dots1": "dots1",
                 "hy_v3": "hy_v3", "deepseek_v32": "deepseek32", "glm_moe_dsa": "glm-dsa"}
LATENT = ("deepseek2", "deepseek32", "glm-dsa")
NAMED_AS = {"hy_v3": "exaone-moe", "deepseek32": "glm-dsa"}    # the package has no list of their tensors: names of the same parts of another architecture
# name of the file: name of the family golden, and options
FILES = {
    "llama_biases": {}, "llama_llama3_rope": {}, "llama_linear_rope": {}, "mistral_sliding_window": {},
    "mixtral": {}, "mixtral_fused_tied": {}, "qwen2": {}, "qwen3_bias": {}, "qwen2_moe": {}, "qwen3_moe": {},
    "olmoe": {}, "olmoe_clip_qkv": {}, "deepseek_v2_lite": {}, "deepseek_v2_lite_unsplit": {"split": False},
    "deepseek_v2_group_limited": {}, "deepseek_v3_yarn_groups": {}, "deepseek_v3_yarn_groups_unsplit": {"split": False},
    "deepseek_v3_kimi_k2": {}, "deepseek_v3_plain": {}, "gpt_oss_bf16": {},
    "glm4_moe": {}, "glm4_moe_qk_norm": {}, "glm4_moe_lite": {}, "minimax_m2": {}, "ernie4_5_moe": {}, "dots1": {}, "hy_v3": {},
    "hy_v3_biases": {}, "deepseek_v32": {}, "glm_moe_dsa": {},
}
EXPERT = re.compile(r"(.*\.experts)\.(\d+)\.(.*)\.weight")


def permute(rows, heads):
    """Half-split pairs of rows become interleaved ones, head by head."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)


def stacked(tensors):
    """Experts one by one, or fused as transformers 5 has them, become gate, up and down stacks."""
    result, experts = {}, {}
    for name, tensor in tensors.items():
        if found := EXPERT.fullmatch(name):
            experts.setdefault(f"{found[1]}.{found[3]}.weight", {})[int(found[2])] = tensor
        elif name.endswith("experts.gate_up_proj"):
            base = name.removesuffix("gate_up_proj")
            result[base + "gate_proj.weight"], result[base + "up_proj.weight"] = tensor.chunk(2, dim=1)
        elif name.endswith("experts.down_proj"):
            result[name + ".weight"] = tensor
        else:
            result[name] = tensor
    return result | {name: torch.stack([parts[e] for e in range(len(parts))]) for name, parts in experts.items()}


def gpt_oss(tensors):
    """Plain experts lie transposed, and the rows of gate and up alternate."""
    result = {}
    for name, tensor in tensors.items():
        if name.endswith("experts.gate_up_proj"):
            turned, base = tensor.transpose(1, 2), name.removesuffix("gate_up_proj")
            result[base + "gate_proj.weight"], result[base + "up_proj.weight"] = turned[:, ::2], turned[:, 1::2]
        elif name.endswith("experts.down_proj"):
            result[name + ".weight"] = tensor.transpose(1, 2)
        elif name.endswith("gate_up_proj_bias"):
            base = name.removesuffix("gate_up_proj_bias")
            result[base + "gate_proj.bias"], result[base + "up_proj.bias"] = tensor[:, ::2], tensor[:, 1::2]
        elif name.endswith("down_proj_bias"):
            result[name.replace("_bias", ".bias")] = tensor
        else:
            result[name + ".weight" if name.endswith("sinks") else name] = tensor
    return result


def latent(tensors, config):
    heads, n, d = config["num_attention_heads"], config["qk_nope_head_dim"], config["v_head_dim"]
    result = {}
    for name, tensor in tensors.items():
        if name.endswith("kv_b_proj.weight"):
            key, value = tensor.view(heads, n + d, -1).split([n, d], dim=1)
            result[name.replace("kv_b_proj", "k_b_proj")] = key.transpose(1, 2)
            result[name.replace("kv_b_proj", "v_b_proj")] = value
        else:
            result[name] = tensor
    return result


def hunyuan(tensors):
    """The names of Hy3's parts, as its converter reads them."""
    return {name.replace("mlp.router.gate", "mlp.gate").replace("mlp.shared_mlp", "mlp.shared_experts")
            .replace("mlp.expert_bias", "mlp.gate.e_score_correction_bias")
            .replace("mlp.e_score", "mlp.gate.e_score"): tensor for name, tensor in tensors.items()}


def llama3_factors(rope, dim):
    factors = []
    for frequency in 1.0 / rope["rope_theta"] ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim):
        turns = rope["original_max_position_embeddings"] * float(frequency) / (2 * math.pi)
        smooth = (turns - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
        smooth = min(max(smooth, 0.0), 1.0)
        factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return torch.tensor(factors, dtype=torch.float32)


def drafts(config):
    """Layers for multi-token prediction that the converter keeps."""
    return config.get("num_nextn_predict_layers", 0) if config["model_type"] in ("glm4_moe", "hy_v3") else 0


def write_sigmoid_router(writer, config):
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    writer.add_expert_weights_norm(config["norm_topk_prob"])
    writer.add_expert_group_count(config["n_group"])
    writer.add_expert_group_used_count(config["topk_group"])


def write_keys(writer, arch, config, rope, split):
    heads = config["num_attention_heads"]
    writer.add_block_count(config["num_hidden_layers"] + drafts(config))
    if drafts(config):
        writer.add_nextn_predict_layers(drafts(config))
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(1 if arch in LATENT and split else config.get("num_key_value_heads") or heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        if "attention_factor" in rope:
            writer.add_rope_scaling_yarn_attn_factor(rope["attention_factor"])
        for key, add in (("beta_fast", writer.add_rope_scaling_yarn_beta_fast), ("beta_slow", writer.add_rope_scaling_yarn_beta_slow)):
            if key in rope:
                add(rope[key])
        if arch in LATENT and "mscale_all_dim" in rope:
            writer.add_rope_scaling_yarn_log_mul(0.1 * rope["mscale_all_dim"])
    if arch not in LATENT:
        if config.get("head_dim"):
            writer.add_key_length(config["head_dim"])
            writer.add_value_length(config["head_dim"])
        if arch == "llama":
            writer.add_rope_dimension_count(config.get("head_dim") or config["hidden_size"] // heads)
    counts = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
    experts = next((config[key] for key in counts if config.get(key)), 0)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(config.get("num_experts_per_tok") or config["moe_k"])
    if arch in ("qwen2moe", "qwen3moe", *LATENT):
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    if arch == "qwen2moe":
        writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    if arch == "gpt-oss":
        writer.add_expert_feed_forward_length(config["intermediate_size"])
    if arch == "gpt-oss" or config["model_type"] in ("mistral", "mixtral") and config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    if config.get("clip_qkv"):
        writer.add_clamp_kqv(config["clip_qkv"])
    if arch in LATENT:
        nope, rotated, value = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
        if config.get("q_lora_rank"):
            writer.add_q_lora_rank(config["q_lora_rank"])
        writer.add_kv_lora_rank(config["kv_lora_rank"])
        writer.add_key_length(config["kv_lora_rank"] + rotated if split else nope + rotated)
        writer.add_value_length(config["kv_lora_rank"] if split else value)
        if split:
            writer.add_key_length_mla(nope + rotated)
            writer.add_value_length_mla(value)
        writer.add_rope_dimension_count(rotated)
        writer.add_leading_dense_block_count(config["first_k_dense_replace"])
        writer.add_expert_shared_count(config.get("n_shared_experts") or 0)
        writer.add_expert_weights_scale(config["routed_scaling_factor"])
        if config.get("norm_topk_prob"):
            writer.add_expert_weights_norm(True)
        if config.get("n_group"):
            writer.add_expert_group_count(config["n_group"])
            writer.add_expert_group_used_count(config["topk_group"])
        if config["model_type"] != "deepseek_v2":  # V2's files have no such key
            writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if "index_topk" in config:
        writer.add_indexer_head_count(config["index_n_heads"])
        writer.add_indexer_key_length(config["index_head_dim"])
        writer.add_indexer_top_k(config["index_topk"])
    if arch == "glm4moe":
        head = config.get("head_dim") or config["hidden_size"] // heads
        factor = rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 0.5))
        writer.add_rope_dimension_count(int(head * factor))
        write_sigmoid_router(writer, config)
    if arch == "dots1":
        write_sigmoid_router(writer, config)
    if arch == "minimax-m2":
        writer.add_expert_feed_forward_length(config["intermediate_size"])
        writer.add_rope_dimension_count(config["rotary_dim"])
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if arch == "ernie4_5-moe":
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_interleave_moe_layer_step(config["moe_layer_interval"])
        writer.add_leading_dense_block_count(config["moe_layer_start_index"])
        writer.add_expert_shared_count(config["moe_num_shared_experts"])
        writer.add_expert_shared_feed_forward_length(config["intermediate_size"] // config["num_key_value_heads"])
    if arch == "hy_v3":
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_expert_shared_feed_forward_length(config["moe_intermediate_size"] * config["num_shared_experts"])
        writer.add_expert_weights_norm(config.get("route_norm", True))
        writer.add_expert_weights_scale(config["router_scaling_factor"])
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_vocab_size(config["vocab_size"])


def main():
    OUT.mkdir(exist_ok=True)
    for file, options in FILES.items():
        split = options.get("split", True)
        directory = FAMILIES / file.removesuffix("_unsplit")
        config = json.loads((directory / "config.json").read_text())
        rope = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 10000.0), **(config.get("rope_scaling") or {})}
        rope["rope_type"] = rope.get("rope_type") or rope.get("type") or "default"
        arch = ARCHITECTURES[config["model_type"]]
        tensors = {}
        for shard in sorted(directory.glob("*.safetensors")):
            tensors |= load_file(shard)
        heads, kv_heads = config["num_attention_heads"], config.get("num_key_value_heads") or config["num_attention_heads"]
        tensors = gpt_oss(tensors) if arch == "gpt-oss" else stacked(tensors)
        tensors = hunyuan(tensors) if arch == "hy_v3" else tensors
        if arch in LATENT and split:
            tensors = latent(tensors, config)
        writer = gguf.GGUFWriter(OUT / f"{file}.gguf", arch)
        write_keys(writer, arch, config, rope, split)
        names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[NAMED_AS.get(arch, arch)], config["num_hidden_layers"] + drafts(config))
        dropped = ("model.mtp_", *(f"model.layers.{config['num_hidden_layers'] + i}." for i in range(drafts(config), 1)))
        if rope["rope_type"] == "llama3":
            tensors["rope_freqs.weight"] = llama3_factors(rope, config.get("head_dim") or config["hidden_size"] // heads)
        for name, tensor in tensors.items():
            if name == "lm_head.weight" and config.get("tie_word_embeddings") or name.startswith(dropped):
                continue
            if arch == "llama" and re.search(r"\.[qk]_proj\.(weight|bias)$", name):
                tensor = permute(tensor, heads if ".q_proj" in name else kv_heads)
            if name.endswith("e_score_correction_bias"):
                name += ".bias"  # as the converter spells it
                name = name.replace("e_score_correction_bias.bias", "e_score_correction.bias")
            new = name if name == "rope_freqs.weight" else names.get_name(name, try_suffixes=(".weight", ".bias"))
            assert new, name
            tensor = tensor.contiguous()
            if new.endswith("ffn_gate_inp_shexp.weight"):
                tensor = tensor.squeeze(0)
            if tensor.dim() == 1 or new.endswith("ffn_gate_inp.weight"):
                tensor = tensor.float()
            if tensor.dtype == torch.bfloat16:
                writer.add_tensor(new, tensor.view(torch.uint16).numpy().view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
            else:
                writer.add_tensor(new, tensor.numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


if __name__ == "__main__":
    main()
