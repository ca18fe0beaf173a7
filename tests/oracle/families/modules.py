# SPDX-License-Identifier: Apache-2.0
"""Linear layers whose weights are quantised, each in several tensors, as tools publish them.

quantize(kind, weight, generator) gives the tensors of one layer by their suffix, and what they mean, in f32. What compressed-tensors
(pip install compressed-tensors) stores is written by it, and read back by it with scales in f32; GPTQ, AWQ and ModelOpt
are written here, from the layouts that their packages document.
"""
import numpy as np
import torch

GROUP = 16


def over_columns(scale, columns):
    """[rows, groups] to [rows, columns]"""
    return scale.repeat_interleave(columns // scale.shape[1], 1)


def scheme(**weights):
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    return QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**weights))


def fp8(weight, scale, extra=()):
    """value = code * scale; scale: [1], [rows, 1] or [blocks of 128 rows, blocks of 128 columns]"""
    whole = scale
    if scale.dim() == 2 and scale.shape[1] > 1 or scale.dim() == 2 and scale.shape[0] not in (1, weight.shape[0]):
        whole = scale.repeat_interleave(128, 0)[:weight.shape[0]].repeat_interleave(128, 1)[:, :weight.shape[1]]
    codes = (weight / whole.float()).clamp(-448, 448).to(torch.float8_e4m3fn)
    return {"weight": codes, "weight_scale": scale, **dict(extra)}, codes.float() * whole.float()


def fp8_tensor(weight, generator):
    """One scale for the layer, and one for its inputs, which is not used."""
    scale = (weight.abs().amax() / 448).reshape(1)
    return fp8(weight, scale, [("input_scale", torch.rand(1, generator=generator))])


def fp8_scalar(weight, generator):
    """The same as `fp8` of transformers names it, without weight_block_size."""
    stored, meant = fp8(weight, (weight.abs().amax() / 448).reshape(()))
    stored["weight_scale_inv"] = stored.pop("weight_scale")
    stored["activation_scale"] = torch.rand((), generator=generator)
    return stored, meant


def fp8_channel(weight, generator):
    return fp8(weight, (weight.abs().amax(1, keepdim=True) / 448).to(torch.bfloat16))


def fp8_channel_f32(weight, generator):
    return fp8(weight, weight.abs().amax(1, keepdim=True) / 448)


