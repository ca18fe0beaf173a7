# SPDX-License-Identifier: Apache-2.0
"""How weights are stored: FP8 blocks as DeepSeek publishes them, MXFP4 as gpt-oss does, half precision; one file or shards.

Each scheme gives the tensors of the file and what they mean: the same names as before, in f32.
"""
import json

import torch
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from . import modules

BLOCK = 128
BALANCE_BIAS = ("e_score_correction_bias", "expert_bias")         # always f32
FP4 = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])


def plain(tensors, dtype):
    """Everything in `dtype`, but for the correction bias, which is always f32."""
    stored = {name: t if name.endswith(BALANCE_BIAS) else t.to(dtype) for name, t in tensors.items()}
    return stored, {name: tensor.float() for name, tensor in stored.items()}


def over_blocks(scale, shape):
    """[ceil(m / 128), ceil(n / 128)] to [m, n]: the scale of each element."""
    return scale.repeat_interleave(BLOCK, 0)[:shape[0]].repeat_interleave(BLOCK, 1)[:, :shape[1]]


def fp8(tensors, rest=torch.bfloat16):
    """Linear layers inside the decoder in float8_e4m3fn with one f32 scale for each 128 x 128 block; the rest in `rest`."""
    stored, meant = {}, {}
    for name, tensor in tensors.items():
        if not name.endswith(("_proj.weight", "kv_a_proj_with_mqa.weight")):
            stored[name] = tensor if name.endswith(BALANCE_BIAS) else tensor.to(rest)
            meant[name] = stored[name].float()
            continue
        m, n = tensor.shape
        rows, columns = -(-m // BLOCK), -(-n // BLOCK)
        padded = torch.zeros(rows * BLOCK, columns * BLOCK)
        padded[:m, :n] = tensor
        largest = padded.view(rows, BLOCK, columns, BLOCK).abs().amax((1, 3))
        scale = largest / 448
        stored[name] = (tensor / over_blocks(scale, tensor.shape)).to(torch.float8_e4m3fn)
        stored[name + "_scale_inv"] = scale
        meant[name] = stored[name].float() * over_blocks(scale, tensor.shape)
    return stored, meant


def pack_mxfp4(weight):
    """[..., rows, n] to blocks [..., rows, n / 32, 16] and scales [..., rows, n / 32], both u8; the low nibble comes first."""
    groups = weight.unflatten(-1, (-1, 32))
    exponent = groups.abs().amax(-1).log2().floor() - 2                           # 6 = 1.5 * 2^2 is the largest code
    code = ((groups / exponent.exp2()[..., None]).abs()[..., None] - FP4).abs().argmin(-1) + 8 * (groups < 0)
    pairs = code.unflatten(-1, (16, 2))
    return (pairs[..., 0] + 16 * pairs[..., 1]).to(torch.uint8), (exponent + 127).to(torch.uint8)


def unpack_mxfp4(blocks, scales):
    """[..., rows, groups, 16] and [..., rows, groups] to [..., rows, n]"""
    values = torch.cat([FP4, -FP4])
    pairs = torch.stack([values[(blocks & 15).int()], values[(blocks >> 4).int()]], -1).flatten(-2)
    return (pairs * (scales.float() - 127).exp2()[..., None]).flatten(-2)


def mxfp4(tensors, rest=torch.bfloat16):
    """Expert matrices [experts, in, out] as blocks and scales of their transpose; the rest in `rest`."""
    stored, meant = {}, {}
    for name, tensor in tensors.items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            blocks, scales = pack_mxfp4(tensor.mT)
            stored[name + "_blocks"], stored[name + "_scales"] = blocks, scales
            meant[name] = unpack_mxfp4(blocks, scales).mT
        else:
            stored[name] = tensor.to(rest)
            meant[name] = stored[name].float()
    return stored, meant


def check_against_transformers():
    """transformers reads both formats alike; its FP8 reader takes whole blocks only, so ragged edges are this file's own."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(256, 384, generator=generator)
    stored, meant = fp8({"x_proj.weight": weight * over_blocks(torch.rand(2, 3, generator=generator), weight.shape)})
    read = Fp8Dequantize(None)._dequantize_one(stored["x_proj.weight"], stored["x_proj.weight_scale_inv"], torch.float32)
    assert torch.equal(read, meant["x_proj.weight"])
    blocks, scales = pack_mxfp4(torch.randn(3, 8, 96, generator=generator))
    read = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)           # [experts, in, out]
    assert torch.equal(read, unpack_mxfp4(blocks, scales).mT)


SCHEMES = {"f32": lambda t: plain(t, torch.float32), "bf16": lambda t: plain(t, torch.bfloat16),
           "f16": lambda t: plain(t, torch.float16), "fp8": fp8, "mxfp4": mxfp4,
           **{kind: modules.scheme_of_model(kind) for kind in modules.KINDS if kind != "mxfp4"}}


def write(folder, tensors, shards):
    """model.safetensors, or shards with their index: neighbours by name go to different shards, a scale never to its weight's."""
    def save(part, name):
        save_file({n: t.contiguous() for n, t in part.items()}, folder / name, metadata={"format": "pt"})

    if shards == 1:
        return save(tensors, "model.safetensors")
    place = {name: i % shards for i, name in enumerate(n for n in sorted(tensors) if not n.endswith("_scale_inv"))}
    place |= {n: (place[n.removesuffix("_scale_inv")] + 1) % shards for n in tensors if n.endswith("_scale_inv")}
    files = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    for i, file in enumerate(files):
        save({name: tensor for name, tensor in tensors.items() if place[name] == i}, file)
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": {name: files[place[name]] for name in sorted(tensors)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
