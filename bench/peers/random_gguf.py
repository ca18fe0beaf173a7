# SPDX-License-Identifier: Apache-2.0
"""A GGUF file of random weights in the shape of a published model; runs where `gguf` and `numpy` are installed.

    python random_gguf.py --shape deepseek-v2-lite --layers 6 --type Q4_K_M FILE

Key names are those of the `gguf` package, values those that llama.cpp's converter writes for these models; the types of
the tensors follow llama.cpp's quantisation of the same name. Values have about the spread of a trained model's. At most
a few MiB of them are in memory: of each type there is one piece of random blocks, written over and over.
"""
import argparse
import os
import sys
from pathlib import Path

import gguf
import numpy as np

from shapes import CONFIGS, config_of, experts_of, head_dim, is_qwen_next, tensors_of

T = gguf.GGMLQuantizationType
FILE_TYPES = {"Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "Q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
              "Q4_K_M": gguf.LlamaFileType.MOSTLY_Q4_K_M, "BF16": gguf.LlamaFileType.MOSTLY_BF16}
BASE_TYPES = {"Q8_0": T.Q8_0, "Q4_0": T.Q4_0, "Q4_K_M": T.Q4_K, "BF16": T.BF16}
ARCHITECTURES = {"deepseek_v2": "deepseek2", "qwen3_moe": "qwen3moe", "qwen3_next": "qwen3next",   # by model_type
                 "qwen3_5_moe_text": "qwen35moe", "mixtral": "llama"}
NARROW = {T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0}   # for rows that are no multiple of 256
SPREAD = 0.02         # standard deviation of weights
PIECE_BLOCKS = 8191   # a prime, so that rows do not repeat


def tensor_type(tensor, config, file_type):
    """What llama.cpp stores the tensor as."""
    if len(tensor.shape) == 1 or "ffn_gate_inp" in tensor.name or "ssm_conv1d" in tensor.name:
        return T.F32
    wanted = _wanted_type(tensor, config, file_type)
    if tensor.shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0] != 0:
        wanted = NARROW.get(wanted, wanted)
    return wanted if tensor.shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0] == 0 else T.F16


def _wanted_type(tensor, config, file_type):
    base = BASE_TYPES[file_type]
    if base == T.BF16:
        return base
    part = tensor.name.split(".")[-2]
    if part == "output":
        return base if base == T.Q8_0 else T.Q6_K
    if experts_of(config)[0] == 8 and part in ("attn_k", "attn_v"):
        return T.Q8_0
    if file_type == "Q4_K_M":
        if experts_of(config)[0] == 8 and part == "attn_output":
            return T.Q5_K
        if (part == "attn_v" or part.startswith("ffn_down")) and _more_bits(tensor.layer, config["num_hidden_layers"]):
            return T.Q6_K
    return base


