# SPDX-License-Identifier: Apache-2.0
"""Texts of many kinds with the ids and the decoded text of the Hugging Face `tokenizers` package.

    python tests/oracle/make_tokenizer_goldens.py     # rewrites tests/golden/tokenizer/

Two byte-level BPE tokenizers: that of the Shakespeare model, and a small one of another shape (a prefix space, several
added tokens, many scripts).
"""
import json
import random
from pathlib import Path

import tokenizers
from make_unicode_tables import matched
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/tokenizer"

SENTENCES = [  # our own; the mixed tokenizer is trained on these
    "The quick brown fox jumps over the lazy dog, and the dog doesn't care.",
    "Every expert has a key; the token asks, and the best two answer.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, dafür schämen sie sich später.",
    "Größe, Maß und Übermut: die Straße führt über die Brücke.",
    "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë au delà des îles.",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío, añoraba a su querido cachorro.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.", "Pijamalı hasta yağız şoföre çabucak güvendi.",
    "Быстрая лиса перепрыгивает через ленивую собаку, а собака спит.", "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.", "השועל החום המהיר קופץ מעל הכלב העצלן.",
    "الثعلب البني السريع يقفز فوق الكلب الكسول.", "तेज भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।", "நாய் தூங்குகிறது, நரி ஓடுகிறது.",
    "สุนัขจิ้งจอกกระโดดข้ามสุนัขขี้เกียจ", "敏捷的棕色狐狸跳过了懒狗。今天天气很好,我们去公园吧。", "素早い茶色の狐がのろまな犬を飛び越える。カタカナとひらがな。",
    "빠른 갈색 여우가 게으른 개를 뛰어넘는다.", "Con cáo nâu nhanh nhẹn nhảy qua con chó lười biếng.", "სწრაფი მელა ახტება ზარმაც ძაღლს.",
    "Արագ աղվեսը ցատկում է ծույլ շան վրայով։", "ፈጣኑ ቀበሮ ሰነፉን ውሻ ዘለለ።", "😀 😃 😄 emoji 🎉🎉 and flags 🇩🇪🇯🇵 and families 👨‍👩‍👧‍👦 and skin 👍🏽",
    "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }", "def route(x, k=2):\n    return sorted(x)[-k:]\n",
    "{\"key\": [1, 2.5, -3e10, true, null]}", "SELECT * FROM t WHERE amount > 10000;", "∀x ∈ ℝ: x² ≥ 0, ∑ᵢ wᵢ = 1, α → β, ½ + ¼ = ¾"]

