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
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.step3p7 import modeling_step3p7 as step
from transformers.models.step3p7.configuration_step3p7 import Step3p7TextConfig

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore", "Initializing zero-element tensors")
AutoModelForCausalLM._model_mapping._model_mapping["mistral4"] = "Mistral4ForCausalLM"   # transformers lists it in mistral3 only
# Without pictures they are such models.
AutoModelForCausalLM._model_mapping._model_mapping |= {"mistral3": "Mistral3ForConditionalGeneration",
                                                       "step3p7": "Step3p7ForConditionalGeneration"}
EAGER = dict(attn_implementation="eager", experts_implementation="eager")
# What the best experts are chosen by, besides a bias; elsewhere by a softmax.
SIGMOID = {"afmoe", "deepseek_v3", "deepseek_v32", "dots1", "glm4_moe", "glm4_moe_lite", "glm_moe_dsa", "hy_v3", "laguna", "lfm2_moe",
           "exaone_moe", "kimi_linear", "mimo_v2_flash", "minimax_m2", "sarvam_moe", "solar_open", "step3p5", "step3p7"}
LOGITS = {"cohere2_moe", "gpt_oss", "granitemoe", "llama4_text", "llama4", "gemma4", "gemma4_text", "phimoe"}  # of Gemma 4 they are probabilities


class Step3p5ForCausalLM(step.Step3p7PreTrainedModel, transformers.GenerationMixin):
    """The text part of Step-3.7 by itself, which transformers has as a part only; its weights are named as there."""
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = step.Step3p7TextModel(config)
        self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(self, input_ids, **options):
        return CausalLMOutputWithPast(logits=self.lm_head(self.model(input_ids, **options).last_hidden_state))


Step3p5ForCausalLM.config_class = Step3p7TextConfig
AutoModelForCausalLM._model_mapping._extra_content[Step3p7TextConfig] = Step3p5ForCausalLM
register_checkpoint_conversion_mapping("step3p5", [
    one for one in get_checkpoint_conversion_mapping("step3p7") if "moe" in str(one.source_patterns) or "share_expert" in str(one.source_patterns)])


def reference_config(config):
    """The config as transformers takes it: kimi_k2 is the graph of deepseek_v3, and no shared experts are 0 of them. A copy,
    for transformers writes into rope_scaling."""
    config = copy.deepcopy({key: value for key, value in config.items() if key != "quantization_config"})
    if config["model_type"] == "kimi_k2":
        config["model_type"] = "deepseek_v3"
    if config["model_type"] in SIGMOID | {"deepseek_v2"} and config.get("n_shared_experts", 1) is None:
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

    def __init__(self, family, module, bias, logits, chosen):
        module = module.get_base_layer() if hasattr(module, "get_base_layer") else module   # of an adapter of its weight
        self.module, self.bias = module, bias
        self.groups, self.kept_groups, self.group_best = 1, 1, 1
        if family in SIGMOID:
            self.scores = logits.float().sigmoid()
            self.group_best = 2
        elif family in LOGITS:
            self.scores = logits.float()
        else:
            self.scores = logits.float().softmax(-1)
            self.group_best = 2 if family == "mistral4" else 1
        if bias is not None:
            self.scores = self.scores + bias
        if getattr(module, "topk_method", None) == "group_limited_greedy" or self.group_best == 2:
            self.groups, self.kept_groups = getattr(module, "num_group", 1), getattr(module, "topk_group", 1)
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


class Selection:
    """The scores [tokens, positions] by which an indexer selected, -inf beyond a token, and how many it took of each row."""

    def __init__(self, scores, k):
        self.scores, self.k = scores.masked_fill(scores < -1e30, float("-inf")), k

    def margins(self):
        """[tokens] how clear the worst selected position was of the best that was not, relative to the largest score."""
        ordered = self.scores.sort(1, descending=True).values
        if self.k >= ordered.shape[1]:
            return torch.full(ordered.shape[:1], float("inf"))
        return (ordered[:, self.k - 1] - ordered[:, self.k]).nan_to_num(nan=float("inf")) / self.largest()

    def largest(self):
        """[tokens] the largest score"""
        return self.scores.masked_fill(self.scores.isinf(), 0).abs().amax(1).clamp(min=1e-30)


@torch.no_grad()
def selections(model, tokens):
    """[Selection] of every layer with an indexer: what its call of topk saw."""
    found, topk = [], torch.Tensor.topk

    def watch(scores, k, dim=-1):
        found.append(Selection(scores[0].clone(), k))
        return topk(scores, k, dim=dim)

    def watched(forward):
        def call(*arguments, **named):
            torch.Tensor.topk = watch
            try:
                return forward(*arguments, **named)
            finally:
                torch.Tensor.topk = topk
        return call

    indexers = [module for name, module in model.named_modules() if name.endswith(".indexer")]
    for indexer in indexers:
        indexer.forward = watched(indexer.forward)
    if indexers:
        model(torch.tensor([tokens]), use_cache=False)
    for indexer in indexers:
        del indexer.forward
    return found


def routing(family, module, bias, out):
    """What a router gave."""
    if family in ("llama4", "llama4_text"):                       # scores with zeros for those left out, and logits
        return Router(family, module, bias, out[1].clone(), out[0].topk(module.top_k, -1).indices)
    return Router(family, module, bias, out[0].clone(), out[2].clone())


@torch.no_grad()
def ask(model, tokens):
    """(logits [tokens, vocab], {layer: Router})"""
    routers, handles = {}, []
    bias = {int(re.search(r"layers\.(\d+)\.", name)[1]): t.flatten()
            for name, t in [*model.named_buffers(), *model.named_parameters()]
            if name.endswith(("e_score_correction_bias", "expert_bias"))}
    for name, module in model.named_modules():
        if found := re.search(r"layers\.(\d+)\.(mlp\.gate|mlp\.router|router|(block_sparse_moe|feed_forward)\.(router|gate))$", name):
            handles.append(module.register_forward_hook(lambda m, args, out, i=int(found[1]): routers.update(
                {i: routing(model.config.model_type, m, bias.get(i), out)})))
    logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return logits, routers
