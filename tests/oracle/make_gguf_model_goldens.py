# SPDX-License-Identifier: Apache-2.0
"""Tiny models of tests/golden/families as GGUF files, written with the gguf package as llama.cpp's converter writes them.

    pip install gguf numpy torch safetensors
    python tests/oracle/make_gguf_model_goldens.py             # rewrites tests/golden/gguf_models/*.gguf
    python tests/oracle/make_gguf_model_goldens.py NAME ...    # these files only

Each file holds the same numbers as the model it is named after, so its logits are those of that golden. Names of tensors come
from the gguf package; what the converter changes is written out here: rows of q and k permuted (llama), experts stacked,
kv_b_proj split with the keys transposed (deepseek2; files from before 2025-04 have it whole), gate and up apart (gpt-oss),
the scaling of Llama 3 as divisors of the frequencies; of Gated DeltaNet what delta() says.
"""
import json
import math
import re
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
FAMILIES, OUT = ROOT / "tests/golden/families", ROOT / "tests/golden/gguf_models"

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
                 "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe", "qwen3_next": "qwen3next", "qwen3_5_moe_text": "qwen35moe",
                 "olmoe": "olmoe", "gpt_oss": "gpt-oss", "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2",
                 "kimi_k2": "deepseek2", "glm4_moe": "glm4moe", "glm4_moe_lite": "deepseek2", "gemma4_text": "gemma4",
                 "minimax_m2": "minimax-m2", "ernie4_5_moe": "ernie4_5-moe", "dots1": "dots1", "hy_v3": "hy_v3",
                 "deepseek_v32": "deepseek32", "glm_moe_dsa": "glm-dsa", "lfm2_moe": "lfm2moe", "afmoe": "afmoe",
                 "granitemoe": "granitemoe", "llama4_text": "llama4", "mimo_v2_flash": "mimo2", "sarvam_moe": "bailingmoe2",
                 "exaone_moe": "exaone-moe", "hunyuan_v1_moe": "hunyuan-moe", "mistral4": "mistral4", "cohere2_moe": "cohere2moe",
                 "laguna": "laguna", "mellum": "mellum"}
LATENT = ("deepseek2", "deepseek32", "glm-dsa", "mistral4")
PERMUTED = ("llama", "granitemoe")
# The package has no list of their tensors: names of the same parts of another architecture.
NAMED_AS = {"hy_v3": "exaone-moe", "deepseek32": "glm-dsa", "cohere2moe": "exaone-moe", "laguna": "exaone-moe", "mellum": "qwen3moe"}
# name of the file: name of the family golden, and options
FILES = {
    "llama_biases": {}, "llama_llama3_rope": {}, "llama_linear_rope": {}, "mistral_sliding_window": {},
    "mixtral": {}, "mixtral_fused_tied": {}, "qwen2": {}, "qwen3_bias": {}, "qwen2_moe": {}, "qwen3_moe": {},
    "olmoe": {}, "olmoe_clip_qkv": {}, "deepseek_v2_lite": {}, "deepseek_v2_lite_unsplit": {"split": False},
    "deepseek_v2_group_limited": {}, "deepseek_v3_yarn_groups": {}, "deepseek_v3_yarn_groups_unsplit": {"split": False},
    "deepseek_v3_kimi_k2": {}, "deepseek_v3_plain": {}, "gpt_oss_bf16": {}, "gpt_oss_mxfp4": {},
    "gemma4_text": {}, "glm4_moe": {}, "glm4_moe_qk_norm": {}, "glm4_moe_lite": {}, "minimax_m2": {}, "ernie4_5_moe": {},
    "dots1": {}, "hy_v3": {}, "hy_v3_biases": {}, "deepseek_v32": {}, "glm_moe_dsa": {},
    "glm_moe_dsa_frequency": {},
    "qwen3_next": {}, "qwen3_next_unsplit": {"split": False}, "qwen3_5_moe": {"drafts": True}, "qwen3_5_moe_text": {},
    "lfm2_moe": {}, "afmoe_trinity": {}, "granitemoe": {}, "granitemoe_biases": {}, "llama4_text_scout": {},
    "mimo_v2_flash": {"drafts": True}, "sarvam_moe": {"drafts": True}, "exaone_moe": {"drafts": True}, "hunyuan_v1_moe": {},
    "mistral4": {}, "cohere2_moe": {"drafts": True}, "qwen3_moe_nvfp4_modelopt": {"bytes": "NVFP4"}, "laguna": {},
    "mellum": {},
}
TIED = ("lfm2_moe",)                                              # families whose heads are tied unless they say otherwise
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


