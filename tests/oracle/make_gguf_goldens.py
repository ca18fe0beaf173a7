# SPDX-License-Identifier: Apache-2.0
"""Files written by the `gguf` package, with what the package reads from them.

    pip install gguf==0.19.0 numpy
    python tests/oracle/make_gguf_goldens.py     # rewrites tests/golden/gguf/

  metadata            every type of value, single and in arrays, at its limits; text that is not UTF-8
  plain_tensors       every plain element type, random bits; shapes of one to four extents
  version_2           the same file, whose version is 2
  block_types         every block type of ggml, two rows of random blocks
  alignment_8, _64    general.alignment
  split/              the tensors of plain_tensors, at most three to a file
  no_tensor_first/    the same, the first file without tensors
"""
import json
import shutil
import struct
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES

OUT = Path(__file__).resolve().parents[2] / "tests/golden/gguf"
SEED = 7
RNG = np.random.default_rng(SEED)

Q8_1 = GGMLQuantizationType.Q8_1  # of activations; the package takes it for 40 bytes, ggml has 36
PLAIN = ["F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"]

INTEGERS = {"UINT8": (0, 2**8 - 1), "INT8": (-(2**7), 2**7 - 1), "UINT16": (0, 2**16 - 1), "INT16": (-(2**15), 2**15 - 1),
            "UINT32": (0, 2**32 - 1), "INT32": (-(2**31), 2**31 - 1), "UINT64": (0, 2**64 - 1), "INT64": (-(2**63), 2**63 - 1)}
FLOATS = {"FLOAT32": [float(np.float32(1e-6)), -0.0, float(np.finfo(np.float32).max)], "FLOAT64": [1e-300, 0.1, -1e300]}
TEXTS = [b"", b"plain", "h\u00e9llo \u4e16\u754c".encode(), b"\xff\xc3 bytes", b"zero\x00inside"]


def bits(count):
    return RNG.integers(0, 256, count, dtype=np.uint8)


def add_tensor(writer, name, type_name, shape):
    """Random bits. The package wants block types and BF16 as bytes, whose last extent counts bytes."""
    kind = GGMLQuantizationType[type_name]
    elements, size = GGML_QUANT_SIZES[kind]
    row = shape[-1] // elements * size
    writer.add_tensor(name, bits(int(np.prod(shape[:-1])) * row).reshape(*shape[:-1], row), raw_dtype=kind)


def write(path, fill, alignment=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, "golden", **options)
    if alignment:
        writer.add_custom_alignment(alignment)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def metadata(writer):
    for name, limits in INTEGERS.items():
        for end, value in zip(("least", "most"), limits):
            writer.add_key_value(f"single.{name}.{end}", value, GGUFValueType[name])
        writer.add_key_value(f"array.{name}", list(limits), GGUFValueType.ARRAY, GGUFValueType[name])
    for name, values in FLOATS.items():
        writer.add_key_value(f"single.{name}", values[0], GGUFValueType[name])
        writer.add_key_value(f"array.{name}", values, GGUFValueType.ARRAY, GGUFValueType[name])
    writer.add_key_value("single.BOOL.false", False, GGUFValueType.BOOL)
    writer.add_key_value("single.BOOL.true", True, GGUFValueType.BOOL)
    writer.add_key_value("array.BOOL", [True, False, True], GGUFValueType.ARRAY, GGUFValueType.BOOL)
    for index, text in enumerate(TEXTS):
        writer.add_key_value(f"single.STRING.{index}", text, GGUFValueType.STRING)
    writer.add_key_value("array.STRING", TEXTS, GGUFValueType.ARRAY, GGUFValueType.STRING)


def plain_tensors(writer):
    for index, name in enumerate(PLAIN):
        add_tensor(writer, f"blk.{index}.{name}", name, (1 + index % 3, 3))
    add_tensor(writer, "one", "F32", (5,))
    add_tensor(writer, "three", "I16", (2, 3, 4))
    add_tensor(writer, "four", "I8", (2, 3, 1, 4))


def block_types(writer):
    for kind in GGMLQuantizationType:
        if kind.name not in PLAIN and kind != Q8_1:
            add_tensor(writer, kind.name, kind.name, (2, 2 * GGML_QUANT_SIZES[kind][0]))


def value_of(field):
    """A string is the hex of its bytes."""
    is_array = field.types[0] == GGUFValueType.ARRAY
    kind = field.types[-1]
    if kind == GGUFValueType.STRING:
        values = [bytes(field.parts[index]).hex() for index in field.data]
    else:
        values = [value.item() for index in field.data for value in field.parts[index]]
    return {"type": kind.name, "array": is_array, "values": values}


def read(*paths):
    """What the package reads: the values of the first file and the tensors of all."""
    tensors = {}
    for path in paths:
        for tensor in GGUFReader(path).tensors:
            tensors[tensor.name] = {"type": tensor.tensor_type.name, "shape": [int(n) for n in reversed(tensor.shape)],
                                    "hex": tensor.data.tobytes().hex()}
    fields = {key: value_of(field) for key, field in GGUFReader(paths[0]).fields.items() if not key.startswith("GGUF.")}
    return {"metadata": fields, "tensors": tensors}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    write(OUT / "metadata.gguf", metadata)
    write(OUT / "plain_tensors.gguf", plain_tensors)
    data = bytearray((OUT / "plain_tensors.gguf").read_bytes())
    data[4:8] = struct.pack("<I", 2)  # versions 2 and 3 differ in what big-endian files are
    (OUT / "version_2.gguf").write_bytes(data)
    write(OUT / "block_types.gguf", block_types)
    for alignment in (8, 64):
        write(OUT / f"alignment_{alignment}.gguf", plain_tensors, alignment)
    write(OUT / "split/model.gguf", plain_tensors, split_max_tensors=3)
    write(OUT / "no_tensor_first/model.gguf", plain_tensors, split_max_tensors=6, small_first_shard=True)

    files = {path.stem: read(path) for path in sorted(OUT.glob("*.gguf"))}
    split = {folder: read(*sorted((OUT / folder).glob("*.gguf"))) for folder in ("split", "no_tensor_first")}
    (OUT / "expected.json").write_text(json.dumps({"gguf": version("gguf"), "seed": SEED, "files": files, "split": split},
                                                  indent=1) + "\n")


if __name__ == "__main__":
    main()
