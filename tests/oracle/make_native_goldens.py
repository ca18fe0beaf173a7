# SPDX-License-Identifier: Apache-2.0
"""Tiny random models of the native architecture and what the PyTorch reference answers for them.

    python tests/oracle/make_native_goldens.py             # rewrites tests/golden/<case>/
    python tests/oracle/make_native_goldens.py CASE ...    # these only

Random weights are scaled so that attention is far from uniform, the norm gains are not 1, and the experts differ. A seed is
taken only if every routing decision is clear by more than MARGIN, so that f32 rounding cannot turn it.
"""
import copy
import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/training"))
import trine_reference.model as reference                                             # noqa: E402
from trine_reference import Config, Model                                            # noqa: E402
from trine_reference.export import chosen_experts, load_model, made_by, rounded, save_weights  # noqa: E402
from trine_reference.routers import best_first                                       # noqa: E402

SCRIPT, MARGIN = "tests/oracle/make_native_goldens.py", 1e-4


def base(**changes):
    """A tiny token model; `changes` replace whole keys, or merge into them when both are objects."""
    config = {
        "model_type": "trine", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": True,
        "attention": three_axes(),
        "moe": {"num_experts": 5, "intermediate_size": 8, "router": attention_router()},
        "input": {"kind": "tokens"}, "output": {"kind": "language_model"}}
    for key, value in changes.items():
        if key == "moe":
            config["moe"].update(value)
        elif value is None:
            config.pop(key)
        else:
            config[key] = value
    return config


def three_axes(frame=8, lookback=1, pattern="summary", causal=None, spatial=(2, 1), temporal=(2, 1), head_dim=8, frames=None):
    axis = {"num_heads": spatial[0], "num_kv_heads": spatial[1], "lookback": lookback}
    if causal is not None:
        axis["causal"] = causal
    return {"kind": "3d", "head_dim": head_dim, "frame_size": frame, "spatial": axis,
            "temporal": {"num_heads": temporal[0], "num_kv_heads": temporal[1], "pattern": pattern,
                         **({} if frames is None else {"top_k": frames})}}


def top_k(k):
    return {"kind": "top_k", "k": k}


def attention_router(**changes):
    return {"kind": "attention", "key_dim": 16, "score": "sigmoid", "normalize": True, "routed_scale": 1.0,
            "choice": top_k(2), **changes}


EXPERT_ATTENTION = {"num_heads": 2, "head_dim": 8}
GRID = dict(vocab_size=None, tie_word_embeddings=None, input={"kind": "features", "num_features": 5})
TOKEN_RULES = [
    {"when": {"and": [{"feature": "token_id", "op": "<", "value": 30}, {"feature": "position", "op": ">=", "value": 10}]},
     "expert": 4},
    {"when": {"or": [{"feature": "token_id", "op": "==", "value": 47}, {"feature": "position", "op": "<=", "value": 3}]},
     "expert": 1},
    {"when": {"not": {"feature": "token_id", "op": ">", "value": 50}}, "expert": 2}]
FEATURE_RULES = [
    {"when": {"feature": "amount", "op": ">", "value": 1.25}, "expert": 3},
    {"when": {"and": [{"feature": "hour", "op": "<=", "value": 0}, {"not": {"feature": "age", "op": "<", "value": -0.5}}]},
     "expert": 1},
    {"when": {"or": [{"feature": "country", "op": ">=", "value": 1}, {"feature": "device", "op": "<", "value": -1}]},
     "expert": 2}]

