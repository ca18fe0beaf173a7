# SPDX-License-Identifier: Apache-2.0
"""Samples from an exported model with the reference, recomputing everything for each token: slow, and easy to trust.

    python generate.py --model ../models/shakespeare --prompt "ROMEO:" --tokens 200
"""
import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer

from trine_reference.export import load_model


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", default="ROMEO:\n")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--temp", type=float, default=0.8)
    parser.add_argument("--top-k", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)
    model, tokenizer = load_model(args.model), Tokenizer.from_file(str(Path(args.model) / "tokenizer.json"))
    ids, generator = tokenizer.encode(args.prompt).ids, torch.Generator().manual_seed(args.seed)
    for _ in range(args.tokens):
        best = model(torch.tensor([ids]))[0, -1].topk(args.top_k)
        pick = torch.multinomial((best.values / args.temp).softmax(0), 1, generator=generator)
        ids.append(best.indices[pick].item())
    print(tokenizer.decode(ids))


if __name__ == "__main__":
    main()
