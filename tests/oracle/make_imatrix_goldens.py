# SPDX-License-Identifier: Apache-2.0
"""The sums of tests/golden/input_statistics, which are transformers', as llama.cpp's imatrix tool stores them for GGUF files.

    pip install gguf numpy
    python tests/oracle/make_imatrix_goldens.py    # rewrites tests/golden/imatrix/*

NAME.gguf is written with the gguf package: in_sum2 [matrices, columns] and counts [matrices, 1]. mixtral.dat is the older format:
mean squares times the number of calls, a list for all experts, ones for an expert without tokens. Names of tensors come from the
gguf package. The older tool leaves out the head.
"""
import json
import re
import struct
from pathlib import Path

import gguf
import numpy as np

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
EXPERT = re.compile(r"(.*\.experts)\.(\d+)\.(w[123])\.weight")
CALLS = 3


def entries(name):
    """{GGUF name: (counts [matrices], sums [matrices, columns])}"""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    found = json.loads((GOLDEN / "input_statistics" / f"{name}.json").read_text())
    stacks, result = {}, {}
    for tensor, value in found.items():
        if match := EXPERT.fullmatch(tensor):
            stacks.setdefault(f"{match[1]}.{match[3]}", {})[int(match[2])] = value
        elif tensor.endswith("gate_up_proj"):                     # the converter takes it apart
            for part in ("gate_proj", "up_proj"):
                stacks[tensor.replace("gate_up_proj", part)] = {e: {"rows": [value["rows"][e]], "squares": [value["squares"][e]]}
                                                                for e in range(len(value["rows"]))}
        elif tensor.endswith("experts.down_proj"):
            stacks[tensor] = {e: {"rows": [value["rows"][e]], "squares": [value["squares"][e]]} for e in range(len(value["rows"]))}
        else:
            result[tensor] = ([value["rows"][0]], value["squares"])
    for tensor, experts in stacks.items():
        order = [experts[e] for e in range(len(experts))]
        result[tensor + ".weight"] = ([e["rows"][0] for e in order], [e["squares"][0] for e in order])
    return {names.get_name(tensor, try_suffixes=(".weight",)): (np.array(counts, np.float32), np.array(sums, np.float32))
            for tensor, (counts, sums) in sorted(result.items())}


def write_gguf(path, matrix):
    writer = gguf.GGUFWriter(path, arch="", use_temp_file=False)
    writer.kv_data[0].clear()                                     # the tool writes no architecture
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["calibration.txt"])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", 24)
    for tensor, (counts, sums) in sorted(matrix.items()):
        writer.add_tensor(tensor + ".in_sum2", sums)
        writer.add_tensor(tensor + ".counts", counts.reshape(-1, 1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_dat(path, matrix):
    matrix = {tensor: value for tensor, value in matrix.items() if tensor.startswith("blk.")}
    with open(path, "wb") as file:
        file.write(struct.pack("<i", len(matrix)))
        for tensor, (counts, sums) in sorted(matrix.items()):
            with np.errstate(invalid="ignore", divide="ignore"):
                means = np.where(counts[:, None] == 0, np.float32(1), sums / counts[:, None]) * np.float32(CALLS)
            file.write(struct.pack("<i", len(tensor)) + tensor.encode() + struct.pack("<ii", CALLS, means.size))
            file.write(means.astype("<f4").tobytes())
        text = b"calibration.txt"
        file.write(struct.pack("<ii", CALLS, len(text)) + text)


def main():
    out = GOLDEN / "imatrix"
    out.mkdir(exist_ok=True)
    for name in ("mixtral", "mixtral_fused_tied"):
        write_gguf(out / f"{name}.gguf", entries(name))
    write_dat(out / "mixtral.dat", entries("mixtral"))


if __name__ == "__main__":
    main()