def mxfp4(blocks, scales):
    """[..., blocks, 16] codes of neighbours in a byte, and [..., blocks] exponents, become blocks of ggml: the exponent, then
    codes i and i + 16 in a byte."""
    codes = torch.stack([blocks & 15, blocks >> 4], dim=-1).flatten(-2)
    packed = codes[..., :16] | codes[..., 16:] << 4
    return torch.cat([scales.unsqueeze(-1), packed], dim=-1).flatten(-2)


def nvfp4(codes, scales):
    """[rows, columns / 2] codes of neighbours in a byte, and [rows, columns / 16] FP8 scales, become blocks of ggml of 64 values:
    four scales, then for each of them codes i and i + 8 in a byte."""
    fours = torch.stack([codes & 15, codes >> 4], dim=-1).flatten(1).unflatten(1, (-1, 4, 16))
    packed = fours[..., :8] | fours[..., 8:] << 4
    return torch.cat([scales.view(torch.uint8).unflatten(1, (-1, 4)), packed.flatten(2)], dim=-1).flatten(1)


def modelopt(tensors):
    """Scales of whole tensors, and those of activations, lie beside the weights."""
    result = {}
    for name, tensor in tensors.items():
        if name.endswith(("weight_scale", "weight_scale_2", "input_scale")):
            continue
        base = name.removesuffix("weight")
        if base + "weight_scale" in tensors:
            tensor = nvfp4(tensor, tensors[base + "weight_scale"])
            result[base + "scale"] = tensors[base + "weight_scale_2"].reshape(1)
            result[base + "input_scale"] = tensors[base + "input_scale"].reshape(1)
        result[name] = tensor
    experts = {}
    for name in [name for name in result if ".experts." in name]:
        base, expert, rest = re.fullmatch(r"(.*\.experts)\.(\d+)\.(.*)", name).groups()
        experts.setdefault(f"{base}.{rest}", {})[int(expert)] = result.pop(name)
    for name, parts in experts.items():
        parts = [parts[e] for e in range(len(parts))]
        result[name] = torch.stack(parts) if name.endswith("weight") else torch.cat(parts)
    return result


def gpt_oss(tensors):
    """Plain experts lie transposed, and the rows of gate and up alternate."""
    result = {}
    for name, tensor in tensors.items():
        if name.endswith("_blocks"):
            tensor, base = mxfp4(tensor, tensors[name.replace("_blocks", "_scales")]), name.removesuffix("_blocks")
            if base.endswith("gate_up_proj"):
                base = base.removesuffix("gate_up_proj")
                result[base + "gate_proj.weight"], result[base + "up_proj.weight"] = tensor[:, ::2], tensor[:, 1::2]
            else:
                result[base + ".weight"] = tensor
        elif name.endswith("_scales"):
            continue
        elif name.endswith("experts.gate_up_proj"):
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


