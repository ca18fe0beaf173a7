# SPDX-License-Identifier: Apache-2.0
"""Sums of squares of the inputs of every weight, as transformers computes them for the tokens of two goldens.

    pip install torch transformers safetensors
    python tests/oracle/make_input_statistics_goldens.py    # rewrites tests/golden/input_statistics/*.json
"""
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
MODELS = {"mixtral": "model.layers.{layer}.block_sparse_moe", "mixtral_fused_tied": "model.layers.{layer}.mlp"}


def statistics(name, moe_name):
    folder = GOLDEN / "families" / name
    tokens = json.loads((folder / "golden.json").read_text())["tokens"]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tied = model.config.tie_word_embeddings
    found = {}

    def add(tensor, expert, experts, x):
        entry = found.setdefault(tensor, {"rows": [0] * experts, "squares": [[0.0] * x.shape[-1] for _ in range(experts)]})
        entry["rows"][expert] += x.shape[0]
        old = torch.tensor(entry["squares"][expert], dtype=torch.float64)
        entry["squares"][expert] = (old + (x.double() ** 2).sum(0)).tolist()

    def watch_linear(path):
        def hook(module, inputs):
            x = inputs[0].reshape(-1, inputs[0].shape[-1])
            add("model.embed_tokens.weight" if tied and path == "lm_head" else path + ".weight", 0, 1, x)
        return hook

    def watch_experts(layer):
        prefix = moe_name.format(layer=layer)

        def hook(module, inputs):
            hidden, index, _ = inputs
            logits = layers[layer].mlp.gate.weight @ hidden.reshape(-1, hidden.shape[-1]).T   # of the router, too
            assert logits.shape[1] == index.shape[0]
            add(prefix + ".gate.weight", 0, 1, hidden.reshape(-1, hidden.shape[-1]))
            for e in range(module.num_experts):
                x = hidden[(index == e).any(-1)]
                gate, up = (x @ module.gate_up_proj[e].T).chunk(2, dim=-1)
                h = module.act_fn(gate) * up
                if name == "mixtral":
                    for w, value in (("w1", x), ("w2", h), ("w3", x)):
                        add(f"{prefix}.experts.{e}.{w}.weight", 0, 1, value)
                else:
                    add(prefix + ".experts.gate_up_proj", e, module.num_experts, x)
                    add(prefix + ".experts.down_proj", e, module.num_experts, h)
        return hook

    layers = model.model.layers
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(watch_linear(path))
    for layer, block in enumerate(layers):
        block.mlp.experts.register_forward_pre_hook(watch_experts(layer))
    with torch.no_grad():
        model(torch.tensor([tokens]))
    return found


def main():
    out = GOLDEN / "input_statistics"
    out.mkdir(exist_ok=True)
    for name, moe_name in MODELS.items():
        lines = [f"{json.dumps(tensor)}: " + json.dumps({"rows": entry["rows"], "squares": [[float(f"{x:.7g}") for x in row] for row in entry["squares"]]})
                 for tensor, entry in sorted(statistics(name, moe_name).items())]
        (out / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
