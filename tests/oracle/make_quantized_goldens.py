# SPDX-License-Identifier: Apache-2.0
"""One linear layer in each way in which checkpoints quantise it, and what its tensors mean.

    pip install compressed-tensors
    python tests/oracle/make_quantized_goldens.py     # rewrites tests/golden/quantized/

KIND.safetensors holds "m.PART" for every tensor of the layer, as a checkpoint does, and "expected" [out, in], f32.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/oracle"))
from families.modules import KINDS                                                # noqa: E402

OUT = ROOT / "tests/golden/quantized"
SHAPES = {"fp8_block": (130, 136), "int4_channel": (9, 44), "int8_bytes": (9, 44), "fp8_channel": (9, 44),
          "gptq_short_group": (24, 96)}


def main():
    OUT.mkdir(exist_ok=True)
    for kind, quantize in KINDS.items():
        generator = torch.Generator().manual_seed(1)
        rows, columns = SHAPES.get(kind, (24, 64))
        weight = torch.randn(rows, columns, generator=generator) * 0.1
        stored, meant = quantize(weight, generator)
        assert meant.shape == weight.shape and meant.dtype == torch.float32 and torch.isfinite(meant).all()
        error = ((meant - weight).norm() / weight.norm()).item()
        print(f"{kind}: error {error:.3f}, {sorted((n, list(t.shape), str(t.dtype)) for n, t in stored.items())}")
        tensors = {f"m.{part}": t.contiguous() for part, t in stored.items()} | {"expected": meant.contiguous()}
        save_file(tensors, OUT / f"{kind}.safetensors")


if __name__ == "__main__":
    main()