def _more_bits(layer, layers):
    """The first and last eighth of the layers, and every third between them."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


class RandomBlocks:
    """Rows of random blocks, [PIECE_BLOCKS, bytes of a block]. Scales are far from zero and from infinity."""

    def __init__(self, seed):
        self._random = np.random.default_rng(seed)
        self._pieces = {}

    def piece(self, kind):
        if kind not in self._pieces:
            self._pieces[kind] = self._make(kind)
        return self._pieces[kind]

    def _make(self, kind):
        if kind == T.F32:
            return self._normal().view(np.uint8)
        if kind == T.F16:
            return self._normal().astype(np.float16).view(np.uint8)
        if kind == T.BF16:
            return (self._normal().view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        _, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = self._random.integers(0, 256, (PIECE_BLOCKS, size), dtype=np.uint8)
        uniform = SPREAD * 12.0 ** 0.5   # width of a uniform distribution of that spread
        if kind == T.Q8_0:                       # f16 scale; 32 x int8
            self._put_scale(blocks, 0, uniform / 256)
        elif kind == T.Q4_0:                     # f16 scale; 32 x 4 bits, less 8
            self._put_scale(blocks, 0, uniform / 16)
        elif kind == T.Q5_0:                     # f16 scale; 32 x 5 bits, less 16
            self._put_scale(blocks, 0, uniform / 32)
        elif kind == T.Q5_1:                     # f16 scale and minimum; 32 x 5 bits
            self._put_scale(blocks, 0, uniform / 32)
            self._put_scale(blocks, 2, -uniform / 2)
        elif kind in (T.Q4_K, T.Q5_K):           # f16 scales of scales and of minima; 8 x 2 x 6 bits; 256 x 4 or 5 bits
            levels = 16 if kind == T.Q4_K else 32
            scale = uniform / levels / 56        # the 6 bits are 32 on average, and their spread adds to that of values
            self._put_scale(blocks, 0, scale)
            self._put_scale(blocks, 2, scale * (levels - 1) / 2)
        elif kind == T.Q6_K:                     # 256 x 6 bits, less 32; 16 x int8 scales; f16 scale of scales
            blocks[:, 192:208] = self._random.integers(8, 25, (PIECE_BLOCKS, 16))
            self._put_scale(blocks, 208, uniform / 64 / 16)
        else:
            raise ValueError(f"no random blocks of type {kind.name}")
        return blocks

    def _normal(self):
        return self._random.normal(0.0, SPREAD, (PIECE_BLOCKS, 32)).astype(np.float32)

    def _put_scale(self, blocks, at, value):
        """A scale per block, up to a tenth off `value`."""
        scales = (value * self._random.uniform(0.9, 1.1, len(blocks))).astype(np.float16)
        blocks[:, at:at + 2] = scales.view(np.uint8).reshape(-1, 2)

    def write(self, file, kind, size):
        """`size` bytes of the type, beginning at any block of the piece."""
        piece = self.piece(kind)
        start = int(self._random.integers(0, len(piece)))
        head = piece[start:].tobytes()[:size]
        file.write(head)
        size -= len(head)
        whole = piece.tobytes()
        for _ in range(size // len(whole)):
            file.write(whole)
        file.write(whole[:size % len(whole)])


def bytes_of(tensor, config, file_type):
    block, size = gguf.GGML_QUANT_SIZES[tensor_type(tensor, config, file_type)]
    return tensor.count // block * size


def _add_keys(writer, config, file_type):
    latent = config["model_type"] == "deepseek_v2"
    experts, chosen = experts_of(config)
    writer.add_name("random")
    writer.add_file_type(FILE_TYPES[file_type])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    if "intermediate_size" in config:
        writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(1 if latent else config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_expert_count(experts)
    writer.add_expert_used_count(chosen)
    if latent:
        _add_latent_keys(writer, config)
        return
    writer.add_key_length(head_dim(config))
    writer.add_value_length(head_dim(config))
    writer.add_rope_dimension_count(int(head_dim(config) * config.get("partial_rotary_factor", 1.0)))
    if is_qwen_next(config):
        _add_delta_keys(writer, config)
    if config["model_type"] == "qwen3_moe" or is_qwen_next(config):
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])


def _add_delta_keys(writer, config):
    writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    writer.add_full_attention_interval(config["full_attention_interval"])
    writer.add_ssm_conv_kernel(config["linear_conv_kernel_dim"])
    writer.add_ssm_state_size(config["linear_key_head_dim"])
    writer.add_ssm_group_count(config["linear_num_key_heads"])
    writer.add_ssm_time_step_rank(config["linear_num_value_heads"])
    writer.add_ssm_inner_size(config["linear_value_head_dim"] * config["linear_num_value_heads"])
    if config["model_type"] == "qwen3_5_moe_text":
        writer.add_rope_dimension_sections([11, 11, 10, 0])


def _add_latent_keys(writer, config):
    rank, rope = config["kv_lora_rank"], config["qk_rope_head_dim"]
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
    writer.add_q_lora_rank(0)   # llama.cpp asks for it unless there are as many layers as the published model has
    writer.add_kv_lora_rank(rank)
    writer.add_key_length(rank + rope)
    writer.add_value_length(rank)
    writer.add_key_length_mla(config["qk_nope_head_dim"] + rope)
    writer.add_value_length_mla(config["v_head_dim"])
    writer.add_rope_dimension_count(rope)
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    writer.add_expert_weights_norm(config["norm_topk_prob"])
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SOFTMAX)
    scaling = config["rope_scaling"]
    if scaling:
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(scaling["factor"])
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
        writer.add_rope_scaling_yarn_log_mul(0.1 * scaling["mscale_all_dim"])


def write_model(path, config, file_type, progress=lambda done, total: None):
    """Writes beside `path` and renames at the end: what is there under that name is whole."""
    architecture = ARCHITECTURES[config["model_type"]]
    partial = path.with_name(path.name + ".partial")
    writer = gguf.GGUFWriter(partial, architecture)
    try:
        _add_keys(writer, config, file_type)
        tensors = [(t, tensor_type(t, config, file_type), bytes_of(t, config, file_type)) for t in tensors_of(config)]
        for tensor, kind, size in tensors:
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        file = writer.fout[0]
        blocks, done, total = RandomBlocks(seed=1), 0, sum(size for _, _, size in tensors)
        for tensor, kind, size in tensors:
            writer.write_padding(file, file.tell())
            if tensor.is_norm or tensor.is_decay:
                np.full(tensor.shape, -1.0 if tensor.is_decay else 1.0, np.float32).tofile(file)
            else:
                blocks.write(file, kind, size)
            writer.write_padding(file, size)
            done += size
            progress(done, total)
        writer.close()
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description="Writes a GGUF file of random weights.")
    parser.add_argument("--shape", required=True, choices=sorted(CONFIGS))
    parser.add_argument("--layers", type=int, default=None, help="default: as many as the model has")
    parser.add_argument("--tiny", action="store_true", help="a small model of the same structure")
    parser.add_argument("--type", required=True, choices=sorted(FILE_TYPES))
    parser.add_argument("file", type=Path)
    options = parser.parse_args()

    last = -1

    def show(done, total):
        nonlocal last
        percent = 100 * done // total
        if percent // 10 != last // 10:
            print(f"{options.file.name}: {percent} % of {total / 2**20:.0f} MiB", file=sys.stderr, flush=True)
        last = percent

    config = config_of(options.shape, options.layers, options.tiny)
    needed = sum(bytes_of(t, config, options.type) for t in tensors_of(config))
    free = os.statvfs(options.file.parent)
    if needed > free.f_bavail * free.f_frsize:
        sys.exit(f"{options.file}: needs {needed / 2**20:.0f} MiB, {free.f_bavail * free.f_frsize / 2**20:.0f} MiB are free")
    write_model(options.file, config, options.type, show)


if __name__ == "__main__":
    main()
