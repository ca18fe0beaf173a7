# SPDX-License-Identifier: Apache-2.0
"""Writes what transformers computes for a text: tokens, logits and chosen experts, for trine-verify --against.

    pip install torch transformers safetensors
    python examples/verify/write_reference.py MODEL "A text of some length." reference.safetensors
    trine-verify -m MODEL --against reference.safetensors
"""
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

name, text, output = sys.argv[1:]
ids = AutoTokenizer.from_pretrained(name)(text, return_tensors="pt").input_ids
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, attn_implementation="eager").eval()
tensors = {"input_ids": ids}
for path, module in model.named_modules():
    if type(module).__name__.endswith("Router"):            # its last output are the chosen experts, [tokens, k]
        layer = path.split("layers.")[1].split(".")[0]
        module.register_forward_hook(lambda _, __, out, key=f"experts.{layer}": tensors.update({key: out[-1].contiguous()}))
with torch.no_grad():
    tensors["logits"] = model(ids).logits
save_file(tensors, output)