def fp8_block(weight, generator):
    rows, columns = (-(-n // 128) for n in weight.shape)
    return fp8(weight, torch.rand(rows, columns, generator=generator) * 0.01 + 0.001)


def integers(weight, bits, symmetric, scales):
    """(codes, scale [rows, groups], zero points or None) of groups of columns."""
    groups = weight.unflatten(1, (-1, scales))
    top = 2 ** (bits - 1) - 1
    if symmetric:
        scale, zero = groups.abs().amax(2) / (top + 0.5), None
    else:
        low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
        scale = (high - low) / (2 * top + 1)
        zero = (-top - 1 - low / scale).round().clamp(-top - 1, top).to(torch.int8)
    return scale.to(torch.bfloat16), zero


def packed(weight, bits, symmetric, size):
    from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor as Packed
    scale, zero = integers(weight, bits, symmetric, size)
    whole = size == weight.shape[1]
    how = scheme(num_bits=bits, type="int", symmetric=symmetric, strategy="channel" if whole else "group",
                 group_size=None if whole else size)
    state = {"weight": weight, "weight_scale": scale} | ({} if zero is None else {"weight_zero_point": zero})
    stored = Packed.compress(state, how)
    meant = Packed.decompress(stored | {"weight_scale": scale.float()}, how)["weight"]
    assert meant.dtype == torch.float32
    return stored, meant


def int4_reordered(weight, generator):
    """Columns that belong to groups in another order, as older versions store `actorder: group`."""
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
    rows, columns = weight.shape
    order = torch.randperm(columns, generator=generator)
    group = torch.empty(columns, dtype=torch.int32)
    group[order] = (torch.arange(columns) // GROUP).to(torch.int32)
    scale = torch.rand(rows, columns // GROUP, generator=generator).to(torch.bfloat16) * 0.1 + 0.01
    codes = (weight / scale.float()[:, group]).round().clamp(-8, 7).to(torch.int8)
    return {"weight_packed": pack_to_int32(codes, 4), "weight_scale": scale, "weight_g_idx": group,
            "weight_shape": torch.tensor(weight.shape)}, codes.float() * scale.float()[:, group]


def int8(weight, symmetric):
    from compressed_tensors.compressors.naive_quantized.base import NaiveQuantizationCompressor as Naive
    scale, zero = integers(weight, 8, symmetric, weight.shape[1])
    how = scheme(num_bits=8, type="int", symmetric=symmetric, strategy="channel")
    state = {"weight": weight, "weight_scale": scale} | ({} if zero is None else {"weight_zero_point": zero})
    stored = Naive.compress(state, how)
    meant = Naive.decompress(stored | {"weight_scale": scale.float()}, how)["weight"]
    assert stored["weight"].dtype == torch.int8 and meant.dtype == torch.float32
    return stored, meant


def fp4_codes(weight, scale):
    """(bytes with two codes, the lower one first; values)"""
    values = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    ratio = weight / scale
    code = (ratio.abs()[..., None] - values).abs().argmin(-1)
    value = values[code] * torch.where(ratio < 0, -1.0, 1.0)
    code = code + 8 * (ratio < 0)
    return (code[:, ::2] + 16 * code[:, 1::2]).to(torch.uint8), value


def nvfp4(weight, generator):
    from compressed_tensors.compressors.nvfp4.base import NVFP4PackedCompressor as Packed
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization.lifecycle.forward import dequantize
    how = scheme(num_bits=4, type="float", symmetric=True, strategy="tensor_group", group_size=16)
    total = 448 * 6 / weight.abs().amax().reshape(1)
    scale = (weight.unflatten(1, (-1, 16)).abs().amax(2) / 6 * total).clamp(max=448).to(torch.float8_e4m3fn).float()
    stored = Packed.compress({"weight": weight, "weight_scale": scale, "weight_global_scale": total}, how)
    assert stored["weight_scale"].dtype == torch.float8_e4m3fn
    codes = unpack_fp4_from_uint8(stored["weight_packed"], *weight.shape, dtype=torch.float32)
    meant = dequantize(codes, stored["weight_scale"].float(), args=how.weights, dtype=torch.float32, global_scale=total)
    return stored | {"input_global_scale": torch.rand(1, generator=generator)}, meant


def nvfp4_modelopt(weight, generator):
    total = weight.abs().amax() / (448 * 6)
    scale = (weight.unflatten(1, (-1, 16)).abs().amax(2) / 6 / total).to(torch.float8_e4m3fn)
    each = over_columns(scale.float() * total, weight.shape[1])
    codes, values = fp4_codes(weight, each)
    return {"weight": codes, "weight_scale": scale, "weight_scale_2": total,
            "input_scale": torch.rand((), generator=generator)}, values * each


def mxfp4(weight, generator):
    exponent = weight.unflatten(1, (-1, 32)).abs().amax(2).log2().floor() - 2
    each = over_columns(exponent.exp2(), weight.shape[1])
    codes, values = fp4_codes(weight, each)
    return {"weight_packed": codes, "weight_scale": (exponent + 127).to(torch.uint8)}, values * each


def words(codes, bits, axis):
    """Unsigned codes in 32-bit words along an axis, the lowest bits first."""
    per_word = 32 // bits
    codes = np.moveaxis(codes.astype(np.uint32), axis, -1).reshape(*np.moveaxis(codes, axis, -1).shape[:-1], -1, per_word)
    packed = (codes << (np.arange(per_word, dtype=np.uint32) * bits)).sum(-1, dtype=np.uint32)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(packed, -1, axis)).view(np.int32))


def gptq(weight, generator, bits=4, size=GROUP, reorder=False, version=1):
    """qweight [in / 8, out], qzeros [groups, out / 8], scales [groups, out], g_idx [in]; version 1 stores zero - 1."""
    out, inputs = weight.shape
    groups = -(-inputs // size)
    group = torch.arange(inputs) // size
    if reorder:
        group = group[torch.randperm(inputs, generator=generator)]
    scale = (torch.rand(groups, out, generator=generator) * 0.02 + 0.005).to(torch.float16)
    zero = torch.randint(1, 2 ** bits - 1, (groups, out), generator=generator)
    codes = (weight.T / scale.float()[group] + zero[group]).round().clamp(0, 2 ** bits - 1).to(torch.int64)
    meant = (codes - zero[group]).float() * scale.float()[group]
    return {"qweight": words(codes.numpy(), bits, 0), "qzeros": words((zero - int(version == 1)).numpy(), bits, 1),
            "scales": scale, "g_idx": group.to(torch.int32)}, meant.T.contiguous()


def awq(weight, generator, size=GROUP):
    """qweight [in, out / 8], qzeros [groups, out / 8], scales [groups, out]; eight outputs of a word as AutoAWQ orders them."""
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    out, inputs = weight.shape
    group = torch.arange(inputs) // size
    scale = (torch.rand(inputs // size, out, generator=generator) * 0.02 + 0.005).to(torch.float16)
    zero = torch.randint(0, 16, (inputs // size, out), generator=generator)
    codes = (weight.T / scale.float()[group] + zero[group]).round().clamp(0, 15).to(torch.int64)
    meant = (codes - zero[group]).float() * scale.float()[group]

    def packed_in_order(values):
        return words(values.unflatten(1, (-1, 8))[:, :, order].flatten(1).numpy(), 4, 1)
    return {"qweight": packed_in_order(codes), "qzeros": packed_in_order(zero), "scales": scale}, meant.T.contiguous()


KINDS = {
    "fp8_tensor": fp8_tensor, "fp8_scalar": fp8_scalar, "fp8_channel": fp8_channel, "fp8_channel_f32": fp8_channel_f32,
    "fp8_block": fp8_block,
    "int4_group": lambda w, g: packed(w, 4, True, GROUP), "int4_asymmetric": lambda w, g: packed(w, 4, False, GROUP),
    "int4_channel": lambda w, g: packed(w, 4, True, w.shape[1]), "int4_reordered": int4_reordered,
    "int8_group": lambda w, g: packed(w, 8, True, GROUP), "int8_asymmetric": lambda w, g: packed(w, 8, False, GROUP),
    "int8_bytes": lambda w, g: int8(w, True), "int8_bytes_asymmetric": lambda w, g: int8(w, False),
    "nvfp4": nvfp4, "nvfp4_modelopt": nvfp4_modelopt, "mxfp4": mxfp4,
    "gptq": gptq, "gptq_v2": lambda w, g: gptq(w, g, version=2), "gptq_reordered": lambda w, g: gptq(w, g, reorder=True),
    "gptq_one_group": lambda w, g: gptq(w, g, size=w.shape[1]), "gptq_int8": lambda w, g: gptq(w, g, bits=8),
    "gptq_short_group": lambda w, g: gptq(w, g, size=40),
    "awq": awq, "awq_one_group": lambda w, g: awq(w, g, size=w.shape[1]),
}


def is_linear(name):
    return name.endswith(("_proj.weight", "kv_a_proj_with_mqa.weight")) or (
        ".experts." in name and name.endswith((".w1.weight", ".w2.weight", ".w3.weight")))


def scheme_of_model(kind):
    """A scheme of storage.py: linear layers inside the decoder in `kind`, the rest in bf16."""
    def store(tensors):
        generator = torch.Generator().manual_seed(0)
        stored, meant = {}, {}
        for name, tensor in tensors.items():
            if not is_linear(name):
                stored[name] = tensor if name.endswith("e_score_correction_bias") else tensor.to(torch.bfloat16)
                meant[name] = stored[name].float()
                continue
            parts, meant[name] = KINDS[kind](tensor, generator)
            stored |= {name.removesuffix("weight") + part: value for part, value in parts.items()}
        return stored, meant
    return store
