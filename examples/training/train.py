# SPDX-License-Identifier: Apache-2.0
"""Trains a language model of the trine architecture on one text file.

    python train.py --config configs/dynamic_3d.json --text input.txt --tokenizer tokenizer.json --out runs/dynamic_3d

Matrices inside the layers are trained with Muon, everything else with AdamW. Experts are kept equally loaded without an
auxiliary loss: after each step the balance bias moves by a small step against the load (arXiv:2412.19437, section 2.1.2).
"""
import argparse
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from evaluate import encode, evaluate
from tokenizer import split_text
from trine_reference import Config, Model
from trine_reference.export import load_model


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised by five Newton-Schulz steps. Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.

    Matrices are the last two axes, so stacked experts are orthogonalised one by one.
    The update has the root mean square 0.2 of AdamW's (Liu et al. 2025, arXiv:2502.16982), so both share a learning rate.
    """

    def __init__(self, params, lr, weight_decay, momentum=0.95):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["momentum"])
                x = p.grad.lerp(m, group["momentum"])                             # Nesterov
                wide = x.shape[-2] <= x.shape[-1]
                x = x if wide else x.mT
                x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
                for _ in range(5):
                    xxt = x @ x.mT
                    x = 3.4445 * x + (-4.7750 * xxt + 2.0315 * xxt @ xxt) @ x
                x = x if wide else x.mT
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(x, alpha=-group["lr"] * 0.2 * max(p.shape[-2:]) ** 0.5)


def optimizers(model, lr, weight_decay):
    matrices = [p for name, p in model.named_parameters() if name.startswith("layers.") and p.ndim >= 2
                and ".router." not in name]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    embeddings = [p for p in rest if p.ndim >= 2 and p.shape[0] == model.config.vocab_size]
    small = [p for p in rest if not any(p is e for e in embeddings)]              # routers and gains: slower, so that
    groups = [{"params": embeddings, "weight_decay": weight_decay},               # the load does not run away
              {"params": small, "weight_decay": 0.0, "scale": 0.3}]
    return [Muon(matrices, lr, weight_decay), torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True)]


def windows(ids, context, batch, generator):
    """Endless batches of windows: every pass over the text cuts it at another offset and shuffles the pieces."""
    pieces = []
    while True:
        offset = torch.randint(context, (1,), generator=generator).item()
        starts = torch.arange(offset, len(ids) - context, context)
        for start in starts[torch.randperm(len(starts), generator=generator)].tolist():
            pieces.append(ids[start:start + context + 1])
            if len(pieces) == batch:
                window = torch.stack(pieces)
                yield window[:, :-1], window[:, 1:]
                pieces = []


@torch.no_grad()
def balance(model, step):
    """bias_e += step * sign(mean load - load_e)"""
    for _, moe in model.routed_layers():
        if hasattr(moe.router, "balance_bias"):
            load = torch.bincount(moe.chosen[moe.chosen >= 0], minlength=len(moe.router.balance_bias)).float()
            moe.router.balance_bias += step * torch.sign(load.mean() - load)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--start", help="a model directory to go on from; without it, weights are random")
    parser.add_argument("--steps", type=int, default=730)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end the schedule by then, even with fewer steps")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--warmup", type=int, default=30)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--balance-step", type=float, default=2e-2, help="0: no balance bias")
    parser.add_argument("--eval-every", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(Path(args.config).read_text())
    tokenizer = Tokenizer.from_file(args.tokenizer)
    training, validation = split_text(args.text)
    ids, held_out = torch.tensor(tokenizer.encode(training).ids), encode(tokenizer, validation)
    model = Model(Config.load(args.config), args.dropout)
    if args.start:
        model.load_state_dict(load_model(args.start).state_dict())
    parameters = sum(p.numel() for p in model.parameters())
    batches = windows(ids, args.context, args.batch, torch.Generator().manual_seed(args.seed))
    opts = optimizers(model, args.lr, args.weight_decay)
    log = (out / "log.jsonl").open("w")
    best, begin, tokens, done, recent = math.inf, time.time(), 0, 0.0, []

    step = 0
    while done < 1:
        step += 1
        done = max(step / args.steps, (time.time() - begin) / 60 / args.minutes)  # share of the schedule that is over
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1)))
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = args.lr * group.get("scale", 1) * min(1, step / args.warmup) * cosine
        inputs, targets = next(batches)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        loss.backward()
        for opt in opts:
            opt.step()
        model.zero_grad()
        if args.balance_step:
            balance(model, args.balance_step * max(cosine, 0.1))
        tokens += inputs.numel()
        recent.append(loss.item())
        if step % args.eval_every == 0 or done >= 1:
            result = evaluate(model, *held_out, context=args.context)
            record = {"step": step, "tokens": tokens, "epochs": tokens / len(ids), "seconds": time.time() - begin,
                      "cpu_seconds": time.process_time(), "training_loss": sum(recent) / len(recent),
                      "parameters": parameters, **result}
            recent = []
            log.write(json.dumps(record) + "\n")
            log.flush()
            print(f"step {step} epoch {record['epochs']:.1f} {record['seconds']:.0f} s training {record['training_loss']:.3f} "
                  f"validation {math.log(result['perplexity']):.4f} bits/byte {result['bits_per_byte']:.4f} "
                  f"utilization {result['utilization']:.3f} min {result['utilization_min']:.3f}", flush=True)
            if result["bits_per_byte"] < best:
                best = result["bits_per_byte"]
                torch.save({"model": model.state_dict(), "record": record, "args": vars(args)}, out / "best.pt")


if __name__ == "__main__":
    main()
