# SPDX-License-Identifier: Apache-2.0
"""Trains the byte-level BPE tokenizer of the Shakespeare model on the training part of the corpus.

    python tokenizer.py --text input.txt --out ../models/shakespeare/tokenizer.json
"""
import argparse
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def split_text(path):
    """(training, validation): the first 90 % of the bytes and the last 10 %, by position."""
    data = Path(path).read_bytes()
    cut = len(data) * 9 // 10
    return data[:cut].decode(), data[cut:].decode()


def train_tokenizer(text, vocab_size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)  # the GPT-2 pattern
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", required=True)
    parser.add_argument("--vocab-size", type=int, default=1024)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    training, _ = split_text(args.text)
    train_tokenizer(training, args.vocab_size).save(args.out)