# name: (config, rows as tokens or (frames, sites), stored dtype of matrices, scale of the balance bias or None)
CASES = {
    "full_attention": (base(attention={"kind": "full", "head_dim": 12, "num_heads": 4, "num_kv_heads": 2}, num_hidden_layers=1), 24, "f32", None),
    "full_attention_softmax_top_k": (base(
        attention={"kind": "full", "head_dim": 16, "num_heads": 3, "num_kv_heads": 1}, tie_word_embeddings=False, hidden_size=40,
        moe={"router": {"kind": "softmax_top_k", "normalize": False, "choice": top_k(3)}}), 24, "bf16", None),
    "chunked": (base(attention={"kind": "chunked", "head_dim": 16, "frame_size": 16, "num_heads": 3, "num_kv_heads": 3},
                     tie_word_embeddings=False), 27, "f16", 0.15),
    "summary": (base(), 35, "bf16", 0.2),
    "summary_lookback_0": (base(attention=three_axes(frame=6, lookback=0, spatial=(3, 1)), rope_theta=500.0), 24, "bf16", 0.2),
    "summary_lookback_2_shared_dense": (base(
        attention=three_axes(frame=6, lookback=2, spatial=(2, 2), temporal=(4, 2)), num_hidden_layers=3,
        moe={"num_shared_experts": 2, "first_dense_layers": 1, "dense_intermediate_size": 24}), 27, "bf16", 0.2),
    "summary_expert_attention": (base(
        moe={"num_experts": 6, "expert_attention": EXPERT_ATTENTION, "router": attention_router(
            choice=top_k(3), routed_scale=1.5)}), 24, "bf16", 0.2),
    "strided": (base(attention=three_axes(pattern="strided", lookback=1, temporal=(3, 3))), 35, "bf16", 0.2),
    "strided_lookback_0_softmax": (base(
        attention=three_axes(pattern="strided", lookback=0), tie_word_embeddings=False,
        moe={"router": attention_router(score="softmax", normalize=False, routed_scale=2.5)}), 24, "f16", 0.05),
    "routed": (base(attention=three_axes(frame=4, pattern="routed", temporal=(4, 2), frames=2)), 43, "bf16", 0.2),
    "routed_grid_regression": (base(**GRID, attention=three_axes(
        frame=5, lookback=1, causal=False, pattern="routed", frames=1),
        output={"kind": "regression", "num_outputs": 1, "pool": "last_frame_mean"}), (7, 5), "f32", 0.2),
    "top_p": (base(moe={"num_experts": 8, "router": attention_router(
        score="softmax", choice={"kind": "top_p", "p": 0.6, "max_k": 4})}), 27, "bf16", 0.03),
    "top_p_sigmoid_expert_attention": (base(moe={"num_experts": 8, "expert_attention": EXPERT_ATTENTION,
        "num_shared_experts": 1, "router": attention_router(
            choice={"kind": "top_p", "p": 0.45, "max_k": 5}, normalize=False)}), 24, "bf16", 0.1),
    "softmax_top_k_bias_top_p": (base(moe={"router": {"kind": "softmax_top_k", "routed_scale": 0.5,
        "choice": {"kind": "top_p", "p": 0.7, "max_k": 3}}}), 27, "bf16", 0.08),
    "sigmoid_group_limited": (base(moe={"num_experts": 12, "intermediate_size": 8, "num_shared_experts": 1, "first_dense_layers": 1,
        "dense_intermediate_size": 32, "router": {"kind": "sigmoid_group_limited", "n_group": 4, "topk_group": 2,
        "normalize": True, "routed_scale": 2.5, "choice": top_k(4)}}), 24, "bf16", 0.2),
    "sigmoid_group_limited_negative": (base(moe={"num_experts": 8, "intermediate_size": 8, "router": {
        "kind": "sigmoid_group_limited", "n_group": 4, "topk_group": 1, "choice": top_k(2)}}), 24, "bf16", -1.3),
    "softmax_group_limited": (base(moe={"num_experts": 9, "intermediate_size": 8, "num_shared_experts": 1, "router": {
        "kind": "softmax_group_limited", "n_group": 3, "topk_group": 2, "normalize": False, "routed_scale": 4.0,
        "choice": top_k(3)}}), 24, "bf16", None),
    "switch": (base(moe={"router": {"kind": "switch"}}), 24, "bf16", None),
    "hash": (base(moe={"first_dense_layers": 1, "dense_intermediate_size": 32, "expert_attention": EXPERT_ATTENTION,
        "router": {"kind": "hash", "k": 3, "seed": 1234567890123456789}}, num_hidden_layers=3), 24, "bf16", None),
    "rules_tokens": (base(moe={"router": {"kind": "rules", "rules": TOKEN_RULES, "otherwise": 3}}), 27, "bf16", None),
    "tokens_classification": (base(tie_word_embeddings=None,
        output={"kind": "classification", "num_outputs": 4, "pool": "last_frame_mean"}), 24, "bf16", 0.2),
    "grid_classification": (base(**GRID, attention=three_axes(frame=7, causal=False),
        moe={"expert_attention": EXPERT_ATTENTION},
        output={"kind": "classification", "num_outputs": 3, "pool": "last_frame_mean"}), (6, 7), "bf16", 0.2),
    "grid_strided_regression": (base(**GRID, attention=three_axes(
        frame=5, lookback=2, causal=False, pattern="strided", spatial=(2, 1), temporal=(4, 2)),
        output={"kind": "regression", "num_outputs": 1, "pool": "last_frame_mean"}), (7, 5), "f32", 0.2),
    "grid_rules": (base(**GRID, attention=three_axes(frame=4, lookback=0, causal=False),
        moe={"num_experts": 4, "router": {"kind": "rules", "features": ["amount", "hour", "age", "country", "device"],
        "rules": FEATURE_RULES, "otherwise": 0}},
        output={"kind": "classification", "num_outputs": 2, "pool": "last_frame_mean"}), (8, 4), "bf16", None),
    "grid_full_attention": (base(**{**GRID, "input": {"kind": "features", "num_features": 3, "num_sites": 2}},
        attention={"kind": "full", "head_dim": 8, "num_heads": 4, "num_kv_heads": 2}, moe={"router": {"kind": "switch"}},
        output={"kind": "regression", "num_outputs": 2, "pool": "last_frame_mean"}), (12, 2), "f16", None),
}


