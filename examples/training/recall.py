# SPDX-License-Identifier: Apache-2.0
"""Can a kind of attention carry a fact across 4096 tokens? Trains a small model on associative recall, then measures.

    python recall.py --config configs/recall_full.json --out runs/recall_full

Every configuration gets the same data in the same order: STAGES, from short to long sequences, 4096 tokens per step.
Writes OUT/result.json: accuracy by the distance from a question to its pair, beside `reachable`, the share of questions
whose pair can be reached at all by as many hops through the attention tables as the model has layers. OUT/model is a
model directory with a self test; OUT/questions.json holds two sequences with their answers.
"""
import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from gathered_attention import GatheredAttention
from recall_data import FIRST_QUESTION, IGNORED, VOCABULARY, draw
from train import optimizers
from trine_reference import Config, Model
from trine_reference.export import load_model, save_model, self_test
from trine_reference.model import allowed_keys

TOKENS = 4096
STAGES = [                                       # tokens, sequences per step, pairs, questions, steps
    (512, 8, 16, 64, 400), (2048, 2, 32, 256, 300), (TOKENS, 1, 64, 512, 800)]
EDGES = [1, 64, 128, 256, 512, 1024, 2048, TOKENS]       # distances d with EDGES[i] <= d < EDGES[i + 1] are one bucket
MOST_CROWDED = 4                                 # pairs in 64 tokens; more count as so many


def reach(config, tokens):
    """bool [tokens, tokens]: row n is true at the m whose content can be in the last layer's output at n.

    One layer moves content from m to n if an axis lets n look at m, or in the residual stream (m = n): A.
    As many layers as the model has: the power of A, in and/or.
    """
    a = config.attention
    if a.kind == "3d":
        axes = [("spatial", a.spatial), ("temporal", a.temporal)]
    else:
        axes = [(a.kind, a)]
    hop = torch.eye(tokens, dtype=torch.bool)
    for name, axis in axes:
        if getattr(axis, "pattern", None) == "routed":                           # any frame may be chosen
            hop |= allowed_keys("full", tokens)
            continue
        hop |= allowed_keys(name, tokens, config.sites, getattr(axis, "lookback", None), getattr(axis, "causal", True),
                            getattr(axis, "pattern", None))
    reached = hop.float()
    for _ in range(config.num_hidden_layers - 1):
        reached = (reached @ hop.float() > 0).float()
    return reached > 0


def answers(model, batch):
    """(loss, right) over the questions of a batch; right is bool [questions]."""
    asked = batch.targets != IGNORED
    logits, targets = model(batch.tokens)[asked], batch.targets[asked]
    return F.cross_entropy(logits, targets), logits.argmax(-1) == targets


def train(model, lr, weight_decay, warmup, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    opts = optimizers(model, lr, weight_decay)
    stages = [(*shape, max(1, round(steps * scale))) for *shape, steps in STAGES]
    total, step = sum(steps for *_, steps in stages), 0
    for tokens, batch, pairs, questions, steps in stages:
        recent = []
        for i in range(steps):
            step += 1
            factor = min(1, step / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / total)))
            for opt in opts:
                for group in opt.param_groups:
                    group["lr"] = lr * group.get("scale", 1) * factor
            loss, right = answers(model, draw(generator, batch, tokens, pairs, questions))
            loss.backward()
            for opt in opts:
                opt.step()
            model.zero_grad()
            recent = (recent + [right.float().mean().item()])[-50:]
            if step % 50 == 0 or i == steps - 1:
                print(f"\rstep {step} of {total}, {tokens} tokens, loss {loss.item():.4f}, "
                      f"accuracy {sum(recent) / len(recent):.4f}, {time.process_time():.0f} CPU s",
                      end="\n" if i == steps - 1 else " ", file=sys.stderr, flush=True)
    return total