def delta(tensors, config, arch, split):
    """Norms plus one, A_log as -exp of it, filters [channels, width]; q, k, v and z one after the other (qwen3next; files from
    before 2026 have them key head by key head), or value heads in the order of key heads, again and again (qwen35moe)."""
    groups, heads = config["linear_num_key_heads"], config["linear_num_value_heads"]
    dk, dv = config["linear_key_head_dim"], config["linear_value_head_dim"]

    def tiled(t, dim, width, first=0):
        if arch != "qwen35moe":
            return t
        head = t.narrow(dim, first, t.shape[dim] - first).unflatten(dim, (groups, heads // groups, width))
        return torch.cat([t.narrow(dim, 0, first), head.transpose(dim, dim + 1).flatten(dim, dim + 2)], dim)

    result = {}
    for name, tensor in tensors.items():
        if name.startswith(("mtp.", "model.visual.")):
            continue
        name = name.replace("model.language_model.", "model.")
        if name.endswith("norm.weight") and not name.endswith("linear_attn.norm.weight"):
            tensor = tensor.float() + 1
        elif name.endswith("A_log"):
            tensor = tiled(-tensor.float().exp(), 0, 1)
        elif name.endswith("dt_bias"):
            name, tensor = name.replace("dt_bias", "dt_proj.bias"), tiled(tensor, 0, 1)
        elif name.endswith("conv1d.weight"):
            tensor = tiled(tensor.squeeze(1), 0, dv, 2 * groups * dk).float()
        elif name.endswith("in_proj_qkv.weight"):
            tensor = tiled(tensor, 0, dv, 2 * groups * dk)
        elif name.endswith("in_proj_z.weight"):
            tensor = tiled(tensor, 0, dv)
        elif name.endswith(("in_proj_b.weight", "in_proj_a.weight")):
            tensor = tiled(tensor, 0, 1)
        elif name.endswith("linear_attn.out_proj.weight"):
            tensor = tiled(tensor, 1, dv)
        elif name.endswith("in_proj_qkvz.weight") and split:
            values = heads // groups * dv
            q, k, v, z = [t.flatten(0, 1) for t in tensor.unflatten(0, (groups, -1)).split([dk, dk, values, values], 1)]
            result[name.replace("qkvz", "qkv")], result[name.replace("qkvz", "z")] = torch.cat([q, k, v]), z
            continue
        result[name] = tensor
    return result


def load_in_order(path):
    """Tensors in the order of the file. load_file returns those that start at one offset, all but one of them empty, in any
    order: empty ones come last here, by name."""
    empty_last = lambda item: (item[1].numel() == 0, item[0] if item[1].numel() == 0 else "")
    return dict(sorted(load_file(path).items(), key=empty_last))


def draft_layer(tensors, config, arch):
    """A block of multi-token prediction, with which files of many families end: as the last layer, and its own."""
    torch.manual_seed(0)
    last, hidden = config["num_hidden_layers"] - 1, config["hidden_size"]
    extra = {n.replace(f"layers.{last}.", f"layers.{last + 1}."): t for n, t in tensors.items() if f"layers.{last}." in n}
    own = {"nextn.eh_proj": (hidden, 2 * hidden), "nextn.enorm": (hidden,), "nextn.hnorm": (hidden,)}
    if arch == "bailingmoe2":
        own["layer_output_norm"] = (hidden,)
    return extra | {f"blk.{last + 1}.{name}.weight": torch.rand(*shape) for name, shape in own.items()}


def granite(tensors):
    """Gate before up in input_linear."""
    result = {}
    for name, tensor in tensors.items():
        if name.endswith("input_linear.weight"):
            base = name.removesuffix("input_linear.weight") + "experts."
            result[base + "gate_proj.weight"], result[base + "up_proj.weight"] = tensor.chunk(2, dim=1)
        else:
            result[name.replace("output_linear", "experts.down_proj").replace("router.layer", "gate")] = tensor
    return {name.replace("block_sparse_moe.router", "block_sparse_moe.gate").replace("block_sparse_moe.", "mlp."): tensor
            for name, tensor in stacked(result).items()}


def llama4(tensors):
    """Experts lie transposed, gate before up."""
    return stacked({name: tensor.transpose(1, 2) if name.endswith(("gate_up_proj", "down_proj")) else tensor
                    for name, tensor in tensors.items()})


def fused(tensors):
    """Fused experts stay so."""
    return {name + ".weight" if name.endswith(("experts.gate_up_proj", "experts.down_proj")) else name: tensor
            for name, tensor in tensors.items()}


def laguna(tensors):
    """The gate's name is not in the package; the others as transformers 5 has them."""
    return {re.sub(r"model\.layers\.(\d+)\.self_attn\.g_proj", r"blk.\1.attn_gate", name).replace("shared_expert.", "shared_experts.")
            .replace("experts.e_score", "gate.e_score"): tensor for name, tensor in stacked(tensors).items()}


def sarvam(tensors):
    """A bias whose mean is 0."""
    return {name: tensor - tensor.mean() if name.endswith("expert_bias") else tensor for name, tensor in stacked(tensors).items()}


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


def write_gemma4_keys(writer, config):
    slides = [kind == "sliding_attention" for kind in config["layer_types"]]
    full, sliding = config["global_head_dim"], config["head_dim"]
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv([config["num_key_value_heads" if s else "num_global_key_value_heads"] for s in slides])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["full_attention"]["rope_theta"])
    writer.add_rope_freq_base_swa(config["rope_parameters"]["sliding_attention"]["rope_theta"])
    writer.add_expert_count(config["num_experts"])
    writer.add_expert_used_count(config["top_k_experts"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_sliding_window(config["sliding_window"])
    writer.add_sliding_window_pattern(slides)
    writer.add_shared_kv_layers(0)
    writer.add_embedding_length_per_layer_input(0)
    writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    writer.add_key_length(full)
    writer.add_value_length(full)
    writer.add_key_length_swa(sliding)
    writer.add_value_length_swa(sliding)
    writer.add_rope_dimension_count(full)
    writer.add_rope_dimension_count_swa(sliding)
    writer.add_vocab_size(config["vocab_size"])


def gemma4(tensors, config):
    """Fused experts stay so. Pairs of full layers that do not rotate have a very large divisor of their frequency."""
    pairs = config["global_head_dim"] // 2
    rotated = int(pairs * config["rope_parameters"]["full_attention"]["partial_rotary_factor"])
    own = {"layer_scalar": "layer_scalar.weight", "experts.gate_up_proj": "experts.gate_up_proj.weight",
           "experts.down_proj": "experts.down_proj.weight"}
    scales = {"router.scale": "ffn_gate_inp.scale", "router.per_expert_scale": "ffn_down_exps.scale"}
    result = {"rope_freqs.weight": torch.tensor([1.0] * rotated + [1e30] * (pairs - rotated))}
    for name, tensor in tensors.items():
        for old, new in own.items():
            name = name.removesuffix(old) + new if name.endswith("." + old) else name
        for old, new in scales.items():
            name = f"blk.{name.split('.')[2]}.{new}" if name.endswith("." + old) else name
        result[name] = tensor
    return result


def kept_drafts(config):
    """Layers for multi-token prediction that the converter keeps."""
    return config.get("num_nextn_predict_layers", 0) if config["model_type"] in ("glm4_moe", "hy_v3") else 0


def sliding_layers(config):
    """Which layers slide, in files that say so."""
    layers, dense = config["num_hidden_layers"], config.get("first_k_dense_replace", 0)
    if config.get("layer_types"):
        return [kind == "sliding_attention" for kind in config["layer_types"]]
    return [i >= dense and (i - dense + 1) % config["sliding_window_pattern"] != 0 for i in range(layers)]


def write_new_keys(writer, arch, config, drafts):
    """Of families since the summer of 2025, what is particular."""
    sigmoid = gguf.ExpertGatingFuncType.SIGMOID
    if arch == "afmoe":
        writer.add_expert_shared_count(config["num_shared_experts"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_leading_dense_block_count(config["num_dense_layers"])
        writer.add_expert_weights_norm(config["route_norm"])
        writer.add_expert_weights_scale(config["route_scale"])
        writer.add_expert_gating_func(sigmoid)
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])
        writer.add_sliding_window(config["sliding_window"])
        writer.add_rope_dimension_count(config["head_dim"])
    if arch == "granitemoe":
        writer.add_attention_scale(config["attention_multiplier"])
        writer.add_embedding_scale(config["embedding_multiplier"])
        writer.add_residual_scale(config["residual_multiplier"])
        writer.add_logit_scale(config["logits_scaling"])
        writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    if arch == "llama4":
        writer.add_interleave_moe_layer_step(config["interleave_moe_layer_step"])
        writer.add_expert_feed_forward_length(config["intermediate_size"])
        writer.add_rope_dimension_count(config["head_dim"])
    if arch == "mimo2":
        slides = sliding_layers(config) + [True] * drafts
        heads = config["num_key_value_heads"]
        writer.add_head_count_kv([2 * heads if one else heads for one in slides])
        writer.add_sliding_window(config["sliding_window"])
        writer.add_sliding_window_pattern(slides)
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["v_head_dim"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_expert_gating_func(sigmoid)
        rope = config["rope_parameters"]
        writer.add_rope_dimension_count(int(config["head_dim"] * rope["full_attention"]["partial_rotary_factor"]))
        writer.add_rope_freq_base_swa(rope["sliding_attention"]["rope_theta"])
        writer.add_float32("mimo2.attention.value_scale", config["attention_value_scale"])
    if arch == "bailingmoe2":
        width, shared = config["moe_intermediate_size"], config["num_shared_experts"]
        writer.add_rope_dimension_count(config["head_dim"])
        writer.add_leading_dense_block_count(config["first_k_dense_replace"])
        writer.add_expert_feed_forward_length(width)
        writer.add_expert_shared_feed_forward_length(width * shared)
        writer.add_expert_weights_scale(config["routed_scaling_factor"])
        writer.add_expert_shared_count(shared)
        writer.add_expert_weights_norm(config["norm_topk_prob"])
        writer.add_expert_gating_func(sigmoid)
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])
    if arch == "exaone-moe":
        width, shared = config["moe_intermediate_size"], config["num_shared_experts"]
        writer.add_sliding_window(config["sliding_window"])
        writer.add_sliding_window_pattern(sliding_layers(config))
        writer.add_expert_feed_forward_length(width)
        writer.add_expert_shared_count(shared)
        writer.add_expert_shared_feed_forward_length(width * shared)
        writer.add_expert_weights_scale(config["routed_scaling_factor"])
        writer.add_expert_weights_norm(config["norm_topk_prob"])
        writer.add_expert_gating_func(sigmoid)
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])
        writer.add_leading_dense_block_count(config["first_k_dense_replace"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
    if arch == "hunyuan-moe":
        alpha, head = config["rope_scaling"]["alpha"], config["head_dim"]
        writer.add_rope_freq_base(config["rope_theta"] * alpha ** (head / (head - 2)))
        writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
        writer.add_rope_scaling_factor(1)
        writer.add_rope_scaling_orig_ctx_len(config["max_position_embeddings"])
        writer.add_expert_shared_feed_forward_length(config["intermediate_size"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"][0])
        writer.add_expert_shared_count(config["num_shared_expert"][0])
    if arch == "laguna":
        full, sliding = config["rope_parameters"]["full_attention"], config["rope_parameters"]["sliding_attention"]
        writer.add_head_count(config["num_attention_heads_per_layer"])
        writer.add_sliding_window(config["sliding_window"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
        writer.add_expert_weights_norm(True)
        writer.add_expert_weights_scale(config["moe_routed_scaling_factor"])
        writer.add_expert_gating_func(sigmoid)
        writer.add_leading_dense_block_count(config["mlp_layer_types"].count("dense"))
        writer.add_rope_dimension_count(int(config["head_dim"] * full["partial_rotary_factor"]))
        writer.add_uint32("laguna.rope.dimension_count_swa", int(config["head_dim"] * sliding["partial_rotary_factor"]))
        writer.add_rope_freq_base_swa(sliding["rope_theta"])
    if arch == "mellum":
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_sliding_window(config["sliding_window"])
        writer.add_sliding_window_pattern(sliding_layers(config))
        writer.add_rope_freq_base_swa(config["rope_parameters"]["sliding_attention"]["rope_theta"])
    if arch == "cohere2moe":
        width, shared = config["intermediate_size"], config["num_shared_experts"]
        writer.add_layer_norm_eps(config["layer_norm_eps"])
        writer.add_logit_scale(config["logit_scale"])
        writer.add_sliding_window(config["sliding_window"])
        writer.add_sliding_window_pattern(sliding_layers(config))
        writer.add_expert_feed_forward_length(width)
        writer.add_leading_dense_block_count(config["first_k_dense_replace"])
        writer.add_expert_weights_norm(config["norm_topk_prob"])
        writer.add_expert_gating_func(sigmoid)
        writer.add_expert_shared_count(shared)
        writer.add_expert_shared_feed_forward_length(width * shared)
        writer.add_rope_dimension_count(config["head_dim"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)


def write_sigmoid_router(writer, config):
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    writer.add_expert_weights_norm(config["norm_topk_prob"])
    writer.add_expert_group_count(config["n_group"])
    writer.add_expert_group_used_count(config["topk_group"])


def write_keys(writer, arch, config, rope, split, drafts):
    if arch == "gemma4":
        return write_gemma4_keys(writer, config)
    heads = config["num_attention_heads"]
    writer.add_block_count(config["num_hidden_layers"] + drafts)
    if drafts:
        writer.add_nextn_predict_layers(drafts)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    widths = ("prefix_dense_intermediate_size", "intermediate_size_mlp", "intermediate_size")
    if ffn := next((config[key] for key in widths if key in config), 0):
        writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    kv_heads = 1 if arch in LATENT and split else config.get("num_key_value_heads") or heads
    if arch == "lfm2moe":
        kv_heads = [0 if kind == "conv" else kv_heads for kind in config["layer_types"]]
        writer.add_shortconv_l_cache(config["conv_L_cache"])
        writer.add_leading_dense_block_count(config["num_dense_layers"])
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_head_count_kv(kv_heads)
    if eps := config.get("rms_norm_eps") or config.get("norm_eps"):
        writer.add_layer_norm_rms_eps(eps)
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
        writer.add_expert_used_count(config.get("num_experts_per_tok") or config.get("moe_k") or config["moe_topk"][0])
    if arch in ("qwen3next", "qwen35moe"):
        writer.add_ssm_conv_kernel(config["linear_conv_kernel_dim"])
        writer.add_ssm_state_size(config["linear_key_head_dim"])
        writer.add_ssm_group_count(config["linear_num_key_heads"])
        writer.add_ssm_time_step_rank(config["linear_num_value_heads"])
        writer.add_ssm_inner_size(config["linear_value_head_dim"] * config["linear_num_value_heads"])
        kinds = config.get("layer_types")
        writer.add_full_attention_interval(
            kinds.index("full_attention") + 1 if kinds else config.get("full_attention_interval", 4))
        share = rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 0.25))
        writer.add_rope_dimension_count(int(config["head_dim"] * share))
        if arch == "qwen35moe":
            writer.add_rope_dimension_sections([*rope.get("mrope_section", [11, 11, 10]), 0])
    if arch in ("qwen2moe", "qwen3moe", "qwen3next", "qwen35moe", "lfm2moe", *LATENT):
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    if arch in ("qwen2moe", "qwen3next", "qwen35moe"):
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
        if config["model_type"] not in ("deepseek_v2", "mistral4"):  # their files have no such key
            writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if "index_topk" in config:
        writer.add_indexer_head_count(config["index_n_heads"])
        writer.add_indexer_key_length(config["index_head_dim"])
        writer.add_indexer_top_k(config["index_topk"])
    if "index_topk_freq" in config:
        frequency, offset = config["index_topk_freq"], config["index_skip_topk_offset"]
        writer.add_array(f"{arch}.attention.indexer.types", [
            int(max(i + 1 - offset, 0) % frequency == 0) for i in range(config["num_hidden_layers"])])
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
    write_new_keys(writer, arch, config, drafts)
    writer.add_vocab_size(config["vocab_size"])


def main():
    OUT.mkdir(exist_ok=True)
    for file in sys.argv[1:] or FILES:
        options = FILES[file]
        split = options.get("split", True)
        directory = FAMILIES / file.removesuffix("_unsplit")
        config = json.loads((directory / "config.json").read_text())
        config = config.get("text_config", config)
        drafts = 1 if options.get("drafts") else kept_drafts(config)
        rope = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 10000.0), **(config.get("rope_scaling") or {})}
        rope = rope.get("full_attention", rope) if config["model_type"] != "gemma4_text" else rope
        rope["rope_type"] = rope.get("rope_type") or rope.get("type") or "default"
        arch = ARCHITECTURES[config["model_type"]]
        tensors = {}
        for shard in sorted(directory.glob("*.safetensors")):
            tensors |= load_in_order(shard)
        heads, kv_heads = config["num_attention_heads"], config.get("num_key_value_heads") or config["num_attention_heads"]
        tensors = {"gpt-oss": gpt_oss, "gemma4": lambda t: gemma4(t, config), "granitemoe": granite, "llama4": llama4,
                   "mistral4": fused, "bailingmoe2": sarvam, "laguna": laguna}.get(
                       arch, modelopt if "quantization_config" in config and arch == "qwen3moe" else stacked)(tensors)
        tensors = hunyuan(tensors) if arch == "hy_v3" else tensors
        if arch in LATENT and split:
            tensors = latent(tensors, config)
        if arch in ("qwen3next", "qwen35moe"):
            tensors = delta(tensors, config, arch, split)
        if options.get("drafts"):
            tensors |= draft_layer(tensors, config, arch)
        writer = gguf.GGUFWriter(OUT / f"{file}.gguf", arch)
        dropped = ("model.mtp_", *(f"model.layers.{config['num_hidden_layers'] + i}." for i in range(drafts, 1)))
        write_keys(writer, arch, config, rope, split, drafts)
        names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[NAMED_AS.get(arch, arch)], config["num_hidden_layers"] + drafts)
        if rope["rope_type"] == "llama3":
            tensors["rope_freqs.weight"] = llama3_factors(rope, config.get("head_dim") or config["hidden_size"] // heads)
        for name, tensor in tensors.items():
            if name == "lm_head.weight" and config.get("tie_word_embeddings", config["model_type"] in TIED) or \
                    name.startswith(dropped):
                continue
            if arch in PERMUTED and re.search(r"\.[qk]_proj\.(weight|bias)$", name):
                tensor = permute(tensor, heads if ".q_proj" in name else kv_heads)
            if name.endswith("expert_bias"):
                name += ".bias"
            if name.endswith("attention_sink_bias"):
                name += ".weight"
            if name.endswith("conv.conv.weight"):
                tensor = tensor.squeeze(1).float()
            if name.endswith("e_score_correction_bias"):
                name += ".bias"  # as the converter spells it
                name = name.replace("e_score_correction_bias.bias", "e_score_correction.bias")
            suffixes = {"try_suffixes": (".weight", ".bias", ".scale", ".input_scale")}
            new = name if name.startswith(("rope_freqs", "blk.")) else (
                names.get_name(name, **suffixes) or names.get_name(name.removeprefix("model."), **suffixes))
            assert new, name
            tensor = tensor.contiguous()
            if new.endswith("ffn_gate_inp_shexp.weight"):
                tensor = tensor.squeeze(0)
            if tensor.dim() == 1 or new.endswith("ffn_gate_inp.weight"):
                tensor = tensor.float()
            if tensor.dtype == torch.uint8:
                writer.add_tensor(new, tensor.numpy(), raw_dtype=gguf.GGMLQuantizationType[options.get("bytes", "MXFP4")])
            elif tensor.dtype == torch.bfloat16:
                writer.add_tensor(new, tensor.view(torch.uint16).numpy().view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
            else:
                writer.add_tensor(new, tensor.numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


if __name__ == "__main__":
    main()
