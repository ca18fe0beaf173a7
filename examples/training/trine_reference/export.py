# SPDX-License-Identifier: Apache-2.0
"""Model directories: config.json, weights.bin with its manifest weights.json, tokenizer.json, self_test.json."""
import json
import platform
from pathlib import Path

import torch

from .config import Config
from .model import Model

ALIGNMENT = 64
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def named_tensors(model):
    """(name in weights.bin, tensor) with the stacked experts taken apart."""
    for name, tensor in model.state_dict().items():
        if ".experts." in name:
            stem, projection = name.split(".experts.")
            for e, expert in enumerate(tensor):
                yield f"{stem}.experts.{e}.{projection}.weight", expert
        elif name.endswith("balance_bias") and not tensor.any():
            continue                                                       # absent means zero
        else:
            yield name, tensor


def stored_dtype(name, tensor, matrix_dtype):
    """Matrices in the dtype asked for; norms, biases and router tensors always f32."""
    return "f32" if tensor.ndim < 2 or ".router." in name else matrix_dtype


def save_weights(model, folder, matrix_dtype="bf16"):
    tensors, blob = {}, bytearray()
    for name, tensor in named_tensors(model):
        dtype = stored_dtype(name, tensor, matrix_dtype)
        stored = tensor.detach().to(DTYPES[dtype]).contiguous()
        data = stored.view(torch.uint8).numpy().tobytes()
        blob += bytes(-len(blob) % ALIGNMENT)
        tensors[name] = {"dtype": dtype, "shape": list(tensor.shape), "offset": len(blob), "nbytes": len(data)}
        blob += data
    manifest = {"format": "trine-weights", "version": 1, "alignment": ALIGNMENT, "nbytes": len(blob), "tensors": tensors}
    (folder / "weights.bin").write_bytes(blob)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in tensors.items())
    head = json.dumps({**manifest, "tensors": None}).removesuffix("null}")
    (folder / "weights.json").write_text(f"{head}{{\n{lines}\n}}}}\n")


def read_weights(folder):
    """{name: tensor} in f32, as stored."""
    manifest, blob = json.loads((folder / "weights.json").read_text()), (folder / "weights.bin").read_bytes()
    assert len(blob) == manifest["nbytes"]
    tensors = {}
    for name, entry in manifest["tensors"].items():
        data = bytearray(blob[entry["offset"]:entry["offset"] + entry["nbytes"]])
        tensors[name] = torch.frombuffer(data, dtype=DTYPES[entry["dtype"]]).view(entry["shape"]).float()
    return tensors


def load_model(folder):
    """The exported model in f32, exactly as stored."""
    folder = Path(folder)
    model, stored = Model(Config.load(folder / "config.json")).eval(), read_weights(folder)
    for name, target in named_tensors(model):
        target.copy_(stored.pop(name))
    for name in [n for n in stored if n.endswith("balance_bias")]:         # all zero in a fresh model, so not listed
        model.get_buffer(name).copy_(stored.pop(name))
    assert not stored, f"unexpected tensors: {list(stored)}"
    return model


def rounded(values):
    """f32 values as JSON numbers with 7 significant digits: within 5e-7 of the value, relative."""
    return [float(f"{v:.7g}") for v in values]


def chosen_experts(model):
    """{"layer": [[ids of row 0, best first], ...]} of the last forward."""
    return {str(i): [[e for e in row if e >= 0] for row in moe.chosen.tolist()] for i, moe in model.routed_layers()}


def made_by(script, seed):
    return {"torch": torch.__version__, "python": platform.python_version(), "script": script, "seed": seed}


@torch.no_grad()
def self_test(model, cases, script, seed=0, every=16):
    """What a correct implementation must answer: experts of every token, the ten best logits of some positions."""
    result = []
    for tokens in cases:
        logits = model(torch.tensor([tokens]))[0]
        positions = sorted(set(range(0, len(tokens), every)) | {len(tokens) - 1})
        best = logits.topk(10)
        result.append({"tokens": tokens, "experts": chosen_experts(model), "top_logits": [
            {"position": p, "ids": best.indices[p].tolist(), "logits": rounded(best.values[p].tolist())}
            for p in positions]})
    return {"format": "trine-self-test", "version": 1, "made_by": made_by(script, seed), "cases": result}


@torch.no_grad()
def features_self_test(model, cases, script, seed=0):
    """The same for frames of features [frames, sites, features]: experts of every site, all outputs of every frame."""
    result = []
    for frames in cases:
        frames = torch.tensor([[rounded(site) for site in frame.tolist()] for frame in frames])   # what the file will hold
        outputs = model(frames[None])[0]
        result.append({"features": [[rounded(site) for site in frame] for frame in frames.tolist()],
                       "experts": chosen_experts(model), "top_logits": [
            {"position": t, "ids": list(range(len(row))), "logits": rounded(row)}
            for t, row in enumerate(outputs.tolist())]})
    return {"format": "trine-self-test", "version": 1, "made_by": made_by(script, seed), "cases": result}


def save_model(model, config_text, folder, matrix_dtype="bf16"):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config_text)
    save_weights(model, folder, matrix_dtype)
    return load_model(folder)
