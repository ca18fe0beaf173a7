# SPDX-License-Identifier: Apache-2.0
"""Trains the engine model: remaining useful life and risk of failure from the sensors of turbofan engines.

    python train_predictive_maintenance.py --data cmapss --out runs/engine --seeds 0 1 2 3 4
    python train_predictive_maintenance.py --data cmapss --out runs/fold0 --fold 0         # choose options here

Frames are cycles, sites are sensors (`grid` attention): a sensor attends to the other sensors of its cycle and to its own
past. Attention never sees later cycles, so one pass over an engine trains the answer after every cycle, as if the engine
had been cut at each of them. The last weights are averages over the steps (exponential moving average).
"""
import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cmapss_data import CAP, HORIZON, Preparation, nasa_score, read_training, rmse, split
from trine_reference import Config, Model
from trine_reference.model import Attention


class GridAttention(Attention):
    """The reference's grid attention (3d, not causal within a frame, strided over frames) without its masks [n, n]."""

    def mix(self, name, axis, q, k, v):                                       # [batch, heads, frames * sites, head_dim]
        def cut(x):                                                           # [batch * frames, heads, sites, head_dim] or
            x = x.unflatten(2, (-1, self.frame_size))                         # [batch * sites, heads, frames, head_dim]
            return (x.permute(0, 2, 1, 3, 4) if name == "spatial" else x.permute(0, 3, 1, 2, 4)).flatten(0, 1)

        y = F.scaled_dot_product_attention(cut(q), cut(k), cut(v), is_causal=name == "temporal")
        y = y.unflatten(0, (len(q), -1))
        return (y.permute(0, 2, 1, 3, 4) if name == "spatial" else y.permute(0, 2, 3, 1, 4)).flatten(2, 3)


def config(args, preparation):
    return {
        "model_type": "trine", "hidden_size": args.hidden, "num_hidden_layers": args.layers,
        "max_position_embeddings": 1024 * len(preparation.sensors), "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "attention": {
            "kind": "3d", "head_dim": args.head_dim, "frame_size": len(preparation.sensors),
            "spatial": {"num_heads": 2, "num_kv_heads": 2, "lookback": 0, "causal": False},
            "temporal": {"num_heads": 2, "num_kv_heads": 2, "pattern": "strided"}},
        "moe": {
            "num_experts": args.experts, "intermediate_size": args.ffn, "num_shared_experts": 0, "first_dense_layers": 0,
            "router": {"kind": "attention", "key_dim": 16, "score": "sigmoid", "normalize": True, "routed_scale": 1.0,
                       "choice": {"kind": "top_k", "k": 2}}},
        "input": {"kind": "features", "num_features": preparation.num_features},
        "output": {"kind": "regression", "num_outputs": 2, "pool": "last_frame_mean"}}


def batches(sequences, args, generator):
    """One epoch: engines in random order, each from a random cycle on, padded at the end (which no cycle can see)."""
    order = generator.permutation(len(sequences))
    for begin in range(0, len(order), args.batch):
        chosen = []
        for i in order[begin:begin + args.batch]:
            x, life = sequences[i]
            start = generator.integers(0, min(args.max_skip, len(x) - 60) + 1) if generator.random() < 0.7 else 0
            chosen.append((x[start:], life[start:]))
        frames = max(len(x) for x, _ in chosen)
        features = np.zeros((len(chosen), frames, *chosen[0][0].shape[1:]), np.float32)
        life, weight = np.zeros((len(chosen), frames), np.float32), np.zeros((len(chosen), frames), np.float32)
        for row, (x, left) in enumerate(chosen):
            features[row, :len(x)], life[row, :len(x)] = x, left
            weight[row, :len(x)] = np.where(left > 150, 0.25, 1)              # long before the end there is nothing to learn
        yield torch.from_numpy(features), torch.from_numpy(life), torch.from_numpy(weight)


def loss_of(outputs, life, weight):
    """Squared error of life / CAP, and cross entropy of "fails within HORIZON cycles"."""
    error = (outputs[..., 0] - life.clamp(max=CAP) / CAP) ** 2
    risk = F.binary_cross_entropy_with_logits(outputs[..., 1], (life <= HORIZON).float(), reduction="none")
    return ((error + 0.05 * risk) * weight).sum() / weight.sum()


@torch.no_grad()
def balance(model, step):
    """bias_e += step * sign(mean load - load_e): arXiv:2412.19437, section 2.1.2."""
    for _, moe in model.routed_layers():
        load = torch.bincount(moe.chosen.flatten(), minlength=len(moe.router.balance_bias)).float()
        moe.router.balance_bias += step * torch.sign(load.mean() - load)


