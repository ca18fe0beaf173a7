# SPDX-License-Identifier: Apache-2.0
"""Holds trine-logits against Hugging Face transformers on random small configurations of every published family.

    python tests/oracle/fuzz_families.py                                # 120 seconds, other seeds each time
    python tests/oracle/fuzz_families.py --seconds 600 --family olmoe   # one family only
    python tests/oracle/fuzz_families.py --family olmoe --seed 17       # one case again, in full

A case is a random config.json with keys left out, random weights, and a prompt. transformers reads the same files and computes
in f32, eager attention. trine-logits answers in one pass, token by token through the cache, and in pieces of random length. The
logits may differ by SLACK times what the reference's own answer moves by when each weight is off by one part in 2^22; experts
may differ where the router's scores were as close as that. Ends with exit code 1 when an answer is wrong, or a configuration
is refused that the reference takes.
"""
import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/oracle"))
from families import storage                                                      # noqa: E402
from families.model import ask, initial_tensors, load, reference_config, selections           # noqa: E402
from families.random_configs import FAMILIES, configs_of, random_case             # noqa: E402
from families.weights import EXTRA, ignored, randomise                            # noqa: E402

NUDGE = 2.0 ** -22        # relative change of each weight
SLACK = 16                # how often its effect is allowed; sound answers stay below 4, most of them below 1
FLOOR = 1e-6              # of the largest logit: allowed whatever the weights do
MOST_PARAMETERS = 3_000_000


class NoReference(Exception):
    """transformers does not run this configuration."""


@dataclass
class Reference:
    """What transformers answers, and how far from it another sound computation may be."""
    logits: torch.Tensor                             # [tokens, vocab]
    chosen: dict                                     # {layer: [tokens, k]}, best first
    tied: dict                                       # {layer: [tokens]}: is the choice or its order as good as open?
    clear: int                                       # tokens before one for which it is as good as open which positions it sees
    allowed: float                                   # of a logit


@dataclass
class Outcome:
    kind: str                                        # "agrees", "near-tie", "knowingly refused", "MISMATCH", "REFUSED"
    error: float = 0.0                               # of the worst logit, relative to what is allowed
    what: str = ""


def is_too_large(config):
    """Would the defaults of absent sizes make a model that takes seconds?"""
    config = reference_config(config)
    typed = AutoConfig.for_model(**config)
    sizes = [key for key, f in type(typed).__dataclass_fields__.items()
             if isinstance(f.default, int) and f.default > 512 and key not in ("max_position_embeddings", "sliding_window")]
    if all(key in config for key in sizes):
        return False
    if typed.to_dict().get("n_shared_experts") == 0:
        typed.n_shared_experts = 1                               # empty matrices cannot be initialised
    with torch.device("meta"):
        return sum(p.numel() for p in AutoModelForCausalLM.from_config(typed).parameters()) > MOST_PARAMETERS


@torch.no_grad()
def nudge(model):
    """Moves every weight, and every frequency of the rotary embedding, by one part in 2^22 or so."""
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point():
            tensor.mul_(1 + NUDGE * torch.randn_like(tensor))


def answer(model, tokens):
    """The reference's answer, held against that of the same model with all weights nudged."""
    logits, routers = ask(model, tokens)
    selected = selections(model, tokens)
    if not torch.isfinite(logits).all():
        raise NoReference("logits that are not finite")
    nudge(model)
    moved, moved_routers = ask(model, tokens)
    clear, tied = len(tokens), {}
    for before, after in zip(selected, selections(model, tokens)):
        change = (after.scores - before.scores)[:clear].nan_to_num(nan=0.0).abs().amax(1, keepdim=True)
        noise = (change[:, 0] / before.largest()[:clear]).amax().item() if clear else 0.0
        is_open = before.margins()[:clear] <= 4 * SLACK * max(noise, FLOOR)
        clear = min([clear, *is_open.nonzero().flatten().tolist()])
    selections_clear = clear
    for layer, router in sorted(routers.items()):
        moved_scores = (moved_routers[layer].scores - router.scores).abs()
        noise = moved_scores[:clear].max().item() if clear else 0.0
        tied[layer] = router.margins() <= 4 * SLACK * max(noise, FLOOR * router.scores.abs().max().item())
        flips = (moved_routers[layer].chosen.sort(1).values != router.chosen.sort(1).values).any(1).nonzero()
        clear = min([clear, *flips.flatten().tolist()])
    noise = (moved - logits)[:clear].abs().max().item() if clear else 0.0
    allowed = max(SLACK * noise, FLOOR * logits.abs().max().item())
    chosen = {layer: router.chosen for layer, router in routers.items()}
    return Reference(logits, chosen, tied, selections_clear, allowed)


