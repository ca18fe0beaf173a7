# SPDX-License-Identifier: Apache-2.0
"""Files written by the `safetensors` and `huggingface_hub` packages, with what the packages read from them.

    pip install torch==2.13.0 safetensors==0.8.0 huggingface_hub==2.4.0 numpy packaging
    python tests/oracle/make_safetensors_goldens.py     # rewrites tests/golden/safetensors/

  every_dtype         an element type a tensor, random bits
  shapes_and_names    scalars, empty tensors, names that JSON escapes or that are not ASCII, metadata
  unaligned           the same tensors as every_dtype, by hand: data that begins 3 bytes after a multiple of 8
  sharded/            a state dict cut into files of at most 200 bytes, with its index
  refused_*           element types that the format knows and trine does not
"""
import json
import shutil
import struct
from importlib.metadata import version
from pathlib import Path

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import safe_open
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "tests/golden/safetensors"
SEED = 7

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn,
          "F8_E5M2": torch.float8_e5m2, "F8_E8M0": torch.float8_e8m0fnu, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16,
          "I8": torch.int8, "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8}


def bits(dtype, *shape):
    """Random bits as elements of `dtype`, NaNs and all."""
    count = dtype.itemsize * torch.Size(shape).numel()
    return torch.randint(0, 256, (count,), dtype=torch.uint8).view(dtype).reshape(shape)


def read(path):
    """What the package reads: {name: {"dtype", "shape", "hex"}}."""
    result = {}
    with safe_open(path, "pt") as file:
        for name in file.keys():
            tensor = file.get_tensor(name)
            data = tensor.reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0, dtype=torch.uint8)
            result[name] = {"dtype": file.get_slice(name).get_dtype(), "shape": list(tensor.shape), "hex": bytes(data.tolist()).hex()}
    return result


def shift_data(source, target, shift):
    """The same file, with a header that puts the data `shift` bytes after a multiple of 8."""
    content = source.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = content[8:8 + length].rstrip(b" ")
    header += b" " * ((shift - len(header)) % 8)
    target.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + length:])


def main():
    torch.manual_seed(SEED)
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "sharded").mkdir(parents=True)
    every = {name: bits(dtype, 2, 3) for name, dtype in DTYPES.items()} | {"BOOL": torch.tensor([[True, False, True], [False, True, False]])}
    save_file(every, OUT / "every_dtype.safetensors")
    shift_data(OUT / "every_dtype.safetensors", OUT / "unaligned.safetensors", 3)
    save_file({"scalar": bits(torch.float32), "empty": bits(torch.bfloat16, 0), "empty inside": bits(torch.float32, 2, 0, 3), "wide": bits(torch.float16, 1, 1, 7, 1, 2),
               "größe.weight": bits(torch.uint8, 1), "专家.0": bits(torch.uint8, 2), "😀": bits(torch.uint8, 3), 'quote " backslash \\ tab \t': bits(torch.uint8, 4), "": bits(torch.uint8, 5)},
              OUT / "shapes_and_names.safetensors", metadata={"format": "pt", "größe": "专家 \"😀\""})
    state = {f"layers.{i}.{part}.weight": bits(dtype, *shape) for i in range(3)
             for part, dtype, shape in [("norm", torch.float32, (8,)), ("proj", torch.bfloat16, (8, 6)), ("scale", torch.float32, ())]}
    save_torch_state_dict(state, OUT / "sharded", max_shard_size=200)
    for name, dtype in [("F8_E4M3FNUZ", torch.float8_e4m3fnuz), ("F8_E5M2FNUZ", torch.float8_e5m2fnuz), ("C64", torch.complex64), ("F4", torch.float4_e2m1fn_x2)]:
        save_file({"norm": bits(torch.float32, 2), "coded": bits(dtype, 2, 2)}, OUT / f"refused_{name}.safetensors")

    shards = sorted((OUT / "sharded").glob("*.safetensors"))
    expected = {"made_by": {"script": "tests/oracle/make_safetensors_goldens.py", "seed": SEED} | {p: version(p) for p in ("torch", "safetensors", "huggingface_hub")},
                "files": {name: read(OUT / f"{name}.safetensors") for name in ("every_dtype", "unaligned", "shapes_and_names")},
                "sharded": {name: tensor | {"file": shard.name} for shard in shards for name, tensor in read(shard).items()}}
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
