# SPDX-License-Identifier: Apache-2.0
"""Upper, lower and title case, and what is printable, of Unicode as Python's str has it, for chat templates.

    python tests/oracle/make_case_tables.py     # rewrites include/trine/text/jinja/case_table.hpp
"""
import sys
import unicodedata
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "include/trine/text/jinja/case_table.hpp"
ALL = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]


def runs(change):
    """(first, last, step, difference): every step-th character from first to last changes by the difference."""
    result = []
    for c in ALL:
        if len(change(c)) != 1 or change(c) == c:
            continue
        code, difference = ord(c), ord(change(c)) - ord(c)
        if result and result[-1][3] == difference:
            first, last, step, _ = result[-1]
            if code - last == step or (first == last and code - last == 2):
                result[-1] = (first, code, code - last, difference)
                continue
        result.append((code, code, 1, difference))
    return result


def table(name, rows, row):
    lines, line = [], "   "
    for text in (row(r) for r in rows):
        if len(line) + len(text) + 2 > 120:
            lines.append(line)
            line = "   "
        line += f" {text},"
    return f"inline constexpr std::array<{name[0]}, {len(rows)}> {name[1]} = {{{{\n" + "\n".join(lines + [line]) + "\n}};\n"


def utf8(text):
    return '"' + "".join(f"\\x{b:02X}" for b in text.encode()) + '"'


def main():
    run = lambda r: "{{{:#x}, {:#x}, {}, {}}}".format(*r)
    special = lambda c, change: f"{{{ord(c):#x}, {utf8(change(c))}}}"
    upper = [c for c in ALL if len(c.upper()) > 1]
    title = [c for c in ALL if c.title() != c.upper()]
    assert [c for c in ALL if len(c.lower()) > 1] == ["\u0130"]
    # Case_Ignorable and Cased decide how a capital sigma is lowered; found by asking Python.
    cased = [c for c in ALL if ("A" + c + "\u03a3").lower()[-1] == "\u03c2" and (c + "\u03a3").lower()[-1] == "\u03c2"]
    ignorable = [c for c in ALL if (c + "\u03a3").lower()[-1] == "\u03c3" and ("A" + c + "\u03a3").lower()[-1] == "\u03c2"]

    def spans(characters):
        result = []
        for c in characters:
            if result and ord(c) == result[-1][1] + 1:
                result[-1][1] = ord(c)
            else:
                result.append([ord(c), ord(c)])
        return result

    span = lambda s: "{{{:#x}, {:#x}}}".format(*s)
    OUT.write_text(
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Case mappings and what is not printable, of Unicode {unicodedata.unidata_version}, made by tests/oracle/make_case_tables.py with Python "
        f"{sys.version.split()[0]}. Do not edit.\n"
        "#pragma once\n\n#include <array>\n#include <cstdint>\n#include <string_view>\n\n#include <trine/core/abi.hpp>\n\n"
        "namespace trine::inline TRINE_ABI::templates::detail {\n\n"
        "struct CaseRun {  // every step-th character from first to last changes by the difference\n"
        "  std::uint32_t first, last, step;\n  std::int32_t difference;\n};\n"
        "struct CaseString {\n  std::uint32_t from;\n  std::string_view to;\n};\n"
        "struct CodePointSpan {\n  std::uint32_t first, last;\n};\n\n// clang-format off\n"
        + table(("CaseRun", "kUpperRuns"), runs(str.upper), run) + table(("CaseRun", "kLowerRuns"), runs(str.lower), run)
        + table(("CaseString", "kUpperStrings"), upper, lambda c: special(c, str.upper))
        + table(("CaseString", "kTitleStrings"), title, lambda c: special(c, str.title))
        + table(("CodePointSpan", "kCased"), spans(cased), span)
        + table(("CodePointSpan", "kCaseIgnorable"), spans(ignorable), span)
        + table(("CodePointSpan", "kNotPrintable"), spans([c for c in ALL if not c.isprintable()]), span)
        + "// clang-format on\n\n}  // namespace trine::inline TRINE_ABI::templates::detail\n")


if __name__ == "__main__":
    main()
