# SPDX-License-Identifier: Apache-2.0
"""Blocks of every format of ggml, with what the Python package `gguf` decodes them to.

    pip install gguf==0.19.0 numpy
    python tests/oracle/make_ggml_goldens.py     # rewrites tests/golden/ggml/

NAME.bin, little endian:

    u32  number of the type in GGUF files, values per block, bytes per block
    u32  A, B: numbers of blocks; the number of blocks at the beginning of A that have finite values
    u8   A blocks            f32  their values
    u8   B blocks            u32  FNV-1a of the bytes of each block's values, NaNs as 0x7fc00000

Codes are random. The scales of the other blocks of A, and of the first of B, are 0, subnormal, negative, the largest, infinite and
NaN, in all combinations of scale and minimum that B has room for. Blocks of B have every point of the grid of their format.
"""
import itertools
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

OUT = Path(__file__).resolve().parents[2] / "tests/golden/ggml"
FINITE = 4
EDGES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00]  # bits of f16

# The offsets of a block's scales in f16, or in the bytes of another type.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0],
          "IQ3_S": [0], "IQ1_S": [0], "TQ1_0": [52], "TQ2_0": [64]}
BYTES = {"MXFP4": [0], "NVFP4": [0, 1, 2, 3]}
BYTE_EDGES = [0, 1, 2, 7, 8, 126, 127, 128, 254, 255]


def set_half(name, block, which, bits):
    if name == "IQ1_M":  # four bits in each of the last four u16
        for k in range(4):
            block[49 + 2 * k] = block[49 + 2 * k] & 0x0F | (bits >> 4 * k & 15) << 4
    else:
        offset = HALVES[name][which]
        block[offset:offset + 2] = np.array([bits], "<u2").view(np.uint8)


def set_points(name, block, b):
    """Point indices count through the grid from block to block: `points` of a block, then `high` bits of the next 256."""
    counter = lambda points: (np.arange(points) + b * points) % 256
    if name == "IQ2_XXS":
        block[2:66].reshape(8, 8)[:, :4] = counter(32).reshape(8, 4)
    elif name == "IQ2_XS":
        points = block[2:66].view("<u2")
        points[:] = points & 0xFE00 | (np.arange(32) + b * 32) % 512
    elif name == "IQ2_S":
        block[2:34], block[66:74] = counter(32), b // 8 % 4 * 0x55
    elif name == "IQ3_XXS":
        block[2:66] = counter(64)
    elif name == "IQ3_S":
        block[2:66], block[66:74] = counter(64), b // 4 % 2 * 0xFF
    elif name == "IQ1_S":
        block[2:34] = counter(32)
        block[34:50].view("<u2")[:] = block[34:50].view("<u2") & 0xF000 | b // 8 % 8 * 0o1111
    elif name == "IQ1_M":
        block[0:32], block[32:48] = counter(32), block[32:48] & 0x88 | b // 8 % 8 * 0x11


def make(name):
    quant = GGMLQuantizationType[name]
    values, nbytes = GGML_QUANT_SIZES[quant]
    rng = np.random.default_rng(int(quant))
    scales = BYTES.get(name) or HALVES.get(name, [0])
    edges = list(itertools.product(BYTE_EDGES if name in BYTES else EDGES, repeat=min(len(scales), 2)))
    hashed = len(edges) + {"IQ2_XXS": 8, "IQ2_XS": 16, "IQ2_S": 32, "IQ1_S": 64, "IQ1_M": 64}.get(name, 8)
    blocks = rng.integers(0, 256, (2 * FINITE + hashed, nbytes), dtype=np.uint8)

    def set_scales(block, values):
        for which, value in enumerate(values):
            if name in BYTES:
                block[scales[which]] = value
            else:
                set_half(name, block, which, value)

    for b, block in enumerate(blocks):
        if name not in BYTES:
            set_scales(block, rng.integers(0, 0x3C00, len(scales)) | rng.integers(0, 2, len(scales)) << 15)
        if FINITE <= b < 2 * FINITE:  # the largest and infinite ones
            set_scales(block, edges[b * len(edges) // (2 * FINITE)])
        elif 2 * FINITE <= b < 2 * FINITE + len(edges):
            set_scales(block, edges[b - 2 * FINITE])
        elif b >= 2 * FINITE:
            set_points(name, block, b - 2 * FINITE - len(edges))

    with np.errstate(all="ignore"):
        decoded = np.stack([dequantize(block.copy(), quant) for block in blocks]).astype("<f4")
    assert decoded.shape == (len(blocks), values) and np.isfinite(decoded[:FINITE]).all()
    bits = decoded[2 * FINITE:].view("<u4").copy()
    bits[np.isnan(decoded[2 * FINITE:])] = 0x7FC00000
    hashes = np.full(len(bits), 0x811C9DC5, np.uint64)
    for column in bits.view(np.uint8).T:
        hashes = (hashes ^ column) * 0x01000193 & 0xFFFFFFFF

    header = np.array([quant, values, nbytes, 2 * FINITE, hashed, FINITE], "<u4")
    (OUT / f"{name}.bin").write_bytes(header.tobytes() + blocks[:2 * FINITE].tobytes() + decoded[:2 * FINITE].tobytes()
                                      + blocks[2 * FINITE:].tobytes() + hashes.astype("<u4").tobytes())


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in [*HALVES, *BYTES, "IQ1_M"]:
        make(name)


if __name__ == "__main__":
    main()