def run_trine(program, folder, tokens, batch_size):
    """(logits, {layer: [tokens, k]}), or the message of the error."""
    with tempfile.TemporaryDirectory() as out:
        command = [program, "-m", folder, "--tokens", ",".join(map(str, tokens)), "-o", f"{out}/logits",
                   "--experts", f"{out}/experts", "--threads", "1", "--batch-size", str(batch_size)]
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return "no answer within 300 seconds"
        if done.returncode:
            return (done.stderr.strip() or f"exit code {done.returncode}").split(" error: ")[-1]
        logits = torch.frombuffer(bytearray(Path(f"{out}/logits").read_bytes()), dtype=torch.float32).view(len(tokens), -1)
        chosen = json.loads(Path(f"{out}/experts").read_text())
        return logits, {int(layer): torch.tensor(experts) for layer, experts in chosen.items()}


def compare(reference, found, how):
    """One answer against the reference: layer by layer, and as far as no choice was open."""
    if isinstance(found, str):
        return Outcome("REFUSED", what=found)
    logits, chosen = found
    shapes = [{layer: experts.shape for layer, experts in of.items()} for of in (chosen, reference.chosen)]
    if logits.shape != reference.logits.shape or shapes[0] != shapes[1]:
        return Outcome("MISMATCH", float("inf"), f"{how}: other shapes")
    clear, kind = reference.clear, "agrees" if reference.clear == len(logits) else "near-tie"
    for layer, expected in sorted(reference.chosen.items()):
        for token in (chosen[layer] != expected).any(1).nonzero().flatten().tolist():
            if token >= clear:
                break
            ours, theirs = chosen[layer][token].tolist(), expected[token].tolist()
            if not reference.tied[layer][token]:
                what = f"{how}: layer {layer}, token {token}: experts {ours}, expected {theirs}"
                return Outcome("MISMATCH", float("inf"), what)
            kind = "near-tie"
            if set(ours) != set(theirs):
                clear = token
    if not torch.isfinite(logits[:clear]).all():
        return Outcome("MISMATCH", float("inf"), f"{how}: logits that are not finite")
    error = (logits - reference.logits)[:clear].abs().max().item() if clear else 0.0
    largest = reference.logits.abs().max().item()
    what = f"{how}: logits off by {error / largest:.1e} of the largest, {reference.allowed / largest:.1e} allowed"
    return Outcome(kind if error <= reference.allowed else "MISMATCH", error / reference.allowed, what)


