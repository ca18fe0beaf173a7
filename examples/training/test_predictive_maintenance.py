# SPDX-License-Identifier: Apache-2.0
"""Checks the engine model's training against its words, on engines made here. Run: python test_predictive_maintenance.py"""
import argparse

import numpy as np
import torch

from cmapss_data import CAP, Engine, Preparation, nasa_score, rmse, split
from evaluate_predictive_maintenance import best_leads, first_alarms
from train_predictive_maintenance import GridAttention, batches, config, loss_of
from trine_reference import Config, Model


def engine(unit, cycles):
    """Two of the 21 sensors vary."""
    sensors = np.full((cycles, 21), 5.0)
    generator = np.random.default_rng(unit)
    sensors[:, 1] = np.linspace(0, 1, cycles) + 0.1 * generator.standard_normal(cycles)
    sensors[:, 6] = generator.standard_normal(cycles)
    return Engine(unit, sensors, np.arange(cycles)[::-1].astype(float))


def test_the_fast_attention_is_that_of_the_reference():
    args = argparse.Namespace(hidden=16, layers=2, head_dim=8, experts=4, ffn=8)
    made = Config.from_dict(config(args, Preparation(["a", "b", "c"], [0] * 3, [1] * 3, [5])))
    fast, reference = Model(made, 0.0, GridAttention).eval(), Model(made).eval()
    reference.load_state_dict(fast.state_dict())
    x = torch.randn(2, 9, 3, 2)
    assert torch.allclose(fast(x), reference(x), atol=1e-5)


def test_features_by_hand_and_never_from_later_rows():
    one = engine(1, 90)
    preparation = Preparation.fit([one], [2])
    assert preparation.sensors == ["sensor_2", "sensor_7"]
    features = preparation.features(one)
    z = (one.sensors[:, 1] - preparation.mean[0]) / preparation.deviation[0]
    assert np.allclose(features[:, 0, 0], z, atol=1e-5)
    assert np.isclose(features[2, 0, 1], (z[2] + z[1] / 2 + z[0] / 4) / 1.75, atol=1e-5)      # w = 1/2
    cut = Engine(1, one.sensors[:40], one.life[:40])
    assert np.array_equal(preparation.features(cut), features[:40])


def test_folds_hold_every_engine_out_once():
    engines = [engine(unit, 70) for unit in range(10)]
    held_out = []
    for fold in range(5):
        training, validation = split(engines, fold)
        assert len(training) == 8 and not {e.unit for e in training} & {e.unit for e in validation}
        held_out += [e.unit for e in validation]
    assert sorted(held_out) == list(range(10))


def test_padding_has_no_weight():
    engines = [engine(1, 70), engine(2, 200)]
    preparation = Preparation.fit(engines, [2])
    args = argparse.Namespace(batch=2, max_skip=0)
    sequences = [(preparation.features(e), e.life) for e in engines]
    (features, life, weight), = batches(sequences, args, np.random.default_rng(0))
    assert features.shape == (2, 200, 2, 2)
    short = int((weight > 0).sum(1).argmin())
    assert (weight[short] > 0).sum() == 70 and not weight[short, 70:].any()
    outputs = torch.randn(2, 200, 2)
    changed = outputs.clone()
    changed[short, 70:] += 1
    assert loss_of(outputs, life, weight) == loss_of(changed, life, weight)


def test_scores_by_hand():
    assert np.isclose(rmse(np.array([100.0, 130.0]), np.array([90.0, 200.0])), (100 / 2) ** 0.5)   # 130 and 200 are capped
    assert np.isclose(nasa_score(np.array([30.0, 7.0]), np.array([20.0, 20.0])), np.exp(1) - 1 + np.exp(1) - 1)


def test_leads_by_hand():
    lives = [np.arange(200.0)[::-1], np.arange(150.0)[::-1]]
    signals = [np.where(life <= 60, 1.0, 0.0) for life in lives]
    signals[1][3] = 1.0                                                       # 146 cycles before the failure: false
    leads = first_alarms(signals, lives, np.array([0.5, 2.0]))
    assert leads.tolist() == [[60.0, 0.0], [146.0, 0.0]] and leads[1, 0] > CAP
    assert best_leads(leads, 0.5).tolist() == [60.0, 0.0]
    assert best_leads(leads, 0.1).tolist() == [0.0, 0.0]                      # only the threshold that never alarms is allowed


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("ok", name)
