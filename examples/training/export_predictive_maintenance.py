# SPDX-License-Identifier: Apache-2.0
"""Writes a trained engine model as a trine model directory.

    python export_predictive_maintenance.py --run runs/engine/seed0.pt --data cmapss --out ../models/engine-life

Output 0 of the written model is the remaining life in cycles, output 1 the logit of a failure within HORIZON cycles.
"""
import argparse
import json
from pathlib import Path

import torch

from cmapss_data import CAP, read_test
from train_predictive_maintenance import load_checkpoint
from trine_reference.export import features_self_test, save_model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="checkpoint of train_predictive_maintenance.py")
    parser.add_argument("--data", required=True, help="folder with test_FD001.txt, some cycles of which make the self test")
    parser.add_argument("--dtype", default="f32", choices=["bf16", "f16", "f32"])
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)

    model, preparation, checkpoint = load_checkpoint(args.run)
    with torch.no_grad():
        model.head.weight[0] *= CAP                       # trained on life / CAP
        model.head.bias[0] *= CAP
    out = Path(args.out)
    stored = save_model(model, json.dumps(checkpoint["config"], indent=1) + "\n", out, args.dtype)
    preparation.save(out / "preparation.json")
    engines = read_test(args.data)
    cases = [preparation.features(engines[unit])[:cycles] for unit, cycles in ((0, 1), (1, 9), (33, 48))]
    test = features_self_test(stored, cases, "examples/training/export_predictive_maintenance.py", checkpoint["seed"])
    (out / "self_test.json").write_text(json.dumps(test) + "\n")


if __name__ == "__main__":
    main()