EDGE = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\t", "\t\t", " \n", "\n ", " \n ", "\r\n", "\r\n\r\n", " \t \n \r ", "a", " a", "a ", "  a", "a  ",
    "a b", "a  b", "a   b", "a\nb", "a \n b", "a\n\nb", "a\n \nb", "a\t b", "   leading", "trailing   ", "in    between", "\u00a0", "a\u00a0b",
    "\u2003em space", "\u3000全角", "zero\u200bwidth", "\ufeffbom", "soft\u00adhyphen", "line\u2028sep", "next\u0085line", "\x00", "\x01\x02\x7f", "a\x00b",
    "'", "''", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "it's", "don't", "we're", "I've", "I'm", "he'll", "she'd", "IT'S", "DON'T",
    "it 's", "it' s", "o'clock", "'tis", "rock'n'roll", "s's's", "can't've", "it’s", "‘quoted’", "“double”", "d'accord", "'sup", "'verily", "'mid", "''s",
    "1", "12", "123", "1234567890", "3.14159", "1,000,000", "1e-9", "0x1F", "2024-02-29", "½", "²³", "Ⅳ", "٣٤٥", "१२३", "一二三", "a1b2", "1st 2nd", "v1.2.3",
    "!", "!!!", "?!", "...", "…", "--", "—", "a-b", "a--b", "a -- b", "(a)", "[b]{c}", "#!/bin/sh", "a/b\\c", "x@y.z", "http://a.b/c?d=e&f=g#h", "$5.00", "100%",
    "_under_score_", "camelCaseWord", "ALLCAPS", "MiXeD", "~`^|<>", "a,b;c:d", "Wait... what?! No--yes.", " .", " ,", ". ", "a .b", "\"", "\"quoted\"",
    "é", "e\u0301", "ÅÅ\u030a", "ﬁ ligature", "ß ẞ", "İi Iı", "ǅ", "ʻokina", "naïve café", "\u0301alone", "a\u0301\u0302\u0303", "נִקּוּד", "عَرَبِيّ", "क्षत्रिय", "ก็ที่",
    "中", "中文", "中文 文字", "、。", "「引用」", "ｆｕｌｌｗｉｄｔｈ", "ハンカク", "ｶﾅ", "한", "ㅎㅏㄴ", "Ω≈ç√∫", "→←↑↓", "∞", "♠♥", "☃", "\u20ac\u00a3\u00a5",
    "😀", "😀😀", "a😀b", " 😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "🇩🇪🇯🇵", "1️⃣", "❤️", "❤", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🫠", "𝒜𝓁𝓅𝒽𝒶", "𐍈𐌰", "𠜎", "\U0010ffff", "\ue000", "\ufffd",
    "<|endoftext|>", "<|endoftext|><|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b", " <|endoftext|>", "<|endoftext|> ", "<|endoftext|>\n",
    "<|endoftext", "|endoftext|>", "<|ENDOFTEXT|>", "<|end oftext|>", "<<|endoftext|>>", "<|endoftext|>'s", "it<|endoftext|>'s", "1<|endoftext|>2",
    "<s>", "</s>", "<s>a</s>", "<s> a </s>", "<s><s>", "<pad><pad>a", "<|user|>Hello<|end|>", "<|user|>\nHello there\n<|end|>\n<|assistant|>\n", "<|user|", "<s",
    "x<tool>y</tool>z", "<tool>", "tool", "[MASK]", "a [MASK] b", "[mask]", "[[MASK]]", "<|end|><|endoftext|>", "<|end|>oftext|>", "<unk>", "é<s>é", "中<s>文", "😀</s>😀",
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n", "KING RICHARD III:\n", "ROMEO:\nO, she doth teach",
    "\n\nROMEO:", "ROMEO :", "romeo", "thou'rt", "ta'en", "o'er", "'Tis not so deep as a well", "Enter GHOST.", "Exeunt.", "What, ho!\n  Who's there?\n",
    "int main() {\n\tstd::cout << \"hi\\n\";\n\treturn 0;\n}\n", "    if x:\n        y = 1\n", "a = b ? c : d;", "std::vector<std::uint32_t> v{1, 2, 3};",
    "<html><body class=\"x\">text</body></html>", "key: value\n- item\n- item2\n", "\\begin{equation} e^{i\\pi} = -1 \\end{equation}", "// comment\n/* c */",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ab" * 30, " " * 40, "\n" * 20, "the " * 12, "!?" * 12, "é" * 15, "中" * 12, "😀" * 6, "a " * 15 + "\n" * 3 + "b"]


def mixed_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(SENTENCES, trainers.BpeTrainer(
        vocab_size=480, min_frequency=2, show_progress=False, special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens(["<|user|>", "<|assistant|>", "<|end|>", "[MASK]"])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("</tool>", normalized=False)])
    return tokenizer