@dataclass
class Case:
    """The files of one seed, and what the reference says to them."""
    family: str
    seed: int
    folder: Path
    config: dict = field(default_factory=dict)
    may_refuse: set = field(default_factory=set)
    tokens: list = field(default_factory=list)
    defaults: dict = field(default_factory=dict)     # of the class
    reference: Reference = None

    def make(self):
        """Draws and writes the files, and asks the reference. Throws NoReference."""
        drawn = random_case(self.family, self.seed)
        self.config, self.may_refuse = drawn.config, drawn.may_refuse
        torch.manual_seed(self.seed)
        try:
            if is_too_large(drawn.config):
                raise NoReference("too large")
            tensors, written = initial_tensors(drawn.config, randomise(drawn.bias, drawn.scale), drawn.fused)
            stored, meant = storage.SCHEMES[drawn.scheme]({n: t for n, t in tensors.items() if t.numel()})
            typed = AutoConfig.for_model(**reference_config(drawn.config))
            effective = typed.to_dict()
            extra = EXTRA[drawn.extra](effective, stored) if drawn.extra else {}
            self.config = self.written_again(written) if drawn.v5 else drawn.config
            model = load(self.config, meant | {n: t.float() for n, t in extra.items()}, ignored(effective) if extra else None)
            self.tokens = torch.randint(typed.vocab_size, (drawn.tokens,)).tolist()
            self.reference = answer(model, self.tokens)
        except NoReference:
            raise
        except Exception as error:
            raise NoReference(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:160]) from error
        self.write(self.config)
        storage.write(self.folder, stored | extra, drawn.shards)
        self.defaults = {key: f.default for key, f in type(typed).__dataclass_fields__.items()}
        if not any("rope_theta" in (drawn.config.get(key) or {}) for key in ("rope_scaling", "rope_parameters")):
            self.defaults["rope_theta"] = typed.default_theta

    def written_again(self, written):
        """What save_pretrained wrote, with what it does not keep."""
        kept = {key: self.config[key] for key in ("model_type", "quantization_config") if key in self.config}
        return {**written, **kept}

    def write(self, config):
        (self.folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")

    def check(self, program):
        """The worst outcome of all ways to compute the same."""
        pieces = random.Random(self.seed).randrange(2, 9)
        worst = Outcome("agrees")
        for how, batch_size in (("one pass", 512), ("token by token", 1), (f"{pieces} tokens at once", pieces)):
            outcome = compare(self.reference, run_trine(program, self.folder, self.tokens, batch_size), how)
            if outcome.kind == "REFUSED" and any(key in outcome.what for key in self.may_refuse):
                outcome.kind = "knowingly refused"
            if outcome.kind != "agrees" or outcome.error > worst.error:
                worst = outcome
            if outcome.kind not in ("agrees", "near-tie"):
                break
        return worst

    def explain(self, program):
        """Which absent key, when written with the default of its class, makes the answer right?"""
        for key, default in self.defaults.items():
            if key in self.config or default is None or not isinstance(default, (bool, int, float, str)):
                continue
            self.write({**self.config, key: default})
            if self.check(program).kind in ("agrees", "near-tie"):
                self.write(self.config)
                return f"agrees when it says {key}: {json.dumps(default)}"
        self.write(self.config)
        return ""

    def difference(self):
        """The configuration as changes to the usual one of tests/oracle/families/configs.py."""
        usual = configs_of(self.family)()
        absent = [f"-{key}" for key in usual if key not in self.config and key not in ("torch_dtype", "use_cache")]
        return ", ".join(absent + [f"{key}={json.dumps(value)}" for key, value in self.config.items()
                                   if key not in usual or usual[key] != value])


def find_program(given):
    program = Path(given or ROOT / "build/bin/trine-logits")
    if not program.is_file():
        sys.exit(f"fuzz_families.py: {program}: not found; build the target trine-logits, or give --program FILE")
    return program


def report(case, outcome, program):
    print(f"{outcome.kind} {case.family} seed {case.seed}: {outcome.what}")
    hint = case.explain(program) if outcome.kind == "MISMATCH" else ""
    if hint:
        print(f"    {hint}")
    print(f"    {case.difference()}")
    print(f"    python tests/oracle/fuzz_families.py --family {case.family} --seed {case.seed}", flush=True)


def keep(case, parent):
    """The files of a case, with the tokens and the reference's answer, for a look at them."""
    place = parent / f"{case.family}-{case.seed}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(case.folder, place)
    (place / "tokens.txt").write_text(",".join(map(str, case.tokens)) + "\n")
    if case.reference:
        (place / "logits.f32").write_bytes(case.reference.logits.numpy().tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=120, help="how long to go on; default 120")
    parser.add_argument("--family", choices=list(FAMILIES), help="this family only")
    parser.add_argument("--seed", type=int, help="the one case of this seed (of each family, without --family)")
    parser.add_argument("--cases", type=int, help="at most so many cases, from --seed on or from 0")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy the files of cases that fail, or of the one, to DIR")
    parser.add_argument("--program", help="trine-logits; default build/bin/trine-logits")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each case")
    options = parser.parse_args()

    torch.set_num_threads(1)
    program = find_program(options.program)
    names = [options.family] if options.family else list(FAMILIES)
    one = options.seed is not None and options.cases is None
    seed = options.seed if options.seed is not None else 0 if options.cases else time.time_ns() // 1_000_000_000 * 1000
    left = len(names) if one else options.cases or sys.maxsize
    counts, reasons, worst, started = {name: Counter() for name in names}, Counter(), (0.0, ""), time.monotonic()

    for index in range(left):
        if time.monotonic() - started > options.seconds and not one:
            break
        name = names[index % len(names)]
        with tempfile.TemporaryDirectory() as folder:
            case = Case(name, seed + index // len(names), Path(folder))
            try:
                case.make()
                outcome = case.check(program)
            except NoReference as reason:
                reasons[str(reason)] += 1
                outcome = Outcome("no reference", what=str(reason))
            counts[name][outcome.kind] += 1
            worst = max(worst, (outcome.error, f"{name} seed {case.seed}"))
            if options.verbose or one or outcome.kind.isupper():
                report(case, outcome, program)
            if options.keep and (one or outcome.kind.isupper()):
                keep(case, options.keep)

    total = sum(counts.values(), Counter())
    for name in names:
        print(f"{name:12} " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts[name].items())))
    print(f"{total.total()} cases in {time.monotonic() - started:.0f} s: " +
          ", ".join(f"{count} {kind}" for kind, count in sorted(total.items())) +
          f"; largest error {worst[0]:.2f} of what is allowed ({worst[1]})")
    if options.verbose:
        for reason, count in reasons.most_common(8):
            print(f"    {count} x no reference: {reason}")
    if total.total() >= 50 and total["no reference"] > total.total() / 4:
        sys.exit(f"fuzz_families.py: transformers runs too few of these, chiefly: {reasons.most_common(1)[0][0]}")
    sys.exit(1 if total["MISMATCH"] or total["REFUSED"] else 0)


if __name__ == "__main__":
    main()