@torch.no_grad()
def predict(model, features):
    """[cycles, 2]: remaining life in cycles, probability of a failure within HORIZON cycles."""
    outputs = model(torch.from_numpy(features)[None])[0]
    return np.stack([(outputs[:, 0] * CAP).clamp(0, CAP).numpy(), outputs[:, 1].sigmoid().numpy()], 1)


def load_checkpoint(path):
    """(model, preparation, checkpoint) of what main() saved."""
    checkpoint = torch.load(path, weights_only=True)
    model = Model(Config.from_dict(checkpoint["config"]), 0.0, GridAttention).eval()
    model.load_state_dict(checkpoint["model"])
    return model, Preparation(**checkpoint["preparation"]), checkpoint


def train(sequences, preparation, args, seed, report):
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    model = Model(Config.from_dict(config(args, preparation)), args.dropout, GridAttention)
    averaged = Model(model.config, 0.0, GridAttention).eval()
    averaged.load_state_dict(model.state_dict())
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW([{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": args.weight_decay},
                                   {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}],
                                  lr=args.lr, betas=(0.9, 0.98))
    steps = args.epochs * math.ceil(len(sequences) / args.batch)
    step, begin = 0, time.time()
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for features, life, weight in batches(sequences, args, generator):
            step += 1
            done = step / steps
            for group in optimizer.param_groups:
                group["lr"] = args.lr * min(1, step / 50) * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
            loss = loss_of(model(features), life, weight)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            balance(model, 2e-3 * (1 - done))
            total += loss.item()
            with torch.no_grad():
                keep = min(args.ema, step / (step + 10))
                for a, p in zip(averaged.state_dict().values(), model.state_dict().values()):
                    a.lerp_(p, 1 - keep)
        left = (time.time() - begin) / step * (steps - step)
        report(epoch, total / math.ceil(len(sequences) / args.batch), left, averaged)
    return averaged


def validation_scores(model, sequences):
    """RMSE over every cycle that a random cut could hit: after the 30th, and 6 to 150 cycles before the end."""
    predicted, true = [], []
    for features, life in sequences:
        answer = predict(model, features)[:, 0]
        cut = (np.arange(len(life)) >= 30) & (life >= 6) & (life <= 150)
        predicted.append(answer[cut])
        true.append(life[cut])
    predicted, true = np.concatenate(predicted), np.concatenate(true)
    return rmse(predicted, true), nasa_score(predicted, true) / len(true)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train_FD001.txt; the test file is not opened")
    parser.add_argument("--out", required=True, help="folder for checkpoints and log.jsonl")
    parser.add_argument("--subset", default="FD001")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--fold", type=int, choices=range(5), help="hold out this fifth of the engines, and validate on it")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4, help="engines per step")
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--head-dim", type=int, default=16)
    parser.add_argument("--experts", type=int, default=4)
    parser.add_argument("--ffn", type=int, default=32)
    parser.add_argument("--spans", type=float, nargs="*", default=[10, 30], help="spans of the averages, in cycles")
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--max-skip", type=int, default=160, help="most cycles left out at the start of an engine")
    parser.add_argument("--ema", type=float, default=0.99)
    parser.add_argument("--every", type=int, default=4, help="epochs between validations")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    log = (out / "log.jsonl").open("a")

    engines = read_training(args.data, args.subset)
    training, held_out = split(engines, args.fold) if args.fold is not None else (engines, [])
    preparation = Preparation.fit(training, args.spans)
    sequences, held_out = ([(preparation.features(e), e.life) for e in group] for group in (training, held_out))
    for seed in args.seeds:
        def report(epoch, loss, left, model):
            text = f"seed {seed} epoch {epoch + 1}/{args.epochs} loss {loss:.5f}"
            if held_out and (epoch + 1) % args.every == 0:
                error, score = validation_scores(model, held_out)
                text += f" validation RMSE {error:.3f} score {score:.3f}"
            print(f"{text} {left:.0f} s left", flush=True)

        model = train(sequences, preparation, args, seed, report)
        record = {"seed": seed, "parameters": sum(p.numel() for p in model.parameters()), "args": vars(args)}
        if held_out:
            record["validation_rmse"], record["validation_score"] = validation_scores(model, held_out)
        torch.save({"model": model.state_dict(), "config": config(args, preparation),
                    "preparation": preparation.__dict__, "seed": seed, "fold": args.fold}, out / f"seed{seed}.pt")
        log.write(json.dumps(record) + "\n")
        log.flush()


if __name__ == "__main__":
    main()