@torch.no_grad()
def randomise(model, bias_scale):
    """Weights that make every part of the model matter."""
    for name, p in model.named_parameters():
        if name.endswith("norm.weight"):
            p.uniform_(0.5, 1.5)
        elif "embed_tokens" in name:
            p.normal_(0, 0.7 if model.config.tie_word_embeddings else 1.0)
        elif name.endswith(("attention.q_proj.weight", "attention.k_proj.weight")):
            p.normal_(0, 1.5 * p.shape[-1] ** -0.5)                              # attention far from uniform
        elif "expert_attention.o_proj" in name:
            p.normal_(0, 2 * p.shape[-1] ** -0.5)
        elif name.endswith(("router.weight", "router.query.weight")):
            p.normal_(0, 1.5 * p.shape[-1] ** -0.5)
        elif name.endswith("router.keys"):
            p.normal_(0, 1)
        elif name.endswith("bias") or "embed_sites" in name:
            p.normal_(0, 0.5)
        else:
            p.normal_(0, 1.2 * p.shape[-1] ** -0.5)
    for _, moe in model.routed_layers():
        if bias_scale is not None and hasattr(moe.router, "balance_bias"):
            bias = moe.router.balance_bias.normal_(0, abs(bias_scale) if bias_scale > 0 else 0.1)
            if bias_scale < 0:
                bias += bias_scale                                               # all biased scores negative


class Watch:
    """Keeps the scores [rows, experts] of the last forward of a router."""

    def __init__(self, router):
        self.scores, inner = None, router.score

        def score(x):
            self.scores = inner(x)
            return self.scores
        router.score = score


def gap(values, kept):
    """Smallest distance between the last kept and the first left out, and between neighbours among the kept."""
    ordered = values.sort(-1, descending=True).values
    distance = ordered[..., :-1] - ordered[..., 1:]
    return distance[..., :kept].min().item() if distance.shape[-1] else float("inf")


def margin(model, moe, watch, x):
    """How clear the least clear routing decision of this layer was."""
    router, kind = moe.router, model.config.moe.router.kind
    if kind in ("hash", "rules"):
        return float("inf")
    if kind == "switch":
        return gap((x @ router.weight.T).softmax(-1), 1)
    score, choice = watch.scores, model.config.moe.router.choice
    biased = score + router.balance_bias
    if not kind.endswith("group_limited"):
        clear = gap(biased, choice.width)
        if choice.kind == "top_p":
            order = best_first(biased)[:, :choice.width]
            share = score.gather(1, order).cumsum(1) / score.sum(1, keepdim=True)
            clear = min(clear, (share - choice.p).abs().min().item())
        return clear
    grouped = biased.unflatten(1, (router.groups, -1))
    ordered = grouped.sort(-1, descending=True).values
    group_score = ordered[..., :2].sum(-1) if router.sigmoid else ordered[..., 0]
    kept = torch.zeros_like(group_score, dtype=torch.bool)
    kept.scatter_(1, best_first(group_score)[:, :router.kept], True)
    inside = grouped[kept].view(len(biased), -1)                                   # only the experts of kept groups
    return min(gap(group_score, router.kept) if router.kept < router.groups else float("inf"), gap(inside, choice.k))