class Tally:
    """Questions, right answers and reachable pairs, counted in groups."""

    def __init__(self, groups):
        self.asked, self.right, self.seen = (torch.zeros(groups) for _ in range(3))

    def add(self, group, right, seen):                                           # each [questions]
        for total, what in ((self.asked, torch.ones(len(group))), (self.right, right), (self.seen, seen)):
            total.index_add_(0, group, what.float())

    def rows(self, names):
        counts = zip(names, self.asked.tolist(), self.right.tolist(), self.seen.tolist())
        return [{**name, "questions": int(asked), "accuracy": right / max(asked, 1), "reachable": seen / max(asked, 1)}
                for name, asked, right, seen in counts]


@torch.no_grad()
def evaluate(model, seed, sequences):
    """Accuracy over sequences that training never drew: in all, by distance, and by how crowded the pair stands.

    Crowded: pairs in the same 64 tokens as the pair asked for; of questions 128 tokens or more behind it.
    """
    generator, reached = torch.Generator().manual_seed(seed), reach(model.config, TOKENS)
    whole, distances, crowds = Tally(1), Tally(len(EDGES) - 1), Tally(MOST_CROWDED)
    for _ in range(sequences):
        batch = draw(generator, 1, TOKENS, *STAGES[-1][2:4])
        n = (batch.targets[0] != IGNORED).nonzero().flatten()
        m = batch.source[0, n]
        right, seen = answers(model, batch)[1], reached[n, m]
        pairs = (batch.tokens[0] < FIRST_QUESTION).unflatten(0, (-1, 64)).sum(1)[m // 64].clamp(max=MOST_CROWDED)
        far = n - m >= 128
        whole.add(torch.zeros_like(n), right, seen)
        distances.add(torch.bucketize(n - m, torch.tensor(EDGES), right=True) - 1, right, seen)
        crowds.add(pairs[far] - 1, right[far], seen[far])
    return {**whole.rows([{}])[0],
            "distances": distances.rows({"from": a, "to": b - 1} for a, b in zip(EDGES, EDGES[1:])),
            "crowds": crowds.rows({"pairs": i + 1} for i in range(MOST_CROWDED))}


def save(model, text, out, seed):
    """OUT/model with its self test, and OUT/questions.json: two sequences, their answers and where they stand."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [draw(generator, 1, TOKENS, *STAGES[-1][2:4]) for _ in range(2)]
    cases = [{name: ids[0].tolist() for name, ids in vars(batch).items()} for batch in drawn]
    stored = save_model(model, text, out / "model", "f32")
    test = self_test(stored, [case["tokens"] for case in cases], "examples/training/recall.py", seed)
    (out / "model" / "self_test.json").write_text(json.dumps(test) + "\n")
    (out / "questions.json").write_text(json.dumps(cases) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the steps of every stage")
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--warmup", type=int, default=30)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--sequences", type=int, default=48, help=f"of {TOKENS} tokens, to measure")
    parser.add_argument("--measure-only", action="store_true", help="do not train: measure OUT/model again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    text, out = Path(args.config).read_text(), Path(args.out)
    config = Config.from_dict(json.loads(text))
    if config.vocab_size != VOCABULARY:
        parser.error(f"{args.config}: expected vocab_size {VOCABULARY}, found {config.vocab_size}")
    out.mkdir(parents=True, exist_ok=True)
    model = Model(config, attention=GatheredAttention)
    if args.measure_only:
        model.load_state_dict(load_model(out / "model").state_dict())
        result = json.loads((out / "result.json").read_text())
    else:
        steps = train(model, args.lr, args.weight_decay, args.warmup, args.seed, args.scale)
        result = {"args": vars(args), "stages": STAGES, "steps": steps, "cpu_seconds": time.process_time(),
                  "parameters": sum(p.numel() for p in model.parameters()), "torch": torch.__version__}
        save(model, text, out, args.seed + 2_000_000)
    result |= evaluate(model, args.seed + 1_000_000, args.sequences)
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    shown = "accuracy {accuracy:.4f} of {questions} questions, reachable {reachable:.4f}"
    for row in result["distances"]:
        print(f"distance {row['from']:4} to {row['to']:4}: {shown.format(**row)}")
    for row in result["crowds"]:
        print(f"{row['pairs']} in the frame of the pair: {shown.format(**row)}")


if __name__ == "__main__":
    main()
