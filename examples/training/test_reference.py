# SPDX-License-Identifier: Apache-2.0
"""Checks the reference against the words of the specification, written the long way. Run: python test_reference.py"""
import copy
import json
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F

from trine_reference import Config, ConfigError, Model
from trine_reference.export import load_model, read_weights, save_model
from trine_reference.model import Experts, allowed_keys, rotate
from trine_reference.routers import choose, hash_experts, holds, make_router, splitmix64

TINY = {
    "model_type": "trine", "vocab_size": 32, "hidden_size": 24, "num_hidden_layers": 2, "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": True,
    "attention": {"kind": "3d", "head_dim": 8, "frame_size": 4,
                  "spatial": {"num_heads": 2, "num_kv_heads": 1, "lookback": 1, "causal": True},
                  "temporal": {"num_heads": 2, "num_kv_heads": 1, "pattern": "summary"}},
    "moe": {"num_experts": 4, "intermediate_size": 8, "num_shared_experts": 1,
            "router": {"kind": "attention", "key_dim": 8, "choice": {"kind": "top_k", "k": 2}},
            "expert_attention": {"num_heads": 2, "head_dim": 4}}}


def tiny(seed=0, **changes):
    config = copy.deepcopy(TINY)
    for place, value in changes.items():
        target = config
        *path, key = place.split("__")
        for step in path:
            target = target[step]
        target[key] = value
    torch.manual_seed(seed)
    model = Model(Config.from_dict(config)).eval()
    for _, moe in model.routed_layers():
        if moe.expert_attention is not None:
            torch.nn.init.normal_(moe.expert_attention.o_proj.weight, std=0.5)       # otherwise it does nothing yet
    return model


def test_masks_are_the_table_of_the_design():
    for size in (1, 3, 4):
        for tokens in (1, 4, 11, 12):
            for lookback in (0, 1, 2):
                causal = allowed_keys("spatial", tokens, size, lookback)
                grid = allowed_keys("spatial", tokens, size, lookback, causal=False)
                for n in range(tokens):
                    for m in range(tokens):
                        t = lambda i: i // size
                        assert causal[n, m].item() == (m <= n and t(n) - t(m) <= lookback)
                        assert grid[n, m].item() == (0 <= t(n) - t(m) <= lookback)
            summary = allowed_keys("temporal", tokens, size, pattern="summary")
            strided = allowed_keys("temporal", tokens, size, pattern="strided")
            chunked = allowed_keys("chunked", tokens, size)
            full = allowed_keys("full", tokens)
            for n in range(tokens):
                frame, site = divmod(n, size)
                lasts = {f * size + size - 1 for f in range(frame)}
                assert set(summary[n].nonzero().flatten().tolist()) == lasts | {n}
                assert set(strided[n].nonzero().flatten().tolist()) == {f * size + site for f in range(frame + 1)}
                assert set(chunked[n].nonzero().flatten().tolist()) == set(range(frame * size, n + 1))
                assert set(full[n].nonzero().flatten().tolist()) == set(range(n + 1))


def test_rope_turns_pairs_by_the_position():
    x, theta = torch.randn(1, 1, 5, 6), 100.0
    turned = rotate(x, torch.arange(5, dtype=torch.float64) * 3, theta)[0, 0]
    for n in range(5):
        for i in range(3):
            angle = torch.tensor(3 * n * theta ** (-2 * i / 6), dtype=torch.float64)
            a, b = x[0, 0, n, i].double(), x[0, 0, n, i + 3].double()
            assert abs(turned[n, i] - (a * angle.cos() - b * angle.sin())) < 1e-5
            assert abs(turned[n, i + 3] - (b * angle.cos() + a * angle.sin())) < 1e-5


