# SPDX-License-Identifier: Apache-2.0
"""The grids of the IQ formats in include/trine/quant/ggml/grid_tables.hpp, read out of the Python package `gguf`.

    pip install gguf==0.19.0
    python tests/oracle/make_ggml_grid_tables.py > include/trine/quant/ggml/grid_tables.hpp
"""
from importlib.metadata import version

import numpy as np
from gguf import quants

GRIDS = [("kIq2XxsGrid", quants.IQ2_XXS), ("kIq2XsGrid", quants.IQ2_XS), ("kIq2SGrid", quants.IQ2_S),
         ("kIq3XxsGrid", quants.IQ3_XXS), ("kIq3SGrid", quants.IQ3_S), ("kIq1Grid", quants.IQ1_S)]


def points(quant):
    """Each point as 16 bits: its coordinates as indices of grid_map, the first in the lowest bits."""
    quant.init_grid()
    grid = quant.grid.reshape(quant.grid_shape)
    bits = 16 // quant.grid_shape[1]
    index = {value: i for i, value in enumerate(quant.grid_map)}
    return [sum(index[int(value)] << bits * j for j, value in enumerate(point)) for point in grid]


def main():
    print("// SPDX-License-Identifier: Apache-2.0")
    print("// The grids of the IQ formats of ggml, made by tests/oracle/make_ggml_grid_tables.py from the data of the Python")
    print(f"// package gguf {version('gguf')} (MIT licence, copyright 2023 Georgi Gerganov). Do not edit.")
    print("#pragma once\n\n#include <array>\n#include <cstdint>\n\n#include <trine/core/abi.hpp>\n")
    print("namespace trine::inline TRINE_ABI::ggml {\n")
    print("// A point is 16 bits: its 8 coordinates in two bits each, or 4 in four bits, the first in the lowest. A coordinate is")
    print("// an index of the table of values in quant/ggml/grids.hpp.")
    print("// clang-format off")
    for name, quant in GRIDS:
        print(f"inline constexpr std::array<std::uint16_t, {quant.grid_shape[0]}> {name} = {{")
        entries = [f"{point:#06x}," for point in points(quant)]
        for i in range(0, len(entries), 14):
            print("   ", " ".join(entries[i:i + 14]))
        print("};")
    print("// clang-format on\n\n}  // namespace trine::inline TRINE_ABI::ggml")


if __name__ == "__main__":
    main()
