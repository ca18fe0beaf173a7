#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes include/trine/text/unicode_table.hpp: the character classes that Hugging Face tokenizers splits text by.

The classes are read out of the `tokenizers` package itself, code point by code point, so that they are those of the
regular-expression engines inside it (Oniguruma for \\p{L}, \\p{N}, \\s; the Rust crate `regex` for \\w) and of their
version of Unicode, not of this Python's. Where this Python knows a code point, its category is compared.

    python tests/oracle/make_unicode_tables.py > include/trine/text/unicode_table.hpp
"""
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
LETTER, NUMBER, SPACE, WORD = 1, 2, 4, 8


def matched(pattern):
    """The code points that `pattern` matches."""
    splitter = pre_tokenizers.Split(Regex(pattern), "removed")
    found = set(CODE_POINTS)
    for begin in range(0, len(CODE_POINTS), 4096):
        chunk = CODE_POINTS[begin : begin + 4096]
        for _, (first, last) in splitter.pre_tokenize_str("".join(map(chr, chunk))):
            found.difference_update(chunk[first:last])
    return found


def word_characters():
    """The code points beside which a single_word added token is not found."""
    tokenizer = Tokenizer(models.BPE({"a": 0}, []))
    tokenizer.add_tokens([AddedToken("QQQ", single_word=True, normalized=False)])
    needle = tokenizer.token_to_id("QQQ")
    found = set()
    for begin in range(0, len(CODE_POINTS), 4096):
        chunk = CODE_POINTS[begin : begin + 4096]
        encoding = tokenizer.encode("".join(chr(c) + "QQQ " for c in chunk))
        apart = {first // 5 for token, (first, _) in zip(encoding.ids, encoding.offsets) if token == needle}
        found.update(c for i, c in enumerate(chunk) if i not in apart)
    return found


def main():
    letters, numbers, spaces, words = matched(r"\p{L}"), matched(r"\p{N}"), matched(r"\s"), word_characters()
    for c in CODE_POINTS:  # a code point of this Python must have the same category
        category = unicodedata.category(chr(c))
        if category != "Cn":
            assert (category[0] == "L", category[0] == "N") == (c in letters, c in numbers), hex(c)
    # The version of Unicode, by a letter that it added and one that the next added: Garay came with 16, Sidetic with 17.
    assert 0x10D4A in letters and 0x10940 not in letters, "not Unicode 16: say the new version below"

    entries = []
    flags = 0
    for c in range(0x110000):
        now = LETTER * (c in letters) + NUMBER * (c in numbers) + SPACE * (c in spaces) + WORD * (c in words)
        if now != flags or c == 0:
            entries.append(c << 4 | now)
            flags = now
    print("// SPDX-License-Identifier: Apache-2.0")
    print("// Character classes of Unicode 16.0, made by tests/oracle/make_unicode_tables.py from what the regular-expression")
    print(f"// engines inside Hugging Face tokenizers {tokenizers.__version__} match. Do not edit.")
    print("#pragma once\n\n#include <array>\n#include <cstdint>\n\n#include <trine/core/abi.hpp>\n")
    print("namespace trine::inline TRINE_ABI::detail {\n")
    print("// first code point of a run << 4 | classes of the run: 1 \\p{L}, 2 \\p{N}, 4 \\s, 8 \\w. A run ends where the next starts.")
    print("// clang-format off")
    print(f"inline constexpr std::array<std::uint32_t, {len(entries)}> kCharacterClassRuns = {{")
    line = "   "
    for entry in entries:
        text = f" {entry:#x},"
        if len(line) + len(text) > 120:
            print(line)
            line = "   "
        line += text
    print(line)
    print("};\n// clang-format on\n\n}  // namespace trine::inline TRINE_ABI::detail")
    print(f"{len(letters)} letters, {len(numbers)} numbers, {len(spaces)} spaces, {len(words)} word characters",
          file=sys.stderr)


if __name__ == "__main__":
    main()
