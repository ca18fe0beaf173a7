# SPDX-License-Identifier: Apache-2.0
"""Writes a trained checkpoint as a trine model directory.

    python export.py --run runs/shakespeare --tokenizer tokenizer.json --text input.txt --out ../models/shakespeare
"""
import argparse
import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer

from tokenizer import split_text
from trine_reference import Config, Model
from trine_reference.export import save_model, self_test


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="folder written by train.py")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--text", required=True, help="the corpus; its validation part makes the self test")
    parser.add_argument("--dtype", default="bf16", choices=["bf16", "f16", "f32"])
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    run, out = Path(args.run), Path(args.out)
    checkpoint = torch.load(run / "best.pt")
    model = Model(Config.load(run / "config.json"))
    model.load_state_dict(checkpoint["model"])
    stored = save_model(model.eval(), (run / "config.json").read_text(), out, args.dtype)
    if Path(args.tokenizer).resolve() != (out / "tokenizer.json").resolve():
        shutil.copyfile(args.tokenizer, out / "tokenizer.json")
    ids = Tokenizer.from_file(args.tokenizer).encode(split_text(args.text)[1]).ids
    frame = stored.config.sites
    lengths = [1, frame, 2 * frame + 7, 4 * frame + 1]                            # whole and partial frames
    cases = [ids[1000 * i:1000 * i + length] for i, length in enumerate(lengths)]
    test = self_test(stored, cases, "examples/training/export.py", checkpoint["args"]["seed"])
    (out / "self_test.json").write_text(json.dumps(test) + "\n")


if __name__ == "__main__":
    main()
