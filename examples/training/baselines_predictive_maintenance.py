# SPDX-License-Identifier: Apache-2.0
"""Baselines of the engine model on the same split: ridge regression and gradient boosting on window statistics.

    python baselines_predictive_maintenance.py --data cmapss

Needs scikit-learn. Inputs after a cycle: mean, standard deviation, slope, smallest, largest and last value of every sensor
over the last 30 cycles (fewer at the start of an engine), the averages that the model gets too, and the number of cycles so
far. Options are chosen by five-fold cross-validation over training engines, never by the test file.
"""
import argparse

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cmapss_data import CAP, Preparation, nasa_score, read_test, read_training, rmse, split

WINDOW = 30            # cycles


def statistics(preparation, engine):
    """[cycles, inputs]; row t depends on rows 0 to t only."""
    features = preparation.features(engine)
    z = features[:, :, 0].astype(float)
    rows = []
    for t in range(len(z)):
        window = z[max(0, t + 1 - WINDOW):t + 1]
        time = np.arange(len(window)) - (len(window) - 1) / 2
        slope = (time[:, None] * (window - window.mean(0))).sum(0) / max((time ** 2).sum(), 1)
        rows.append(np.concatenate([window.mean(0), window.std(0), slope, window.min(0), window.max(0), window[-1],
                                    features[t, :, 1:].ravel(), [t + 1]]))
    return np.array(rows)


def prepared(engines, preparation):
    return [(statistics(preparation, e), e.life) for e in engines]


def fit(make, sequences):
    """A model of min(life, CAP), trained on all cycles after the first ten."""
    model = make()
    model.fit(np.concatenate([x[10:] for x, _ in sequences]),
              np.minimum(np.concatenate([life[10:] for _, life in sequences]), CAP))
    return model


def answers(model, x):
    return np.clip(model.predict(x), 0, CAP)


def validation_rmse(model, sequences):
    """Over every cycle that a random cut could hit, as train_predictive_maintenance.py counts them."""
    predicted, true = [], []
    for x, life in sequences:
        cut = (np.arange(len(life)) >= 30) & (life >= 6) & (life <= 150)
        predicted.append(answers(model, x)[cut])
        true.append(life[cut])
    return rmse(np.concatenate(predicted), np.concatenate(true))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train_FD001.txt, test_FD001.txt and RUL_FD001.txt")
    parser.add_argument("--subset", default="FD001")
    parser.add_argument("--spans", type=float, nargs="*", default=[10, 30], help="spans of the averages, in cycles")
    args = parser.parse_args()

    def ridge(alpha):
        return lambda: make_pipeline(StandardScaler(), Ridge(alpha))

    def boosting(rate, trees, leaves):
        return lambda: HistGradientBoostingRegressor(learning_rate=rate, max_iter=trees, max_leaf_nodes=leaves,
                                                     l2_regularization=1.0, min_samples_leaf=40, random_state=0)

    methods = {"ridge regression": {f"alpha {alpha}": ridge(alpha) for alpha in (1, 100, 3000)},
               "gradient boosting": {f"rate {rate}, {trees} trees of {leaves} leaves": boosting(rate, trees, leaves)
                                     for rate, trees, leaves in ((0.05, 150, 7), (0.05, 150, 15), (0.03, 400, 7))}}
    engines = read_training(args.data, args.subset)
    folds = []
    for fold in range(5):
        training, held_out = split(engines, fold)
        preparation = Preparation.fit(training, args.spans)
        folds.append((prepared(training, preparation), prepared(held_out, preparation)))
    preparation = Preparation.fit(engines, args.spans)
    everything, test = prepared(engines, preparation), prepared(read_test(args.data, args.subset), preparation)
    true = np.array([life[-1] for _, life in test])
    for method, variants in methods.items():
        errors = {}
        for name, make in variants.items():
            errors[name] = [validation_rmse(fit(make, training), held_out) for training, held_out in folds]
            print(f"{method}, {name}: validation RMSE {np.mean(errors[name]):.2f} of folds {np.round(errors[name], 2)}", flush=True)
        best = min(errors, key=lambda name: np.mean(errors[name]))
        model = fit(variants[best], everything)
        predicted = np.array([answers(model, x[-1:])[0] for x, _ in test])
        print(f"{method}, {best}: test RMSE {rmse(predicted, true):.2f}, NASA score {nasa_score(predicted, true):.0f}, "
              f"RMSE against lives that are not capped {np.sqrt(np.mean((predicted - true) ** 2)):.2f}", flush=True)


if __name__ == "__main__":
    main()
