# SPDX-License-Identifier: Apache-2.0
"""Perplexities that transformers with PEFT finds for the bundled adapter, on the part of its text that was held out.

    python tests/oracle/make_trained_adapter_golden.py --text prideprejudice.txt

Writes expected.json beside the adapter: f32 arithmetic with the stored weights on the CPU, with the adapter and without it.
"""
import argparse
import json
import math
import platform
import sys
from pathlib import Path

import peft
import torch
import transformers
from peft import PeftModel
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/training"))
from evaluate import encode                                                       # noqa: E402
from tokenizer import split_text                                                  # noqa: E402
from train_lora import load_model, perplexity                                     # noqa: E402

SCRIPT = "tests/oracle/make_trained_adapter_golden.py"
BASE = ROOT / "examples/models/deepseek-v3-shakespeare"
ADAPTER = ROOT / "examples/models/deepseek-v3-shakespeare-lora-austen"
EXCERPT, CONTEXT = 2048, 512


def figures(model, tokenizer, text):
    ids, scored_bytes = encode(tokenizer, text)
    found = perplexity(model, ids, CONTEXT)
    return {"perplexity": found, "bits_per_byte": math.log2(found) * (len(ids) - 1) / scored_bytes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    args = parser.parse_args()

    torch.set_num_threads(1)
    tokenizer, held_out = Tokenizer.from_file(str(BASE / "tokenizer.json")), split_text(args.text)[1]
    ids = tokenizer.encode(held_out).ids
    excerpt = next(ids[begin:begin + EXCERPT] for begin in range(len(ids))
                   if tokenizer.encode(tokenizer.decode(ids[begin:begin + EXCERPT])).ids == ids[begin:begin + EXCERPT])
    parts = {"held_out": ({"tokens": len(ids)}, held_out),
             "excerpt": ({"text": tokenizer.decode(excerpt), "tokens": excerpt}, tokenizer.decode(excerpt))}
    without = load_model(BASE)
    with_adapter = PeftModel.from_pretrained(load_model(BASE), ADAPTER)
    expected = {"made_by": {"peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__,
                            "python": platform.python_version(), "script": SCRIPT},
                "base_model": BASE.name, "context": CONTEXT}
    for name, (described, text) in parts.items():
        expected[name] = {**described, "without_adapter": figures(without, tokenizer, text),
                          "with_adapter": figures(with_adapter, tokenizer, text)}
        print(name, {key: expected[name][key] for key in ("without_adapter", "with_adapter")}, flush=True)
    (ADAPTER / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