@torch.no_grad()
class FrameWatch:
    """Sees the frames that queries choose, layer after layer, and how clear each choice is."""

    def __enter__(self):
        self.chosen, self.margins, self.original = [], [], reference.routed_frames

        def watched(q, k, group, frame_size, top_k):
            best = reference.frame_affinity(q, k, group, frame_size).sort(-1, descending=True).values
            if best.shape[-1] > top_k:
                last, next_one = best[..., top_k - 1], best[..., top_k]
                self.margins.append((last - next_one)[next_one > -torch.inf].min().item())
            chosen = self.original(q, k, group, frame_size, top_k)
            self.chosen.append([[sorted(f for f in row if f >= 0) for row in head] for head in chosen[0].tolist()])
            return chosen

        reference.routed_frames = watched
        return self

    def __exit__(self, *_):
        reference.routed_frames = self.original


def make(name, config, rows, dtype, bias_scale, seed):
    """Writes one case with this seed; returns the smallest routing margin."""
    torch.manual_seed(seed)
    model = Model(Config.from_dict(copy.deepcopy(config))).eval()
    randomise(model, bias_scale)
    folder = ROOT / "tests/golden" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_weights(model, folder, dtype)
    model = load_model(folder)                                                     # the weights as stored

    golden = {"made_by": made_by(SCRIPT, seed)}
    if isinstance(rows, int):
        inputs = torch.randint(config["vocab_size"], (1, rows))
        golden["tokens"] = inputs[0].tolist()
    else:
        inputs = torch.randn(1, *rows, config["input"]["num_features"])
        inputs = (inputs * 1024).round() / 1024                                    # exact in a few decimal digits
        golden["features"] = {"shape": list(inputs.shape[1:]), "values": inputs.flatten().tolist()}

    seen = []
    for _, moe in model.routed_layers():
        watch = Watch(moe.router) if hasattr(moe.router, "score") else None
        moe.register_forward_pre_hook(lambda m, args, watch=watch: seen.append((m, watch, args[0])))
    with FrameWatch() as frames:
        logits = model(inputs)[0]
    margins = [margin(model, moe, watch, x) for moe, watch, x in seen] + frames.margins
    golden["logits"] = {"shape": list(logits.shape), "values": rounded(logits.flatten().tolist())}
    golden["experts"] = chosen_experts(model)
    if frames.chosen:
        golden["frames"] = frames.chosen                                           # [layer][kv head][row]: ascending
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")

    # the parts that are to matter do: routing varies, the bias turns choices, no expert layer is dead
    assert logits.std() > 0.05 and torch.isfinite(logits).all()
    for i, chosen in golden["experts"].items():
        assert len({e for row in chosen for e in row}) >= 3, f"{name}: layer {i} uses too few experts"
        if config["moe"]["router"].get("choice", {}).get("kind") == "top_p":
            assert len({len(row) for row in chosen}) >= 2, f"{name}: layer {i}: every token has as many experts"
    if bias_scale is not None:
        turned = 0
        for moe, watch, _ in seen:
            if bias_scale < 0:
                assert (watch.scores + moe.router.balance_bias < 0).all()
            kept, moe.router.balance_bias = moe.router.balance_bias, torch.zeros_like(moe.router.balance_bias)
            turned += (moe.router.ranking(watch.scores).sort(1).values != moe.chosen.sort(1).values).any(1).sum().item()
            moe.router.balance_bias = kept
        assert turned > 0, f"{name}: the balance bias changes no choice"
    return min(margins, default=float("inf"))


def main():
    total = 0
    for name in sys.argv[1:] or CASES:
        config, rows, dtype, bias_scale = CASES[name]
        for seed in range(1000):
            if make(name, config, rows, dtype, bias_scale, seed) > MARGIN:
                break
        else:
            raise SystemExit(f"{name}: no seed with a clear routing")
        size = sum(f.stat().st_size for f in (ROOT / "tests/golden" / name).iterdir())
        total += size
        print(f"{name}: seed {seed}, {size} bytes")
    print(f"{total} bytes")


if __name__ == "__main__":
    main()