def literal_forward(model, tokens):
    """Design 2.1 to 2.3 for one sequence of a 3d model, a query, a head and an expert at a time, in double precision."""
    c = model.config
    w = {name: p.double() for name, p in model.state_dict().items()}
    norm = lambda x, gain: x / (x.pow(2).mean() + c.rms_norm_eps).sqrt() * gain
    swiglu = lambda x, gate, up, down: down @ (F.silu(gate @ x) * (up @ x))
    d, s = c.attention.head_dim, c.attention.frame_size
    h = [w["embed_tokens.weight"][token] for token in tokens]
    for i in range(c.num_hidden_layers):
        at = lambda name: w[f"layers.{i}.{name}"]
        x = [norm(row, at("attention_norm.weight")) for row in h]
        outs = [[] for _ in tokens]
        for axis in ("spatial", "temporal"):
            a = getattr(c.attention, axis)
            q0 = 0 if axis == "spatial" else c.attention.spatial.num_heads
            k0 = 0 if axis == "spatial" else c.attention.spatial.num_kv_heads
            turn = lambda vector, n: rotate(vector[None, None, None], torch.tensor(
                [n if axis == "spatial" else n // s], dtype=torch.float64), c.rope_theta).flatten()
            for n in range(len(tokens)):
                if axis == "spatial":
                    keys = [m for m in range(n + 1) if n // s - m // s <= a.lookback]
                else:
                    keys = [m for m in range(n) if m % s == s - 1 and m // s < n // s] + [n]
                for head in range(a.num_heads):
                    kv = k0 + head // (a.num_heads // a.num_kv_heads)
                    rows = lambda name, index: at(f"attention.{name}.weight")[index * d:(index + 1) * d]
                    q = turn(rows("q_proj", q0 + head) @ x[n], n)
                    score = torch.stack([q @ turn(rows("k_proj", kv) @ x[m], m) for m in keys]) / d ** 0.5
                    share = score.softmax(0)
                    outs[n].append(sum(p * (rows("v_proj", kv) @ x[m]) for p, m in zip(share, keys)))
        h = [row + at("attention.o_proj.weight") @ torch.cat(out) for row, out in zip(h, outs)]
        for n, row in enumerate(h):
            x = norm(row, at("moe_norm.weight"))
            q = at("moe.router.query.weight") @ x
            p = torch.sigmoid(at("moe.router.keys") @ q / c.moe.router.key_dim ** 0.5)
            biased = (p + at("moe.router.balance_bias")).tolist()
            chosen = sorted(range(len(biased)), key=lambda e: (-biased[e], e))[:c.moe.router.choice.k]
            g = p[chosen] / p[chosen].sum() * c.moe.router.routed_scale
            expert = lambda e: [at(f"moe.experts.{part}")[e] for part in ("gate_proj", "up_proj", "down_proj")]
            ys = [swiglu(x, *expert(e)) for e in chosen]
            y = sum(weight * y for weight, y in zip(g, ys))
            y = y + swiglu(x, *[at(f"moe.shared_experts.{part}.weight") for part in ("gate_proj", "up_proj", "down_proj")])
            ea = lambda name: at(f"moe.expert_attention.{name}.weight")
            us = [norm(y_i, ea("norm")) for y_i in ys]
            inner = c.moe.expert_attention.head_dim
            z = torch.zeros(ea("q_proj").shape[0], dtype=torch.float64)
            for head in range(c.moe.expert_attention.num_heads):
                cut = slice(head * inner, (head + 1) * inner)
                for weight, u in zip(g, us):
                    score = torch.stack([(ea("q_proj")[cut] @ u) @ (ea("k_proj")[cut] @ v) for v in us]) / inner ** 0.5
                    z[cut] += weight * sum(a * (ea("v_proj")[cut] @ v) for a, v in zip(score.softmax(0), us))
            h[n] = row + y + ea("o_proj") @ z
    return torch.stack([w["embed_tokens.weight"] @ norm(row, w["norm.weight"]) for row in h])


def test_the_model_is_the_equations():
    model = tiny(3)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("norm.weight"):
                p.uniform_(0.5, 1.5)
            elif "embed" in name:
                p.normal_()
        for _, moe in model.routed_layers():
            moe.router.balance_bias.normal_(0, 0.1)
        tokens = torch.randint(32, (1, 14))
        expected = literal_forward(model, tokens[0].tolist())
        assert expected.std() > 0.3
        assert (model(tokens)[0] - expected).abs().max() < 1e-4


def test_a_later_token_never_changes_an_earlier_logit():
    for pattern in ("summary", "strided"):
        model = tiny(attention__temporal__pattern=pattern)
        tokens = torch.randint(32, (1, 18))
        before = model(tokens)
        for n in range(18):
            changed = tokens.clone()
            changed[0, n] = (changed[0, n] + 1) % 32
            after = model(changed)
            assert torch.allclose(before[0, :n], after[0, :n], atol=1e-5)
            assert not torch.allclose(before[0, n], after[0, n], atol=1e-5)


def test_a_grid_sees_its_whole_frame_and_no_later_one():
    config = copy.deepcopy(TINY)
    del config["vocab_size"], config["tie_word_embeddings"]
    config["attention"]["spatial"]["causal"] = False
    config["input"] = {"kind": "features", "num_features": 3}
    config["output"] = {"kind": "regression", "num_outputs": 2, "pool": "last_frame_mean"}
    model = Model(Config.from_dict(config)).eval()
    features = torch.randn(1, 5, 4, 3)
    before = model(features)
    assert before.shape == (1, 5, 2)
    changed = features.clone()
    changed[0, 3, 2] += 1
    after = model(changed)
    assert torch.allclose(before[0, :3], after[0, :3], atol=1e-5)
    assert not torch.allclose(before[0, 3], after[0, 3], atol=1e-5)


def test_the_order_of_the_experts_does_not_matter():
    model, order = tiny(), torch.tensor([2, 0, 3, 1])
    other = copy.deepcopy(model)
    with torch.no_grad():
        for _, moe in other.routed_layers():
            moe.router.keys.copy_(moe.router.keys[order])
            for weight in moe.experts.parameters():
                weight.copy_(weight[order].clone())
    tokens = torch.randint(32, (2, 11))
    assert torch.allclose(model(tokens), other(tokens), atol=1e-5)


def test_expert_attention_with_zero_output_is_the_plain_mixture():
    model, tokens = tiny(), torch.randint(32, (1, 11))
    with_it = model(tokens)
    for _, moe in model.routed_layers():
        torch.nn.init.zeros_(moe.expert_attention.o_proj.weight)
    zero = model(tokens)
    for _, moe in model.routed_layers():
        moe.expert_attention = None
    assert torch.equal(zero, model(tokens))
    assert not torch.allclose(with_it, zero, atol=1e-4)


def test_experts_serve_the_rows_that_chose_them():
    experts, x = Experts(4, 6, 5), torch.randn(7, 6)
    chosen = torch.tensor([[0, 1], [3, -1], [2, 0], [1, 3], [3, 2], [0, -1], [3, 1]])
    y = experts(x, chosen)
    for n in range(7):
        for i, e in enumerate(chosen[n].tolist()):
            expected = torch.zeros(6)
            if e >= 0:
                expected = experts.down_proj[e] @ (F.silu(experts.gate_proj[e] @ x[n]) * (experts.up_proj[e] @ x[n]))
            assert torch.allclose(y[n, i], expected, atol=1e-5)


def test_top_p_takes_experts_until_their_share_is_reached():
    choice = type("Choice", (), {"kind": "top_p", "p": 0.6, "max_k": 3, "width": 3})
    score = torch.tensor([[0.1, 0.7, 0.2, 0.0], [0.3, 0.3, 0.2, 0.2], [0.25, 0.25, 0.25, 0.25]])
    assert choose(score, torch.zeros(4), choice).tolist() == [[1, -1, -1], [0, 1, -1], [0, 1, 2]]
    bias = torch.tensor([0.0, 0.0, 0.0, 1.0])                                         # expert 3 first, with its small score
    assert choose(score, bias, choice).tolist() == [[3, 1, -1], [3, 0, 1], [3, 0, 1]]


def test_groups_limit_the_choice_even_when_every_score_is_negative():
    router = router_of(kind="sigmoid_group_limited", n_group=3, topk_group=1, choice={"kind": "top_k", "k": 2})
    router.balance_bias.fill_(-5)
    score = torch.tensor([[0.9, 0.1, 0.6, 0.5, 0.8, 0.0]])                            # group sums 1.0, 1.1, 0.8
    assert router.ranking(score).tolist() == [[2, 3]]


def router_of(hidden=24, experts=6, **router):
    moe = {"num_experts": experts, "intermediate_size": 8, "router": router}
    return make_router(Config.from_dict({**copy.deepcopy(TINY), "moe": moe}).moe.router, hidden, experts, 0, 32)


def test_linear_routers_row_by_row():
    x, context = torch.randn(50, 24), {}
    for kind in ("softmax_top_k", "switch", "softmax_group_limited"):
        extra = {} if kind == "switch" else {"normalize": False, "routed_scale": 2.0, "choice": {"kind": "top_k", "k": 2}}
        if kind == "softmax_group_limited":
            extra |= {"n_group": 3, "topk_group": 1}
        router = router_of(kind=kind, **extra)
        chosen, weight = router(x, context)
        for n in range(50):
            p = (router.weight.double() @ x[n].double()).softmax(0).tolist()
            allowed, k, scale = range(6), 2, 2.0
            if kind == "switch":
                k, scale = 1, 1.0
            if kind == "softmax_group_limited":
                best = max(range(3), key=lambda group: max(p[2 * group:2 * group + 2]))
                allowed = (2 * best, 2 * best + 1)
            expected = sorted(allowed, key=lambda e: -p[e])[:k]
            assert chosen[n].tolist() == expected
            assert all(abs(w - scale * p[e]) < 1e-5 for w, e in zip(weight[n].tolist(), expected))


def test_features_are_embedded_and_frames_pooled():
    config = copy.deepcopy(TINY)
    del config["vocab_size"], config["tie_word_embeddings"]
    config |= {"input": {"kind": "features", "num_features": 3}, "num_hidden_layers": 0,
               "output": {"kind": "regression", "num_outputs": 2, "pool": "last_frame_mean"}}
    model, features = Model(Config.from_dict(config)), torch.randn(1, 5, 4, 3)
    w = model.state_dict()
    for t in range(5):
        rows = [w["embed_features.weight"] @ features[0, t, s] + w["embed_features.bias"] + w["embed_sites.weight"][s]
                for s in range(4)]
        pooled = sum(row / (row.pow(2).mean() + 1e-6).sqrt() for row in rows) / 4
        assert torch.allclose(model(features)[0, t], w["head.weight"] @ pooled + w["head.bias"], atol=1e-5)


def test_hash_of_known_values():
    # the first outputs of the published splitmix64 generator seeded with 1234567 (its state advances by the constant)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    state = 1234567
    for value in published:
        assert splitmix64(state) == value
        state = (state + 0x9E3779B97F4A7C15) % 2 ** 64
    for token in range(200):
        chosen = hash_experts(token, layer=1, seed=7, experts=5, k=5)
        assert sorted(chosen) == [0, 1, 2, 3, 4]
        assert hash_experts(token, 1, 7, 5, 2) == chosen[:2]


def test_rules_read_as_written():
    context = {"a": torch.tensor([1.0, 2.0, 3.0]), "b": torch.tensor([0.0, 5.0, 0.0])}
    a, b = {"feature": "a", "op": ">=", "value": 2}, {"feature": "b", "op": "==", "value": 0}
    assert holds(a, context).tolist() == [False, True, True]
    assert holds({"and": [a, b]}, context).tolist() == [False, False, True]
    assert holds({"or": [a, b]}, context).tolist() == [True, True, True]
    assert holds({"not": b}, context).tolist() == [False, True, False]


def test_an_export_comes_back():
    model = tiny(5)
    for _, moe in model.routed_layers():
        moe.router.balance_bias.normal_()
    text = json.dumps(TINY)
    tokens = torch.randint(32, (1, 13))
    for dtype, tolerance in (("f32", 0), ("f16", 2e-2), ("bf16", 2e-1)):
        with tempfile.TemporaryDirectory() as folder:
            back = save_model(model, text, folder, dtype)
            manifest = json.loads((Path(folder) / "weights.json").read_text())
            size = (Path(folder) / "weights.bin").stat().st_size
            assert manifest["nbytes"] == size
            assert all(entry["offset"] % 64 == 0 for entry in manifest["tensors"].values())
            assert torch.equal(back(tokens), load_model(folder)(tokens))
            stored = read_weights(Path(folder))
            expert = model.layers[1].moe.experts.up_proj[2]
            assert torch.allclose(stored["layers.1.moe.experts.2.up_proj.weight"], expert, rtol=1e-2)
            if dtype == "f32":
                assert torch.equal(back(tokens), model(tokens))


def test_unknown_keys_are_errors():
    try:
        Config.from_dict({**copy.deepcopy(TINY), "hiden_size": 3})
        raise AssertionError("expected ConfigError")
    except ConfigError as error:
        assert "hidden_size" in str(error)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("ok", name)
