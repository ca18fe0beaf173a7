#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of Unicode in include/trine/text: what Hugging Face tokenizers splits and normalizes text by.

The classes are read out of the `tokenizers` package itself, code point by code point, so that they are those of the
regular-expression engines inside it (Oniguruma for \\p{L}, \\p{N}, \\s; the Rust crate `regex` for \\w) and of their
version of Unicode, not of this Python's. Where this Python knows a code point, its category is compared.

    for name in unicode_table unicode_since_14 normalization_table punctuation_table; do
      python tests/oracle/make_unicode_tables.py $name > include/trine/text/$name.hpp
    done
"""
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

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


def categories():
    """The general category of every code point, by Oniguruma."""
    names = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
    result = {c: name for name in names for c in matched(r"\p{%s}" % name)}
    assert len(result) == len(CODE_POINTS)
    return result


def runs(values):
    """(first, last, value) of the runs of {code point: value}."""
    result = []
    for c in sorted(values):
        if result and result[-1][1] == c - 1 and result[-1][2] == values[c]:
            result[-1][1] = c
        else:
            result.append([c, c, values[c]])
    return result


def print_array(declaration, entries):
    print("// clang-format off")
    print(declaration.format(count=len(entries)))
    line = "   "
    for entry in entries:
        if len(line) + len(entry) + 2 > 120:
            print(line)
            line = "   "
        line += f" {entry},"
    print(line)
    print("}};\n// clang-format on" if "{{{{" in declaration else "};\n// clang-format on")


def unicode_since_14():
    assert unicodedata.unidata_version == "14.0.0", "needs Python 3.11, whose Unicode is 14.0"
    now = categories()
    before = {c: unicodedata.category(chr(c)) for c in CODE_POINTS}
    added = {c: now[c] for c in CODE_POINTS if before[c] == "Cn" and now[c] != "Cn"}
    moved = {c for c in CODE_POINTS if before[c] not in ("Cn", now[c])}
    assert moved == {0x1171E}, moved  # Mn to Mc: not in the table, since PCRE2 may know either
    scripts = [(first, last, script) for script in ("Han", "Hiragana", "Katakana", "Hangul")
               for first, last, _ in runs(dict.fromkeys(matched(r"\p{%s}" % script), 0))]
    print("// SPDX-License-Identifier: Apache-2.0")
    print("// What regular expressions of tokenizers mean by a property and PCRE2 may not: code points that Unicode 15.0, 15.1 and")
    print("// 16.0 added to 14.0, and the members of some scripts. Made by tests/oracle/make_unicode_tables.py from what Oniguruma")
    print(f"// inside Hugging Face tokenizers {tokenizers.__version__} matches. Do not edit.")
    print("#pragma once\n\n#include <array>\n#include <string_view>\n\n#include <trine/core/abi.hpp>\n")
    print("namespace trine::inline TRINE_ABI::detail {\n")
    print("struct NewCodePoints {\n  char32_t first;\n  char32_t last;\n  std::string_view category;\n};\n")
    print("struct UnicodeScriptRange {\n  char32_t first;\n  char32_t last;\n  std::string_view script;\n};\n")
    print_array("inline constexpr std::array<NewCodePoints, {count}> kCodePointsSinceUnicode14 = {{{{",
                [f'{{{first:#x}, {last:#x}, "{name}"}}' for first, last, name in runs(added)])
    print()
    print_array("inline constexpr std::array<UnicodeScriptRange, {count}> kUnicodeScriptRanges = {{{{",
                [f'{{{first:#x}, {last:#x}, "{name}"}}' for first, last, name in scripts])
    print("\n}  // namespace trine::inline TRINE_ABI::detail")


def combining_classes():
    """The canonical combining classes that NFD of the package orders by: this Python's, where the package has one."""
    nfd = normalizers.NFD()
    result = {}
    for c in CODE_POINTS:
        known = unicodedata.combining(chr(c))
        above = nfd.normalize_str("a\u0301" + chr(c))  # U+0301 has class 230
        below = nfd.normalize_str("a" + chr(c) + "\u0323")  # U+0323 has class 220
        moves = above == "a" + chr(c) + "\u0301" != "a\u0301" + chr(c) or below == "a\u0323" + chr(c) != "a" + chr(c) + "\u0323"
        if len(nfd.normalize_str(chr(c))) == 1 and moves:
            assert known, f"the package knows a class of {c:#x} and this Python does not"
            result[c] = known
    return result


