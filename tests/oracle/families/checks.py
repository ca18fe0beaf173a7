# SPDX-License-Identifier: Apache-2.0
"""Ways to switch a part of a model off. A golden is worth keeping only if each part it claims to reach changes its answer.

A check takes the config and the tensors of a case and returns those to ask instead; or it changes the loaded model (`module`);
or it looks at the routers (`choice`).
"""
import copy
import re

import torch


def config(**changes):
    """Other values of top-level keys; None removes the key."""
    def change(config, tensors):
        changed = {**config, **changes}
        return {key: value for key, value in changed.items() if value is not None or key not in changes}, tensors
    return change


def text(check):
    """A check of the configuration, on that of the text part."""
    def change(config, tensors):
        changed, tensors = check(config["text_config"], tensors)
        return {**config, "text_config": changed}, tensors
    return change


def rope(**changes):
    """Other values in rope_scaling or rope_parameters; None removes the key."""
    def change(config, tensors):
        name = "rope_scaling" if "rope_scaling" in config else "rope_parameters"
        changed = {key: value for key, value in {**config[name], **changes}.items() if value is not None}
        return {**config, name: changed}, tensors
    return change


def rope_of(layer_type, **changes):
    """The same where rope_parameters has an object for each layer type."""
    def change(config, tensors):
        parameters = config["rope_parameters"]
        changed = {key: value for key, value in {**parameters[layer_type], **changes}.items() if value is not None}
        return {**config, "rope_parameters": {**parameters, layer_type: changed}}, tensors
    return change


def no_rope_scaling(config, tensors):
    if "rope_scaling" in config:
        return {key: value for key, value in config.items() if key != "rope_scaling"}, tensors
    theta = config["rope_parameters"]["rope_theta"]
    return {**config, "rope_parameters": {"rope_type": "default", "rope_theta": theta}}, tensors


def tensors(pattern, change):
    """change(tensor) instead of every tensor whose name matches."""
    def apply(config, tensors):
        names = [name for name in tensors if re.search(pattern, name)]
        assert names, f"no tensor matches {pattern}"
        return config, {**tensors, **{name: change(tensors[name]) for name in names}}
    return apply


def ones(pattern):
    return tensors(pattern, torch.ones_like)


def zero(pattern):
    return tensors(pattern, torch.zeros_like)


def no_sinks(config, stored):
    return tensors(r"\.sinks$", lambda t: torch.full_like(t, -1e9))(config, stored)


def other_index_pairs(config, stored):
    """Indexers that rotate half-split pairs as if they were interleaved, or the reverse: rows change places."""
    half = config["qk_rope_head_dim"] // 2
    order = [*range(0, 2 * half, 2), *range(1, 2 * half, 2)]
    if config["model_type"] == "glm_moe_dsa":                     # whose indexers rotate interleaved pairs
        order = [i // 2 + half * (i % 2) for i in range(2 * half)]
    order += range(2 * half, config["index_head_dim"])
    return tensors(r"indexer\.(wq_b|wk|k_norm)\.", lambda t: t.unflatten(0, (-1, len(order)))[:, order].flatten(0, 1))(
        config, stored)


def shared_selection(layer):
    """The layer has no indexer of its own."""
    def change(config, stored):
        has = [any(f"layers.{i}.self_attn.indexer." in name for name in stored) for i in range(config["num_hidden_layers"])]
        types = ["full" if full and i != layer else "shared" for i, full in enumerate(has)]
        return {**config, "indexer_types": types}, {
            name: t for name, t in stored.items() if f"layers.{layer}.self_attn.indexer." not in name}
    return change


def module(pattern, change):
    """change(module) on the loaded model, for what no config key says."""
    def apply(model):
        modules = [m for name, m in model.named_modules() if re.search(pattern, name)]
        assert modules, f"no module matches {pattern}"
        for m in modules:
            change(m)
    apply.on_model = True
    return apply


def identity(m):
    m.forward = lambda x: x


def hunyuan_norms_first(model):
    """Queries and keys are normalised before they rotate, not after."""
    for m in model.modules():
        for name, projection in (("query_layernorm", "q_proj"), ("key_layernorm", "k_proj")):
            if hasattr(m, name):
                norm, inner, width = getattr(m, name), getattr(m, projection), m.head_dim
                inner.register_forward_hook(
                    lambda _, x, y, norm=norm.forward, width=width: norm(y.unflatten(-1, (-1, width))).flatten(-2))
                norm.forward = lambda x: x


hunyuan_norms_first.on_model = True


def set_attributes(**values):
    return lambda m: [setattr(m, name, value) for name, value in values.items()]


def set_eps(eps):
    return lambda m: setattr(m, "variance_epsilon", eps)


def symmetric_clamp(experts):
    """gpt-oss clamps the gate from above only."""
    inner, limit = experts._apply_gate, experts.limit
    experts._apply_gate = lambda z: inner(torch.stack([z[..., ::2].clamp(min=-limit), z[..., 1::2]], -1).flatten(-2))


def choice(description):
    """A check of the chosen experts: `description` maps a Router to the sets that a wrong implementation would choose."""
    def apply(routers):
        return any((description(r) != r.chosen.sort(1).values).any() for r in routers.values())
    apply.on_routers = True
    return apply


NO_GROUPS = choice(lambda r: r.choice(None))                                      # all groups stay
ZERO_MASK = choice(lambda r: r.choice(0.0))                                       # groups left out get 0 instead of -inf


def with_bias(change):
    """Sets chosen with change(bias) instead of the bias."""
    def wrong(r):
        other = copy.copy(r)
        other.scores = r.scores - r.bias + change(r.bias)
        return other.choice(float("-inf") if r.kept_groups < r.groups else None)
    return choice(wrong)


def other_group_score(r):
    other = copy.copy(r)
    other.group_best = 3 - r.group_best
    return other.choice(float("-inf"))


NO_BIAS = with_bias(torch.zeros_like)
BF16_BIAS = with_bias(lambda bias: bias.bfloat16().float())
OTHER_GROUP_SCORE = choice(other_group_score)                                     # best instead of best two, or the reverse
