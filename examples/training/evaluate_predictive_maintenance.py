# SPDX-License-Identifier: Apache-2.0
"""Measures trained engine models: on the official test file, and how early they warn.

    python evaluate_predictive_maintenance.py --data cmapss --runs runs/engine/seed*.pt
    python evaluate_predictive_maintenance.py --data cmapss --runs runs/fold*/seed0.pt --lead-time

The lead time needs engines that run to failure and were not trained on, so it takes the models of the five folds, each on
the engines that it did not see. An alarm is false if it comes more than CAP cycles before the failure, when by the labels
the engine shows no wear. For each allowed share of engines with a false alarm, the threshold with the longest mean lead is
taken, for the model as for every sensor (up or down, raw or averaged over any of the spans): the best sensor is the one that
hindsight prefers on these very engines.
"""
import argparse

import numpy as np
import torch

from cmapss_data import CAP, nasa_score, read_test, read_training, rmse, split
from train_predictive_maintenance import load_checkpoint, predict


def first_alarms(signals, lives, thresholds):
    """[engines, thresholds] cycles left at the first alarm (signal >= threshold), 0 without any."""
    leads = np.zeros((len(signals), len(thresholds)))
    for row, signal, life in zip(leads, signals, lives):
        first = np.searchsorted(np.maximum.accumulate(signal), thresholds)
        row[first < len(life)] = life[first[first < len(life)]]
    return leads


def best_leads(leads, false_share):
    """[engines] leads at the threshold with the longest mean lead whose share of false alarms is allowed.

    A false alarm gives no lead: the engine was stopped for nothing.
    """
    false = leads > CAP
    useful = np.where(false, 0.0, leads)
    allowed = false.mean(0) <= false_share
    return useful[:, np.argmax(np.where(allowed, useful.mean(0), -1.0))]


def candidates(signals):
    """Thresholds to try: where the signals lie."""
    return np.unique(np.quantile(np.concatenate(signals), np.linspace(0.2, 1, 2000)))


def lead_times(args):
    engines = read_training(args.data, args.subset)
    forecast, sensors, lives = [], {}, []
    for path in args.runs:
        model, preparation, checkpoint = load_checkpoint(path)
        for engine in split(engines, checkpoint["fold"])[1]:
            features = preparation.features(engine)
            forecast.append(-predict(model, features)[:, 0])
            lives.append(engine.life)
            for s, name in enumerate(preparation.sensors):
                for f, kind in enumerate(["raw"] + [f"average of {span:g} cycles" for span in preparation.spans]):
                    for sign, way in ((1, "above"), (-1, "below")):
                        sensors.setdefault((name, kind, way), []).append(sign * features[:, s, f])
    print(f"{len(lives)} engines that the models did not see")
    of_model = first_alarms(forecast, lives, candidates(forecast))
    of_sensors = {key: first_alarms(signals, lives, candidates(signals)) for key, signals in sensors.items()}
    for share in (0.01, 0.05, 0.10):
        by_model = best_leads(of_model, share)
        by_sensor = {key: best_leads(leads, share) for key, leads in of_sensors.items()}
        best = max(by_sensor, key=lambda key: by_sensor[key].mean())
        single = by_sensor[best]
        earlier = by_model - single
        print(f"false alarms {share:.0%} of engines: model mean {by_model.mean():.1f} median {np.median(by_model):.0f} "
              f"lowest tenth {np.quantile(by_model, 0.1):.0f}; best sensor {', '.join(best)} mean {single.mean():.1f} "
              f"median {np.median(single):.0f} lowest tenth {np.quantile(single, 0.1):.0f}; earlier by "
              f"{earlier.mean():.1f} +- {1.96 * earlier.std(ddof=1) / len(earlier) ** 0.5:.1f} cycles")


def test_scores(args):
    engines = read_test(args.data, args.subset)
    true = np.array([e.life[-1] for e in engines])
    soon = true <= 30
    errors, scores, uncapped = [], [], []
    for path in args.runs:
        model, preparation, _ = load_checkpoint(path)
        answers = np.array([predict(model, preparation.features(e))[-1] for e in engines])
        errors.append(rmse(answers[:, 0], true))
        scores.append(nasa_score(answers[:, 0], true))
        uncapped.append(float(np.sqrt(np.mean((answers[:, 0] - true) ** 2))))
        brier = np.mean((answers[:, 1] - soon) ** 2)
        print(f"{path}: RMSE {errors[-1]:.3f}, NASA score {scores[-1]:.1f}, RMSE against lives that are not capped "
              f"{uncapped[-1]:.3f}; risk: Brier score {brier:.4f}, {np.sum((answers[:, 1] >= 0.5) & soon)} of {soon.sum()} found, "
              f"{np.sum((answers[:, 1] >= 0.5) & ~soon)} false", flush=True)
    if len(errors) > 1:
        print(f"{len(errors)} seeds: RMSE {np.mean(errors):.2f} +- {np.std(errors, ddof=1):.2f} (standard deviation), from "
              f"{min(errors):.2f} to {max(errors):.2f}; NASA score {np.mean(scores):.0f} +- {np.std(scores, ddof=1):.0f}; "
              f"not capped {np.mean(uncapped):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with train_FD001.txt, test_FD001.txt and RUL_FD001.txt")
    parser.add_argument("--subset", default="FD001")
    parser.add_argument("--runs", required=True, nargs="+", help="checkpoints of train_predictive_maintenance.py")
    parser.add_argument("--lead-time", action="store_true", help="of models of folds, on the engines held out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    (lead_times if args.lead_time else test_scores)(args)


if __name__ == "__main__":
    main()
