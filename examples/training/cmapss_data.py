# SPDX-License-Identifier: Apache-2.0
"""The C-MAPSS turbofan data set as sequences: engines, sensors, remaining useful life, and how answers are scored.

Saxena, Goebel, Simon and Eklund, "Damage Propagation Modeling for Aircraft Engine Run-to-Failure Simulation", PHM 2008.
A row is one cycle (flight) of one unit: unit, cycle, 3 operating settings, 21 sensors. `train_FD001.txt` runs every unit
to failure; `test_FD001.txt` stops earlier, and `RUL_FD001.txt` holds how many cycles each of its units had left.
"""
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CAP = 125              # cycles: a healthy engine shows no wear, so more than this cannot be told apart
HORIZON = 30           # cycles: "risk" is the probability of a failure within them
COLUMNS = ["unit", "cycle", "setting_1", "setting_2", "setting_3"] + [f"sensor_{i}" for i in range(1, 22)]


@dataclass
class Engine:
    unit: int
    sensors: np.ndarray      # [cycles, 21], in the units of the file
    life: np.ndarray         # [cycles] cycles left after each row, not capped


def read_rows(path):
    rows = np.loadtxt(path)
    if rows.shape[1] != len(COLUMNS):
        raise ValueError(f"{path}: expected {len(COLUMNS)} columns, found {rows.shape[1]}")
    return rows


def read_training(folder, subset="FD001"):
    """Engines that ran until they failed."""
    rows = read_rows(Path(folder) / f"train_{subset}.txt")
    engines = []
    for unit in np.unique(rows[:, 0]):
        own = rows[rows[:, 0] == unit]
        engines.append(Engine(int(unit), own[:, 5:], np.arange(len(own))[::-1].astype(float)))
    return engines


def read_test(folder, subset="FD001"):
    """Engines that are still running, with the remaining life the data set states."""
    rows = read_rows(Path(folder) / f"test_{subset}.txt")
    left = np.loadtxt(Path(folder) / f"RUL_{subset}.txt")
    engines = []
    for unit, remaining in zip(np.unique(rows[:, 0]), left, strict=True):
        own = rows[rows[:, 0] == unit]
        engines.append(Engine(int(unit), own[:, 5:], remaining + np.arange(len(own))[::-1]))
    return engines


def split(engines, fold, folds=5):
    """(training, validation): whole engines, so that no engine is seen in part; every engine is held out in one fold."""
    order, size = np.random.default_rng(0).permutation(len(engines)), len(engines) // folds
    held_out = set(order[fold * size:(fold + 1) * size].tolist())
    return ([e for i, e in enumerate(engines) if i not in held_out], [e for i, e in enumerate(engines) if i in held_out])


@dataclass
class Preparation:
    """What becomes of a row before the model sees it; shipped with the model as preparation.json.

    Every sensor s is a site with the features [z_t, a_t for each of `spans`]:

        z_t = (x_t - mean_s) / deviation_s
        a_t = sum_i w^i z_(t-i) / sum_i w^i,   w = 1 - 1 / span          the average of about the last `span` cycles
    """
    sensors: list            # names of the columns, one per site
    mean: list
    deviation: list
    spans: list

    @staticmethod
    def fit(engines, spans):
        """Sensors that vary, with mean and deviation over all rows of the training engines."""
        rows = np.concatenate([e.sensors for e in engines])
        mean, deviation = rows.mean(0), rows.std(0)
        # Seven sensors of FD001 have one value, or two.
        varying = [s for s in range(rows.shape[1]) if len(np.unique(rows[:, s])) > 2]
        return Preparation([COLUMNS[5 + s] for s in varying], [float(f"{mean[s]:.7g}") for s in varying],
                           [float(f"{deviation[s]:.7g}") for s in varying], list(spans))

    @property
    def num_features(self):
        return 1 + len(self.spans)

    def features(self, engine):
        """f32 [cycles, sites, features]; row t depends on rows 0 to t only."""
        columns = [COLUMNS.index(name) - 5 for name in self.sensors]
        z = (engine.sensors[:, columns] - np.array(self.mean)) / np.array(self.deviation)
        features = [z]
        for span in self.spans:
            keep = 1 - 1 / span
            total, weight, averages = np.zeros(z.shape[1]), 0.0, np.empty_like(z)
            for t, row in enumerate(z):
                total, weight = keep * total + row, keep * weight + 1
                averages[t] = total / weight
            features.append(averages)
        return np.stack(features, -1).astype(np.float32)

    def save(self, path):
        Path(path).write_text(json.dumps({"format": "trine-engine-preparation", "version": 1, **self.__dict__,
                                          "cap": CAP, "horizon": HORIZON}, indent=1) + "\n")


def rmse(predicted, true):
    """Root mean square error in cycles; both capped at CAP, as published results do."""
    return float(np.sqrt(np.mean((np.minimum(predicted, CAP) - np.minimum(true, CAP)) ** 2)))


def nasa_score(predicted, true):
    """sum exp(-d / 13) - 1 for d < 0, exp(d / 10) - 1 otherwise, d = predicted - true: late costs more than early."""
    d = np.minimum(predicted, CAP) - np.minimum(true, CAP)
    return float(np.sum(np.where(d < 0, np.exp(-d / 13), np.exp(d / 10)) - 1))
