# SPDX-License-Identifier: Apache-2.0
"""Builds, loads and asks transformers models: f32 on the CPU, eager attention, one expert after the other."""
import copy
import json
import re
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore", "Initializing zero-element tensors")
EAGER = dict(attn_implementation="eager", experts_implementation="eager")


def reference_config(config):
    """The config as transformers takes it: kimi_k2 is the graph of deepseek_v3, and no shared experts are 0 of them. A copy,
    for transformers writes into rope_scaling."""
    config = copy.deepcopy({key: value for key, value in config.items() if key != "quantization_config"})
    if config["model_type"] == "kimi_k2":
        config["model_type"] = "deepseek_v3"
    if config["model_type"] in ("deepseek_v2", "deepseek_v3") and config.get("n_shared_experts", 1) is None:
        config["n_shared_experts"] = 0
    return config


def initial_tensors(config, randomise, fused):
    """{name in the file: tensor} of a random model, named by save_pretrained; fused: expert tensors as in memory."""
    config = reference_config(config)
    typed = AutoConfig.for_model(**config)
    model = AutoModelForCausalLM.from_config(typed, **EAGER).float().eval()
    randomise(model)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, save_original_format=not fused)
        written = json.loads((Path(folder) / "config.json").read_text())
        return load_file(Path(folder) / "model.safetensors"), written


def load(config, tensors, ignored=None):
    """The model that from_pretrained makes of this config.json and of exactly these tensors, but for names that match `ignored`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(reference_config(config)))
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, Path(folder) / "model.safetensors",
                  metadata={"format": "pt"})
        model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, **EAGER)
    unexpected = [name for name in info["unexpected_keys"] if not (ignored and re.match(ignored, name))]
    missing = [name for name in info["missing_keys"] if model.get_parameter_or_buffer(name).numel()]
    assert not unexpected and not missing and not info["mismatched_keys"], (unexpected, missing, info["mismatched_keys"])
    return model.eval()


class Router:
    """What one router saw and chose for a prompt, and by which scores."""

    def __init__(self, family, module, logits, chosen, bias=None):
        module = module.get_base_layer() if hasattr(module, "get_base_layer") else module   # of an adapter of its weight
        self.module, self.family = module, family
        self.groups, self.kept_groups, self.group_best = 1, 1, 1
        if family == "deepseek_v3":
            self.scores = logits.sigmoid() + module.e_score_correction_bias
            self.groups, self.kept_groups, self.group_best = module.num_group, module.topk_group, 2
        elif family == "lfm2_moe":
            self.scores, self.bias = logits.sigmoid() + (0 if bias is None else bias), bias
        elif family == "gpt_oss":
            self.scores = logits
        else:
            self.scores = logits.float().softmax(-1)
            if getattr(module, "topk_method", None) == "group_limited_greedy":
                self.groups, self.kept_groups = module.num_group, module.topk_group
        order = self.scores.gather(1, chosen).argsort(1, descending=True)
        self.chosen = chosen.gather(1, order)                                      # [tokens, k], best first
        self.k = chosen.shape[1]

    def group_scores(self):
        return self.scores.unflatten(1, (self.groups, -1)).topk(self.group_best, -1).values.sum(-1)

    def choice(self, fill):
        """The sets chosen when the scores of groups left out become `fill`; None: when no group is left out."""
        scores = self.scores
        if fill is not None:
            kept = torch.zeros_like(self.group_scores(), dtype=torch.bool)
            kept.scatter_(1, self.group_scores().topk(self.kept_groups).indices, True)
            scores = scores.masked_fill(~kept.repeat_interleave(scores.shape[1] // self.groups, 1), fill)
        return scores.topk(self.k).indices.sort(1).values

    def margins(self):
        """[tokens] how clear the least clear decision was: between groups, and between neighbours down to the best left out."""
        scores, clear = self.scores, torch.full(self.scores.shape[:1], float("inf"))
        if self.kept_groups < self.groups:
            ordered = self.group_scores().sort(1, descending=True).values
            clear = ordered[:, self.kept_groups - 1] - ordered[:, self.kept_groups]
            kept = self.group_scores() >= ordered[:, self.kept_groups - 1:self.kept_groups]
            scores = scores.masked_fill(~kept.repeat_interleave(scores.shape[1] // self.groups, 1), float("-inf"))
        ordered = scores.topk(min(self.k + 1, scores.shape[1])).values
        if ordered.shape[1] > 1:
            clear = torch.minimum(clear, (ordered[:, :-1] - ordered[:, 1:]).amin(1))
        return clear

    def margin(self):
        """The same for the least clear token."""
        return self.margins().min().item()


@torch.no_grad()
def ask(model, tokens):
    """(logits [tokens, vocab], {layer: Router})"""
    routers, handles = {}, []
    for name, module in model.named_modules():
        if name.endswith((".mlp.gate", ".mlp.router", ".feed_forward.gate")):
            layer = int(name.split(".")[2])
            handles.append(module.register_forward_hook(lambda m, args, out, i=layer: routers.update(
                {i: Router(model.config.model_type, m, out[0].clone(), out[2].clone(), *args[1:2])})))
    logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return logits, routers
