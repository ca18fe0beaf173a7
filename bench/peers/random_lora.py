# SPDX-License-Identifier: Apache-2.0
"""A LoRA adapter of random numbers in the shape of a published model, for llama.cpp and, as PEFT saves it, for trine.

    python random_lora.py --shape qwen3-30b-a3b --layers 6 --rank 16 --targets attention FOLDER

Writes FOLDER/adapter.gguf, FOLDER/adapter_config.json and FOLDER/adapter_model.safetensors with the same numbers in f32. Names
and keys of the GGUF file are those that llama.cpp's own converter of adapters writes. Runs where `gguf` and `numpy` are installed.
"""
import argparse
import json
import os
import sys
from pathlib import Path

import gguf
import numpy as np

from random_gguf import ARCHITECTURES
from shapes import CONFIGS, config_of, tensors_of

# Which tensors of a layer have an update, and what they are called in Hugging Face's files of these shapes.
ATTENTION = {"attn_q": "self_attn.q_proj", "attn_v": "self_attn.v_proj"}
ALL = {**ATTENTION, "attn_k": "self_attn.k_proj", "attn_output": "self_attn.o_proj", "ffn_gate_inp": "mlp.gate",
       "ffn_gate_exps": "mlp.experts.gate_proj", "ffn_up_exps": "mlp.experts.up_proj",
       "ffn_down_exps": "mlp.experts.down_proj"}
TARGETS = {"attention": ATTENTION, "all": ALL}
SPREAD = 0.01


def factors(config, rank, names):
    """(name in GGUF, name in PEFT, A [..., rank, in], B [..., out, rank]) of each update."""
    random = np.random.default_rng(0)
    for tensor in tensors_of(config):
        part = tensor.name.split(".")[-2]
        if tensor.layer < 0 or part not in names:
            continue
        *stack, out, width = tensor.shape
        a = random.standard_normal((*stack, rank, width), dtype=np.float32) * np.float32(SPREAD)
        b = random.standard_normal((*stack, out, rank), dtype=np.float32) * np.float32(SPREAD)
        yield tensor.name, f"model.layers.{tensor.layer}.{names[part]}", a, b


def write_gguf(path, architecture, rank, updates):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(2 * rank))
    for name, _, a, b in updates:
        writer.add_tensor(f"{name}.lora_a", a)
        writer.add_tensor(f"{name}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_peft(folder, rank, updates):
    entries, parts, offset = {}, [], 0
    for _, name, a, b in updates:
        for letter, array in (("A", a), ("B", b)):
            entries[f"base_model.model.{name}.lora_{letter}.weight"] = {
                "dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
            parts.append(array)
            offset += array.nbytes
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with open(folder / "adapter_model.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for array in parts:
            file.write(array.tobytes())
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank}
    (folder / "adapter_config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=sorted(name for name in CONFIGS if name != "deepseek-v2-lite"), required=True)
    parser.add_argument("--layers", type=int, default=None)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--targets", choices=sorted(TARGETS), default="attention")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    config = config_of(options.shape, options.layers, options.tiny)
    updates = list(factors(config, options.rank, TARGETS[options.targets]))
    partial = options.folder.with_name(options.folder.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    write_gguf(partial / "adapter.gguf", ARCHITECTURES[config["model_type"]], options.rank, updates)
    write_peft(partial, options.rank, updates)
    os.replace(partial, options.folder)


if __name__ == "__main__":
    sys.exit(main())
