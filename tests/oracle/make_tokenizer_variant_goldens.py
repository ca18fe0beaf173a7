# SPDX-License-Identifier: Apache-2.0
"""What the Hugging Face `tokenizers` package makes of variants of tokenizer.json that published files have: vocabularies
without all bytes, decoders in other orders, steps behind "ByteLevel", other post-processors, entries without meaning.

    python tests/oracle/make_tokenizer_variant_goldens.py     # rewrites tests/golden/tokenizer/variants.json
"""
import json
import random

import tokenizers
from make_tokenizer_goldens import OUT, SENTENCES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXTS = ["", " ", "the dog", " the  dog ", "The quick brown fox jumps over the lazy dog.", "über den Straße", "12 345 6a7 ½٣ v1.2.3", "a_b-c, d!  e\n\tf", "中文 été", "é",
         "\u0301e", "😀😀 x", "ж ж", "<s>the dog<s> the", "a<s> b", "▁the▁dog", "▁", "<0x41><0x0A>", "\r\n\r\n", "\x00\x01a\x7fb", "don't, (or: \"do\")!?", "²³¹¼ x²", "the\r\nthe",
         "「引用」、。", "a\u00a0b\u3000c", "  t the tt", "\n\n\nthe\n"]


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def metaspace(scheme):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}


def strip(content, start, stop):
    return {"type": "Strip", "content": content, "start": start, "stop": stop}


FALLBACK, FUSE, SPACE = {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
LETTERS = {"type": "Replace", "pattern": {"Regex": "[e ]+"}, "content": "_"}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BYTES_ONLY = {**BYTE_LEVEL, "use_regex": False}
DIGITS = {"type": "Digits", "individual_digits": False}


def split(behavior, **pattern):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}


def punctuation(behavior):
    return {"type": "Punctuation", "behavior": behavior}


def characters():
    """Of characters, with tokens for all bytes but one."""
    base = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    base.pre_tokenizer = pre_tokenizers.Metaspace()
    base.train_from_iterator(SENTENCES[:5] + SENTENCES[7:10], trainers.BpeTrainer(
        vocab_size=300, min_frequency=2, show_progress=False, special_tokens=["<unk>", "<s>"] + [f"<0x{byte:02X}>" for byte in range(256) if byte != 0xE9]))
    document = json.loads(base.to_str())
    document["added_tokens"] = [{**token, "normalized": False} for token in document["added_tokens"] if token["content"] in ("<unk>", "<s>")]
    document["decoder"] = FUSE
    return document


def gaps():
    """Byte-level, with the bytes of its training text alone, as SmolLM2 has them."""
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    base.train_from_iterator([SENTENCES[0], SENTENCES[4], "don't $10,000 and 345 or 67"],
                             trainers.BpeTrainer(vocab_size=130, min_frequency=1, show_progress=False, special_tokens=["<s>"]))
    document = json.loads(base.to_str())
    document["added_tokens"] = [{**token, "normalized": False} for token in document["added_tokens"]]
    return document


def with_fallback(document):
    """`gaps` with tokens for the bytes of characters of the byte-level alphabet, some of which are missing."""
    vocab = dict(document["model"]["vocab"])
    for byte in range(256):
        if byte not in (0xC4, 0x9C):
            vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    return vocab