def normalization_table():
    nfc, nfd, nfkd = normalizers.NFC(), normalizers.NFD(), normalizers.NFKD()
    not_hangul = [c for c in CODE_POINTS if not 0xAC00 <= c < 0xAC00 + 11172]  # the algorithm has those
    mappings = []  # code point, decomposition, is it a compatibility decomposition
    for c in not_hangul:
        canonical, compatible = nfd.normalize_str(chr(c)), nfkd.normalize_str(chr(c))
        if canonical != chr(c):
            mappings.append((c, canonical, 0))
        if compatible != canonical:
            mappings.append((c, compatible, 1))
    pool, entries = "", []
    for text in sorted({text for _, text, _ in mappings}, key=len, reverse=True):
        if text not in pool:
            pool += text
    for c, text, kind in mappings:
        entries.append(f"{{{c:#x}, {pool.index(text)}, {len(text)}, {kind}}}")
    pairs = []
    for c in not_hangul:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (int(part, 16) for part in parts)
            if nfc.normalize_str(chr(first) + chr(second)) == chr(c):
                pairs.append((first, second, c))
    classes = runs(combining_classes())
    print("// SPDX-License-Identifier: Apache-2.0")
    print("// Decompositions, compositions and combining classes of Unicode, made by tests/oracle/make_unicode_tables.py from what")
    print(f"// the normalizers inside Hugging Face tokenizers {tokenizers.__version__} do. Do not edit.")
    print("#pragma once\n\n#include <array>\n#include <cstdint>\n\n#include <trine/core/abi.hpp>\n")
    print("namespace trine::inline TRINE_ABI::detail {\n")
    print("struct Decomposition {\n  char32_t character;\n  std::uint16_t begin;  // in kDecomposed\n  std::uint8_t length;\n"
          "  std::uint8_t is_compatibility;\n};\n")
    print("struct Composition {\n  char32_t first;\n  char32_t second;\n  char32_t result;\n};\n")
    print("struct CombiningClassRun {\n  char32_t first;\n  char32_t last;\n  std::uint8_t combining_class;\n};\n")
    print("// All of a character's decomposition, not only one step. Ascending; the canonical one first.")
    print_array("inline constexpr std::array<Decomposition, {count}> kDecompositions = {{{{", entries)
    print()
    print_array("inline constexpr std::array<char32_t, {count}> kDecomposed = {{{{", [f"{ord(c):#x}" for c in pool])
    print()
    print_array("inline constexpr std::array<Composition, {count}> kCompositions = {{{{",
                [f"{{{a:#x}, {b:#x}, {c:#x}}}" for a, b, c in sorted(pairs)])
    print()
    print_array("inline constexpr std::array<CombiningClassRun, {count}> kCombiningClasses = {{{{",
                [f"{{{first:#x}, {last:#x}, {value}}}" for first, last, value in classes])
    print("\n}  // namespace trine::inline TRINE_ABI::detail")
    print(len(entries), "decompositions,", len(pool), "characters,", len(pairs), "compositions,", len(classes), "class runs",
          file=sys.stderr)


def unicode_table():
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


def punctuation_table():
    """What the pre-tokenizer "Punctuation" finds: ASCII, and the category P of the older Unicode that it was built with."""
    splitter = pre_tokenizers.Punctuation("removed")
    ranges = runs({c: True for c in CODE_POINTS if not splitter.pre_tokenize_str(chr(c))})
    print("// SPDX-License-Identifier: Apache-2.0")
    print("// What the pre-tokenizer \"Punctuation\" takes for punctuation, made by tests/oracle/make_unicode_tables.py from what")
    print(f"// Hugging Face tokenizers {tokenizers.__version__} cuts out. Do not edit.")
    print("#pragma once\n\n#include <array>\n\n#include <trine/core/abi.hpp>\n")
    print("namespace trine::inline TRINE_ABI::detail {\n\nstruct PunctuationRange {\n  char32_t first;\n  char32_t last;\n};\n")
    print_array("inline constexpr std::array<PunctuationRange, {count}> kPunctuationRanges = {{{{",
                [f"{{{first:#x}, {last:#x}}}" for first, last, _ in ranges])
    print("\n}  // namespace trine::inline TRINE_ABI::detail")
    print(len(ranges), "ranges", file=sys.stderr)


if __name__ == "__main__":
    {f.__name__: f for f in (unicode_table, unicode_since_14, normalization_table, punctuation_table)}[sys.argv[1]]()
