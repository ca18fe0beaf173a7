# SPDX-License-Identifier: Apache-2.0
"""Checks the recall task and the gathered attention against their words. Run: python test_recall.py"""
import json
from pathlib import Path

import torch

from gathered_attention import GatheredAttention
from recall import EDGES, STAGES, TOKENS, reach
from recall_data import FIRST_ANSWER, FIRST_FILLER, FIRST_QUESTION, IGNORED, KEYS, VALUES, VOCABULARY, draw
from trine_reference import Config, Model

CONFIGS = sorted((Path(__file__).parent / "configs").glob("recall_*.json"))


def config_of(path, **attention):
    values = json.loads(path.read_text())
    values["attention"] |= attention
    return Config.from_dict(values)


def small_configs():
    """Every kind at frames of 4."""
    axis = {"num_heads": 2, "num_kv_heads": 1}
    three = lambda pattern, lookback: {"kind": "3d", "spatial": {**axis, "lookback": lookback},
                                       "temporal": {**axis, "pattern": pattern}}
    kinds = [{"kind": kind, **axis} for kind in ("full", "chunked")]
    kinds += [three(pattern, lookback) for pattern in ("summary", "strided") for lookback in (0, 1, 3)]
    for kind in kinds:
        values = json.loads(CONFIGS[0].read_text())
        values |= {"num_hidden_layers": 2, "attention": {"head_dim": 8, "frame_size": 4, **kind}}
        values["moe"]["first_dense_layers"] = 2
        yield Config.from_dict(values)


def test_every_question_has_its_answer_where_the_source_says():
    for tokens, batch, pairs, questions, _ in STAGES:
        drawn = draw(torch.Generator().manual_seed(3), batch, tokens, pairs, questions)
        assert drawn.tokens.shape == (batch, tokens) and drawn.tokens.max() < VOCABULARY
        for ids, targets, sources in zip(drawn.tokens.tolist(), drawn.targets.tolist(), drawn.source.tolist()):
            told = {}                                                            # key: (value, position), so far
            asked = 0
            for n, (token, target, source) in enumerate(zip(ids, targets, sources)):
                if token < FIRST_QUESTION:
                    key, value = divmod(token, VALUES)
                    assert key not in told                                       # keys are distinct
                    told[key] = value, n
                if FIRST_QUESTION <= token < FIRST_ANSWER:
                    assert told[token - FIRST_QUESTION] == (target - FIRST_ANSWER, source) and source < n
                    asked += 1
                else:
                    assert target == IGNORED and source == -1
                assert not FIRST_ANSWER <= token < FIRST_FILLER                  # an answer never stands in the input
            assert len(told) == pairs and 0.7 * questions < asked <= questions


def test_values_tell_nothing_and_every_distance_is_asked():
    generator, values, distances = torch.Generator().manual_seed(4), [], []
    for _ in range(40):
        drawn = draw(generator, 1, TOKENS, *STAGES[-1][2:4])
        n = (drawn.targets[0] != IGNORED).nonzero().flatten()
        values.append(drawn.targets[0, n] - FIRST_ANSWER)
        distances.append(n - drawn.source[0, n])
    share = torch.bincount(torch.cat(values), minlength=VALUES) / len(torch.cat(values))
    assert len(share) == VALUES and (share - 1 / VALUES).abs().max() < 0.02
    counts = torch.histogram(torch.cat(distances).float(), torch.tensor(EDGES).float()).hist
    assert counts.sum() == len(torch.cat(distances)) and counts.min() > 0.03 * counts.sum()


def test_the_same_seed_draws_the_same():
    one, same, other = (draw(torch.Generator().manual_seed(seed), 2, 64, 8, 16) for seed in (5, 5, 6))
    assert torch.equal(one.tokens, same.tokens) and torch.equal(one.targets, same.targets)
    assert not torch.equal(one.tokens, other.tokens)


def test_what_does_not_fit_is_refused():
    for tokens, pairs, questions in ((64, 0, 4), (64, KEYS + 1, 4), (64, 8, 0), (16, 8, 9)):
        try:
            draw(torch.Generator(), 1, tokens, pairs, questions)
        except ValueError as error:
            assert f"{pairs} and {questions}" in str(error)
        else:
            raise AssertionError("expected ValueError")


def test_gathered_attention_is_the_masked_one():
    for config in small_configs():
        torch.manual_seed(1)
        masked = Model(config).double()
        gathered = Model(config, attention=GatheredAttention).double()
        gathered.load_state_dict(masked.state_dict())
        for tokens in (4, 8, 32, 3, 13):                                         # whole frames, and others
            ids = torch.randint(VOCABULARY, (2, tokens))
            assert (masked(ids) - gathered(ids)).abs().max() < 1e-12
        ids = torch.randint(VOCABULARY, (2, 24))
        for model in (masked, gathered):
            with torch.enable_grad():
                model(ids).logsumexp(-1).sum().backward()
        for (name, a), b in zip(masked.named_parameters(), gathered.parameters()):
            if a.grad is not None:
                assert (a.grad - b.grad).abs().max() < 1e-10 * (1 + a.grad.abs().max()), name


def test_reach_is_what_a_change_can_touch():
    for config in small_configs():
        torch.manual_seed(2)
        model, reached = Model(config).double(), reach(config, 24)
        ids = torch.randint(VOCABULARY, (1, 24))
        before = model(ids)
        for m in range(24):
            changed = ids.clone()
            changed[0, m] = (changed[0, m] + 1) % VOCABULARY
            touched = (model(changed) - before)[0].abs().amax(1) > 1e-12
            assert torch.equal(touched, reached[:, m])


def test_reach_of_the_configurations():
    """Two layers of 3d reach the whole past at 4096 tokens, one does not; chunks never do."""
    causal = torch.ones(1024, 1024, dtype=torch.bool).tril()
    for path in CONFIGS:
        config = config_of(path)
        if config.attention.kind == "chunked":
            config = config_of(path, frame_size=256)
            n = torch.arange(1024) // 256
            assert torch.equal(reach(config, 1024), causal & (n[:, None] == n))
        else:
            assert torch.equal(reach(config, 1024), causal)
        config.num_hidden_layers = 1
        assert torch.equal(reach(config, 1024), causal) == (config.attention.kind == "full")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("ok", name)