def cases(bases):
    characters_of, gaps_of = bases["characters"], bases["gaps"]
    orders = [[FALLBACK, metaspace("always")], [FALLBACK, metaspace("never")], [FALLBACK, metaspace("first"), FUSE], [metaspace("always"), FALLBACK, FUSE, strip(" ", 1, 0)],
              [FALLBACK, SPACE], [FALLBACK, SPACE, FUSE, strip(" ", 1, 0)], [FALLBACK, FUSE, SPACE], [FALLBACK, FUSE, SPACE, strip(" ", 1, 0)], [FALLBACK, FUSE, metaspace("always")],
              [FALLBACK, FUSE, metaspace("never"), strip(" ", 2, 0)], [FUSE, SPACE], [FUSE, SPACE, SPACE, FUSE], [SPACE, FALLBACK, strip(" ", 1, 0), FUSE], [SPACE, strip(" ", 1, 0)],
              [SPACE, strip("e", 0, 1), FALLBACK, FUSE], [FALLBACK, FUSE, SPACE, LETTERS], [FALLBACK, LETTERS, metaspace("never")], [SPACE, FALLBACK, FUSE, strip("e", 1, 1)],
              [SPACE, FALLBACK, strip("g", 1, 1)], [metaspace("always"), metaspace("never"), SPACE], [FALLBACK, metaspace("always"), metaspace("always"), FUSE],
              [sequence("decoders", FALLBACK, FUSE), SPACE], [SPACE, FALLBACK, FUSE, strip("x", 0, 3)]]
    result = [["characters", {"decoder": sequence("decoders", *order)}] for order in orders]
    twice = characters_of["added_tokens"]
    empty = {**twice[0], "id": 900, "content": ""}
    result += [["characters", {"decoder": sequence("decoders", FALLBACK, FUSE, SPACE), "added_tokens": [twice[0], empty, twice[1], twice[0]]}]]
    result += [["characters", {"decoder": None}], ["gaps", {"decoder": None}]]
    around = {"sep": ["<unk>", 0], "cls": ["<s>", 1]}
    result += [["characters", {"post_processor": {"type": "BertProcessing", **around}}],
               ["characters", {"post_processor": {"type": "RobertaProcessing", **around, "trim_offsets": True, "add_prefix_space": False}}]]
    result += [["characters", {"pre_tokenizer": punctuation(behavior)}] for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")]
    result += [["characters", {"pre_tokenizer": sequence("pretokenizers", punctuation("Isolated"), metaspace("first"))}], ["characters", {"pre_tokenizer": {"type": "Punctuation"}}]]

    result += [["gaps", {}], ["gaps", {"model": {"ignore_merges": True}}], ["gaps", {"model": {"byte_fallback": True}}], ["gaps", {"model": {"unk_token": "d"}}]]
    result += [["gaps", {"model": {"unk_token": "<s>", "fuse_unk": fuse}}] for fuse in (False, True)]
    result += [["gaps", {"model": {"byte_fallback": True, "unk_token": unknown, "fuse_unk": fuse, "vocab": with_fallback(gaps_of)}}] for unknown in (None, "<s>") for fuse in (False, True)]
    full = json.loads(json.dumps(gaps_of["model"]["vocab"]))
    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        full.setdefault(character, len(full))
    result += [["gaps", {"model": {"unk_token": "<nowhere>", "vocab": full}}]]
    steps = [[punctuation("Contiguous"), BYTE_LEVEL, DIGITS, split("Isolated", Regex="[0-9][0-9][0-9]")], [BYTE_LEVEL, DIGITS], [BYTES_ONLY, {"type": "Digits", "individual_digits": True}],
             [BYTES_ONLY, split("MergedWithNext", String="Ġ")], [BYTES_ONLY, BYTE_LEVEL], [DIGITS, sequence("pretokenizers", BYTES_ONLY, punctuation("Isolated"))], [BYTE_LEVEL, {"type": "WhitespaceSplit"}]]
    result += [["gaps", {"pre_tokenizer": sequence("pretokenizers", *order), "model": {"vocab": full}}] for order in steps]
    result += [["gaps", {"pre_tokenizer": sequence("pretokenizers", *steps[0])}], ["gaps", {"pre_tokenizer": sequence("pretokenizers", *steps[1]), "model": {"ignore_merges": True}}]]
    return result


def decoded(tokenizer, ids, skip):
    """None where `tokenizers` itself panics: "Strip" at the end of a token that has nothing else."""
    try:
        return tokenizer.decode(ids, skip_special_tokens=skip)
    except BaseException as error:  # a PanicException is no Exception
        if type(error).__name__ != "PanicException":
            raise
        return None


def main():
    bases = {"characters": characters(), "gaps": gaps()}
    rng = random.Random(5)
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    rows = []
    for name, patch in cases(bases):
        document = {**bases[name], **patch, "model": {**bases[name]["model"], **patch.get("model", {})}}
        tokenizer = Tokenizer.from_str(json.dumps(document))
        results = [[ids := tokenizer.encode(text).ids, decoded(tokenizer, ids, False), decoded(tokenizer, ids, True)] for text in TEXTS]
        most = max(document["model"]["vocab"].values())
        for _ in range(24 if name == "characters" else 4):  # ids that no text gives: bytes that are no characters
            ids = [rng.choice([rng.randint(0, most), rng.randint(2 + 0x80, 2 + 0xFE) % most, 2 + 0xC3, 2 + 0xA9, 1, 2, 999]) for _ in range(rng.randint(1, 9))]
            if name == "characters" and rng.random() < 0.4:  # U+2581, whose bytes are a run of its own
                at = rng.randint(0, len(ids))
                ids[at:at] = [2 + 0xE2, 2 + 0x96, 2 + 0x81]
            results.append([ids, decoded(tokenizer, ids, False), decoded(tokenizer, ids, True)])
        rows.append(dump([name, patch, results]))
    made_by = {"tokenizers": tokenizers.__version__, "script": "tests/oracle/make_tokenizer_variant_goldens.py"}
    (OUT / "variants.json").write_text('{"made_by": ' + json.dumps(made_by) + f',\n"texts": {dump(TEXTS)},\n"tokenizers": {{\n'
                                       + ",\n".join(f"{dump(name)}: {dump(document)}" for name, document in bases.items())
                                       + '},\n"cases": [\n' + ",\n".join(rows) + "\n]}\n")
    print(len(rows), "variants")


if __name__ == "__main__":
    main()
