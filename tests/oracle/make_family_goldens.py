# SPDX-License-Identifier: Apache-2.0
"""Tiny random models of published architectures and what Hugging Face transformers answers for them.

    python tests/oracle/make_family_goldens.py              # rewrites tests/golden/families/
    python tests/oracle/make_family_goldens.py NAME ...     # these cases only

A golden is computed in f32 from the weights as stored. A seed is taken only if every routing decision is clear by more than
MARGIN, so that f32 rounding cannot turn it, and if each part that the case is to reach changes its answer when switched off.
"""
import json
import platform
import re
import shutil
import sys
from pathlib import Path

import safetensors
import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/oracle"))
from families import storage                                                      # noqa: E402
from families.cases import CASES                                                  # noqa: E402
from families.model import ask, initial_tensors, load, selections                             # noqa: E402
from families.rope import rope_goldens                                            # noqa: E402
from families.weights import EXTRA, ignored, randomise                            # noqa: E402

SCRIPT, OUT = "tests/oracle/make_family_goldens.py", ROOT / "tests/golden/families"
MARGIN, MATTERS = 1e-4, 1e-2


class Unclear(Exception):
    """This seed does not show what the case is for."""


def made_by(seed):
    return {"transformers": transformers.__version__, "torch": torch.__version__, "safetensors": safetensors.__version__,
            "python": platform.python_version(), "script": SCRIPT, "seed": seed}


def rounded(values):
    """f32 values as JSON numbers with 7 significant digits: within 5e-7 of the value, relative."""
    return [float(f"{v:.7g}") for v in values]


def difference(logits, other):
    return ((logits - other).abs().max() / logits.abs().max()).item()


def require_parts_matter(case, config, meant, tokens, logits, routers):
    for part, check in case.matters.items():
        if getattr(check, "on_routers", False):
            if not check(routers):
                raise Unclear(f"{part}: no choice depends on it")
            continue
        if getattr(check, "on_model", False):
            model = load(config, meant)
            check(model)
        else:
            model = load(*check(config, meant))
        other, other_routers = ask(model, tokens)
        if difference(logits, other) < MATTERS:
            raise Unclear(f"{part}: changes the logits by {difference(logits, other):.1e} only")


def require_scales_matter(case, config, stored, tokens, logits):
    """Quantised weights read wrongly answer otherwise: divided instead of multiplied, one scale for all blocks, nibbles swapped."""
    wrong = []
    if case.scheme == "fp8":
        def read(scale_of):
            return {name: t.float() * storage.over_blocks(scale_of(stored[name + "_scale_inv"]), t.shape)
                    if name + "_scale_inv" in stored else t.float()
                    for name, t in stored.items() if not name.endswith("_scale_inv")}
        wrong = [read(lambda s: 1 / s), read(lambda s: s[:1, :1].expand_as(s))]
    elif case.scheme == "mxfp4":
        def read(turn):
            blocks = {name.removesuffix("_blocks"): turn(t) for name, t in stored.items() if name.endswith("_blocks")}
            return {name: t.float() for name, t in stored.items() if not name.endswith(("_blocks", "_scales"))} | {
                name: storage.unpack_mxfp4(t, stored[name + "_scales"]).mT for name, t in blocks.items()}
        wrong = [read(lambda b: (b >> 4) | (b << 4))]
    for tensors in wrong:
        if difference(logits, ask(load(config, tensors), tokens)[0]) < MATTERS:
            raise Unclear("a wrong reading of the quantised weights changes nothing")