def texts():
    random.seed(0)
    result = EDGE + SENTENCES
    alphabet = "".join(SENTENCES) + "  \n\n\t'''s"
    specials = ["<|endoftext|>", "<s>", "</s>", "<|user|>", "<|end|>", "<tool>", "[MASK]"]
    for length in range(1, 61):                                                   # random characters of all scripts
        text = "".join(random.choice(alphabet) for _ in range(length))
        result.append(text if length % 4 else text[:length // 2] + random.choice(specials) + text[length // 2:])
    words = " ".join(SENTENCES).split(" ")
    for length in range(1, 21):
        result.append(random.choice(["", " ", "\n"]) + " ".join(random.choice(words) for _ in range(length)))
    return list(dict.fromkeys(result))


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REAL_PATTERNS = [  # of the families that the library runs, as their files spell them
    GPT2,
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",  # Qwen2, Qwen3
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",  # Llama 3
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",  # cl100k
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTIONS
    + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS
    + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",  # o200k: gpt-oss
    r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",  # DeepSeek V3, three in a row
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[0-9]", r"\p{N}",  # DeepSeek V2 and others
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+" + CONTRACTIONS
    + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*" + CONTRACTIONS
    + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]  # Kimi K2
OTHER_PATTERNS = [  # what Oniguruma and PCRE2 read differently, and what is easy to get wrong
    r"(?=\d)", r"\d*", r"x*", r"(?<=o)u", r"(?<!o)u", r"(?<=[^\S])\S", r"^.", r".$", r"\A\S", r"\S\z", r"\S\Z", r".", r"(?m:.)", r"(?m).+", r"(?i)THE|fox",
    r"(?i:k)", r"(?i:é)", r"(?i:[a-f]+)", r"a{2}", r"a{2,3}", r"a{2,}", r"a{,2}", r"a{2,3}?", r"a{2,3}+", r"(?:a{2,3}b?)+", r"a+?", r"a*+", r"a?+a", r"{", r"a{x", r"b{",
    r"[a-z&&[^aeiou]]+", r"[^a-z&&[^aeiou]]+", r"[\p{L}&&\p{Lu}]+", r"[a[bc]d]+", r"[^a[bc]]+", r"[^\S\n]+", r"[\S\n]+", r"[\D]+", r"[\H]", r"[a-]+", r"[-a]+", r"[\]\[]+",
    r"[a\-z]", r"[&a]+", r"\D+", r"\h+", r"\H+", r"\p{^L}+", r"\P{L}+", r"[\P{L}]+", r"[^\P{L}]+", r"\p{Hiragana}+", r"\p{Katakana}+", r"\p{Hangul}+",
    r"\x41|\x{e9}|\u4e2d|\t|\n|\e|\a|\v|\f", r"(the) (quick)", r"(?>a+)b", r"(?>a|ab)b", r"(?:a|b|c)+?d?", r"\.|\/|\!|\-|\ |\'", r"|a", r"a|", r"", r"\s+$", r"\S+(?=\n)", r"(?!a)\S",
    r"#+|~|%", r"[#~% ]+", r"(?i:[sdmt]|ll|ve|re)", r"\p{Lu}\p{Ll}+", r"[\p{M}\p{Sk}]+", r"[^\r\n\p{L}]+"]
PROPERTIES = [r"\s", r"\d", r"\h", r"\p{Han}", r"\p{Hiragana}", r"\p{Katakana}", r"\p{Hangul}"] + [
    r"\p{%s}" % name for name in "L Lu Ll Lt Lm Lo M Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp Cc Cf Co".split()]
#  not Mn and Mc: U+1171E moved between them


def pieces(pattern, text, behavior="isolated", invert=False):
    splitter = pre_tokenizers.Split(Regex(pattern), behavior, invert)
    return [piece for piece, _ in splitter.pre_tokenize_str(text)] if text else []


def fnv1a(numbers):
    result = 0xCBF29CE484222325
    for number in numbers:
        result = ((result ^ number) * 0x100000001B3) % 2**64
    return f"{result:016x}"


def split_goldens():
    """Patterns, texts, and the pieces that Split cuts; and which code points a property matches, as hashes of blocks."""
    short = [text for text in EDGE + SENTENCES if len(text) < 60][::3] + SENTENCES[-6:]
    strange = ["aaaaab aabb abcd {x} a{x b{", "The QUICK fox: THE end\nthe\n", "K\u212ak S\u017fs ÉÈé", "\U0001f1e9 \U00010d4a\U00010d50x \U00031350中 \U0001e5d0",
               "\u0085a\u180eb\u200bc", "I'M WE'LL'S it'\u017f", "ⅣⅫ½²٣", "foo_bar-baz&&qux [x] ]", "\x1b\x07\x0b\x0c\t é中A", "ouuo u 12ab34\n", "  a   \n\n  b \r\n \t"]
    texts = strange + short
    cases = [[pattern, "isolated", False, [pieces(pattern, text) for text in texts]] for pattern in REAL_PATTERNS]
    few = strange + short[::6]
    more = [[pattern, "isolated", False, [pieces(pattern, text) for text in few]] for pattern in OTHER_PATTERNS]
    for behavior in ("removed", "merged_with_previous", "merged_with_next", "contiguous", "isolated"):
        for pattern in (r"a", r"\s+", r"\p{L}+", r"(?=\d)", r"a*"):
            for invert in (False, True):
                more.append([pattern, behavior, invert, [pieces(pattern, text, behavior, invert) for text in few]])
    properties = {}
    for name in PROPERTIES:
        blocks = {}
        for c in sorted(matched(name)):
            blocks.setdefault(c >> 12, []).append(c)
        properties[name] = {f"{block:x}": fnv1a(members) for block, members in blocks.items()}
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    parts = ['"made_by": ' + json.dumps({"tokenizers": tokenizers.__version__, "script": "tests/oracle/make_tokenizer_goldens.py"})]
    for name, own_texts, own_cases in (("real", texts, cases), ("other", few, more)):
        parts.append(f'"{name}": {{"texts": {dump(own_texts)}, "cases": [\n' + ",\n".join(map(dump, own_cases)) + "]}")
    parts.append('"properties": {\n' + ",\n".join(f"{dump(k)}: {dump(v)}" for k, v in properties.items()) + "}")
    (OUT / "splits.json").write_text("{" + ",\n".join(parts) + "}\n")
    print(len(cases) * len(texts) + len(more) * len(few), "splits,", len(properties), "properties")


def normalization_goldens():
    """Every code point in the four forms, as hashes of blocks, and strings whose marks have to be ordered and joined."""
    rng = random.Random(3)
    alphabet = ("aAeEoOuUÅåñǖệ\u0301\u0300\u0323\u0308\u0304\u0327\u0328\u0345\u05b0\u05b7\u064b\u0651\u093c\u0f71\u0f72\u1100\u1102\u1161\u1175\u11a8\u11c2가각힣"
                "ﬁ①½ｱﾞㅎ㍻ŉſẛΩKÅ\u0344\u0958\u2adc\ufb1d\u09c7\u09be\u0b47\u0b56\U000110a5\U000110ba\U0001d15e\u1e9b\u0f77\ufdfa \x00")
    strings = ["".join(rng.choice(alphabet) for _ in range(rng.randint(1, 12))) for _ in range(400)] + SENTENCES
    forms = {"nfc": normalizers.NFC(), "nfd": normalizers.NFD(), "nfkc": normalizers.NFKC(), "nfkd": normalizers.NFKD()}
    characters = {}
    for name, form in forms.items():
        blocks = {}
        for c in (c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF):
            blocks.setdefault(c >> 12, bytearray()).extend(form.normalize_str(chr(c)).encode())
        characters[name] = {f"{block:x}": fnv1a(text) for block, text in blocks.items() if block < 0x31 or block >= 0xE0}
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    rows = ",\n".join(dump([text] + [form.normalize_str(text) for form in forms.values()]) for text in strings)
    (OUT / "normalization.json").write_text('{"made_by": ' + json.dumps({"tokenizers": tokenizers.__version__, "script": "tests/oracle/make_tokenizer_goldens.py"})
                                            + f',\n"characters": {dump(characters)},\n"strings": [\n{rows}\n]}}\n')


def component_goldens():
    """A small vocabulary of characters, and what each component around it makes of texts."""
    base = Tokenizer(models.BPE(unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.Metaspace()
    base.train_from_iterator(SENTENCES[:5] + SENTENCES[7:10], trainers.BpeTrainer(
        vocab_size=300, min_frequency=2, show_progress=False, special_tokens=["<unk>", "<s>"] + [f"<0x{byte:02X}>" for byte in range(256) if byte != 0xE9]))
    document = json.loads(base.to_str())
    document["added_tokens"] = [{**token, "normalized": False} for token in document["added_tokens"] if token["content"] in ("<unk>", "<s>")]
    document["pre_tokenizer"], document["decoder"] = None, {"type": "Fuse"}
    texts = ["", " ", "  ", "the dog", " the  dog ", "The quick brown fox jumps over the lazy dog.", "über den Straße", "12 345 6a7 ½٣", "a_b-c, d!  e\n\tf", "中文 été", "é", "\u0301e",
             "😀😀 x", "ж ж", "<s>the dog<s> the", "a<s> b", " <s>", "▁the▁dog", "▁", "<0x41><0x0A>", "\u2028the\u00a0dog\u3000", "ﬁne Ångström e\u0301", "xéyéz", "<tool> a<tool>", "QuickÉ Brown", "the\r\nthe"]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    metaspace = lambda scheme, split=True: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}
    sequence = lambda key, *steps: {"type": "Sequence", key: list(steps)}
    space = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    spm = sequence("decoders", space, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    split = lambda behavior, invert=False, **pattern: {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
    tool = {"id": len(document["model"]["vocab"]), "content": "<tool>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
    patches = [{}]
    patches += [{"model": {"fuse_unk": fuse, "byte_fallback": fallback, "unk_token": unknown}, "decoder": spm} for fuse in (False, True) for fallback in (False, True) for unknown in ("<unk>", None)]
    patches += [{"model": {"ignore_merges": True}, "pre_tokenizer": metaspace("always")}]
    patches += [{"pre_tokenizer": metaspace(scheme, split), "decoder": metaspace(scheme)} for scheme in ("always", "first", "never") for split in (True, False)]
    patches += [{"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}, "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}}]
    patches += [{"pre_tokenizer": sequence("pretokenizers", first, metaspace(scheme))} for first in ({"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True},
                {"type": "Digits", "individual_digits": False}, split("Removed", Regex="\\s+"), split("MergedWithNext", String=" ")) for scheme in ("always", "first")]
    patches += [{"pre_tokenizer": step} for step in ({"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False},
                split("Isolated", Regex="\\p{L}+"), split("Removed", True, Regex="\\p{L}+"), split("Contiguous", String="o"))]
    patches += [{"normalizer": step} for step in ({"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Prepend", "prepend": "▁"}, replace, {"type": "Strip", "strip_left": True, "strip_right": False},
                {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
                {"type": "Replace", "pattern": {"Regex": "(?=e)"}, "content": "o"}, {"type": "Replace", "pattern": {"String": "the"}, "content": ""})]
    patches += [{"normalizer": sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace), "model": {"byte_fallback": True, "fuse_unk": True}, "decoder": spm, "added_tokens": [tool]}]
    patches += [{"normalizer": sequence("normalizers", {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKC"}, replace), "pre_tokenizer": metaspace("always", False), "decoder": spm}]
    patches += [{"normalizer": {"type": "NFC"}, "pre_tokenizer": metaspace("first", False), "decoder": spm}]
    patches += [{"model": {"byte_fallback": True}, "decoder": steps} for steps in ({"type": "ByteFallback"}, sequence("decoders", {"type": "ByteFallback"}, {"type": "Fuse"}), space, sequence("decoders", space, {"type": "Fuse"}),
                sequence("decoders", {"type": "Replace", "pattern": {"Regex": "e+"}, "content": "E"}, metaspace("always"), {"type": "ByteFallback"}),
                sequence("decoders", {"type": "Fuse"}, {"type": "Strip", "content": "t", "start": 3, "stop": 0}))]
    rng = random.Random(11)
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    rows = []
    for patch in patches:
        patched = {**document, **patch}
        patched["model"] = {**document["model"], **patch.get("model", {})}
        patched["added_tokens"] = document["added_tokens"] + patch.get("added_tokens", [])
        tokenizer = Tokenizer.from_str(json.dumps(patched))
        results = [[ids := tokenizer.encode(text).ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)] for text in texts]
        for _ in range(12):  # ids that no text gives: bytes that are no characters
            ids = [rng.choice([rng.randint(0, 560), rng.randint(2 + 0x80, 2 + 0xFE), 2 + 0xC3, 2 + 0xA9, 1, 999]) for _ in range(rng.randint(1, 9))]
            results.append([ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)])
        rows.append(dump([patch, results]))
    (OUT / "components.json").write_text('{"made_by": ' + json.dumps({"tokenizers": tokenizers.__version__, "script": "tests/oracle/make_tokenizer_goldens.py"})
                                         + f',\n"texts": {dump(texts)},\n"tokenizer": {dump(document)},\n"cases": [\n' + ",\n".join(rows) + "\n]}\n")
    print(len(rows), "tokenizers of components")


def main():
    normalization_goldens()
    component_goldens()
    split_goldens()
    shakespeare = ROOT / "examples/models/shakespeare/tokenizer.json"
    for name in ("shakespeare", "mixed"):
        (OUT / name).mkdir(parents=True, exist_ok=True)
    (OUT / "shakespeare/tokenizer.json").write_text(shakespeare.read_text())
    mixed_tokenizer().save(str(OUT / "mixed/tokenizer.json"))
    both = {name: Tokenizer.from_file(str(OUT / name / "tokenizer.json")) for name in ("shakespeare", "mixed")}
    lines = []
    for text in texts():
        ids = {name: tokenizer.encode(text).ids for name, tokenizer in both.items()}
        decoded = {name: both[name].decode(ids[name], skip_special_tokens=False) for name in both}
        assert decoded["shakespeare"] == text
        lines.append(json.dumps({"text": text, "ids": ids, "decoded": decoded}, separators=(",", ":")))
    head = json.dumps({"made_by": {"tokenizers": tokenizers.__version__, "script": "tests/oracle/make_tokenizer_goldens.py"}})
    (OUT / "cases.json").write_text(head[:-1] + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}\n")
    print(len(lines), "texts")


if __name__ == "__main__":
    main()
