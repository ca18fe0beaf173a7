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
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

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


def main():
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