def make(name, case, seed):
    """Writes one case with this seed. Throws Unclear."""
    torch.manual_seed(seed)
    tensors, written = initial_tensors(case.config, randomise(case.bias, case.scale), case.fused)
    if "text_config" in case.config and case.config["model_type"] not in ("mistral3", "step3p7"):
        tensors = {re.sub(r"^model\.(?!language_model)", "model.language_model.", name): t for name, t in tensors.items()}
    if case.config["model_type"] == "kimi_linear":               # as published; transformers gives dense layers the other name, too
        tensors = {re.sub(r"\.block_sparse_moe\.(?=\w+_proj)", ".mlp.", name): t for name, t in tensors.items()}
    tokens = torch.randint(case.config.get("text_config", case.config)["vocab_size"], (case.tokens,)).tolist()
    config = written if case.v5 else case.config
    stored, meant = storage.SCHEMES[case.scheme](tensors)
    model = load(config, meant)
    logits, routers = ask(model, tokens)

    if not torch.isfinite(logits).all() or logits.std() < 0.05:
        raise Unclear("logits are flat")
    clear = min((r.margin() for r in routers.values()), default=1.0)
    if clear < MARGIN:
        raise Unclear(f"routing is clear by {clear:.1e} only")
    clear = min((s.margins().min().item() for s in selections(model, tokens)), default=1.0)
    if clear < MARGIN:
        raise Unclear(f"the selection of positions is clear by {clear:.1e} only")
    if any(r.chosen.unique().numel() < 3 for r in routers.values()):
        raise Unclear("too few experts are used")
    require_parts_matter(case, config, meant, tokens, logits, routers)
    require_scales_matter(case, config, stored, tokens, logits)

    if case.extra:
        extra = EXTRA[case.extra](case.config, stored)
        again, _ = ask(load(config, meant | {n: t.float() for n, t in extra.items()}, ignored(case.config)), tokens)
        assert difference(logits, again) < 1e-6               # where tensors lie in memory moves the last bits
        stored |= extra

    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    storage.write(folder, stored, case.shards)
    golden = {"made_by": made_by(seed), "tokens": tokens,
              "logits": {"shape": list(logits.shape), "values": rounded(logits.flatten().tolist())}}
    if routers:
        golden["experts"] = {str(i): r.chosen.tolist() for i, r in sorted(routers.items())}
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


def readme():
    """What each case is for, as a page."""
    lines = [
        "# Goldens of published architectures", "",
        "Tiny random models and what Hugging Face transformers answers for them: f32 on the CPU, eager attention, from the weights",
        "as stored. `golden.json` holds the prompt, the logits of every position, and the experts of every token in every layer with",
        "a router, best first by the scores that select. `rope.json` holds inverse frequencies and amplitudes of every rope type. Made",
        "by `python tests/oracle/make_family_goldens.py` with the packages that each `golden.json` names; every routing decision and",
        "every selection of positions is clear by more than 1e-4, and switching off any of the parts in the last column changes the",
        "answer by more than 1e-2 of the largest logit, or some chosen expert.", "",
        "FP8 and MXFP4 weights mean what they decode to, in f32. transformers has no model_type kimi_k2: that case was answered by its",
        "deepseek_v3. Where a config says nothing else, it is spelled as hub repositories did before transformers v5.", "",
        "| case | stored | what it reaches | switched off, it shows |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {case.scheme.upper()} | {case.reaches} | {', '.join(case.matters)} |"
              for name, case in CASES.items()]
    return "\n".join(lines) + "\n"


def main():
    storage.check_against_transformers()
    total, names = 0, sys.argv[1:] or CASES
    for name in names:
        reasons = []
        for seed in range(300):
            try:
                make(name, CASES[name], seed)
                break
            except Unclear as reason:
                reasons.append(str(reason))
        else:
            raise SystemExit(f"{name}: no seed shows it; " + "; ".join(sorted(set(reasons))[:20]))
        size = sum(f.stat().st_size for f in (OUT / name).iterdir())
        total += size
        print(f"{name}: seed {seed}, {size} bytes", flush=True)
    if not sys.argv[1:]:
        (OUT / "rope.json").write_text(rope_goldens(made_by(None)))
        (OUT / "README.md").write_text(readme())
    print(f"{len(names)} cases, {total} bytes")


if __name__ == "__main__":
    main()
