# SPDX-License-Identifier: Apache-2.0
"""Bits per byte, perplexity and expert utilisation of an exported model on a text, as trine-perplexity measures them.

    python evaluate.py --model ../models/shakespeare --text input.txt --part validation
"""
import argparse
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F


def utilization(load):
    """exp(entropy of the load over the experts) / experts: 1 when every expert serves equally many assignments."""
    share = load.double() / load.sum()
    entropy = -(share[share > 0] * share[share > 0].log()).sum()
    return (entropy.exp() / load.numel()).item()


@torch.no_grad()
def evaluate(model, ids, scored_bytes, context=512, rows=4):
    """Windows of `context` inputs; every token but the very first is scored.

    ids: token ids of the whole text. scored_bytes: bytes of all tokens but the first.
    """
    training = model.training
    model.eval()
    ids = torch.as_tensor(ids)
    load = {i: torch.zeros(model.config.moe.num_experts) for i, _ in model.routed_layers()}
    nll = 0.0

    def score(inputs, targets):
        nonlocal nll
        logits = model(inputs)
        nll += F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").double().item()
        for i, moe in model.routed_layers():
            load[i] += torch.bincount(moe.chosen[moe.chosen >= 0], minlength=load[i].numel())

    full = (len(ids) - 1) // context                        # whole windows, several at a time; then the shorter last one
    for begin in range(0, full, rows):
        end = min(begin + rows, full)
        score(ids[begin * context:end * context].view(-1, context),
              ids[begin * context + 1:end * context + 1].view(-1, context))
    if full * context < len(ids) - 1:
        score(ids[full * context:-1][None], ids[full * context + 1:][None])
    model.train(training)
    per_layer = [utilization(counts) for counts in load.values()]
    return {"bits_per_byte": nll / math.log(2) / scored_bytes, "perplexity": math.exp(nll / (len(ids) - 1)),
            "utilization": sum(per_layer) / len(per_layer), "utilization_min": min(per_layer),
            "utilization_per_layer": per_layer, "tokens": len(ids)}


def encode(tokenizer, text):
    """(ids, bytes of all tokens but the first)"""
    encoding = tokenizer.encode(text)
    return encoding.ids, len(text.encode()) - len(text[slice(*encoding.offsets[0])].encode())


if __name__ == "__main__":
    from tokenizers import Tokenizer

    from tokenizer import split_text
    from trine_reference.export import load_model

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--part", choices=["all", "training", "validation"], default="validation")
    parser.add_argument("--context", type=int, default=512)
    args = parser.parse_args()
    training, validation = split_text(args.text)
    text = {"all": training + validation, "training": training, "validation": validation}[args.part]
    tokenizer = Tokenizer.from_file(str(Path(args.model) / "tokenizer.json"))
    print(json.dumps(evaluate(load_model(args.model), *encode(tokenizer, text), context=args.context), indent=1))
