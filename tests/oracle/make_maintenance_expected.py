# SPDX-License-Identifier: Apache-2.0
"""Prints what the reference answers for the engine that tests/examples/maintenance_test.cpp makes: cycle, life, risk."""
import json
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "training"))
from cmapss_data import CAP, COLUMNS, Engine, Preparation  # noqa: E402
from trine_reference.export import load_model  # noqa: E402

MODEL = ROOT / "examples" / "models" / "engine-life"
FALLING = ("sensor_7", "sensor_12", "sensor_20", "sensor_21")   # the others rise as the engine wears


def main():
    stored = json.loads((MODEL / "preparation.json").read_text())
    preparation = Preparation(*(stored[key] for key in ("sensors", "mean", "deviation", "spans")))
    cycle = np.arange(1, 201)
    wear = -0.5 + 3.5 * (cycle / 200) ** 2
    sensors = np.zeros((200, 21))
    for name, mean, deviation in zip(preparation.sensors, preparation.mean, preparation.deviation):
        sensors[:, COLUMNS.index(name) - 5] = mean + deviation * wear * (-1 if name in FALLING else 1)
    with torch.no_grad():
        outputs = load_model(MODEL)(torch.from_numpy(preparation.features(Engine(1, sensors, cycle)))[None])[0]
    for t in (1, 20, 60, 120, 160, 200):
        life, logit = outputs[t - 1].tolist()
        print(f"{{{t}, {min(max(life, 0), CAP):.6g}, {1 / (1 + np.exp(-logit)):.6g}}}")


if __name__ == "__main__":
    main()
