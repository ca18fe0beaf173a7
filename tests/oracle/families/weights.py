# SPDX-License-Identifier: Apache-2.0
"""Random weights that make every part of a model matter, and the tensors that published files carry besides."""
import re

import torch


def randomise(bias=None, scale=None):
    """A function of a model: attention far from uniform, gains other than 1, no bias zero. bias: mean and deviation of
    e_score_correction_bias; scale: {pattern of tensor names: factor on what is drawn}."""
    @torch.no_grad()
    def apply(model):
        tied = getattr(model.config, "tie_word_embeddings", False)
        for name, p in [*model.named_parameters(), *model.named_buffers()]:
            if "inv_freq" in name or "embed_scale" in name or not p.numel() or not p.is_floating_point():
                continue
            transposed = model.config.model_type in ("gpt_oss", "llama4_text", "llama4") and "experts" in name
            fan_in = p.shape[1 if transposed else -1]
            if name.endswith(("e_score_correction_bias", "expert_bias")):
                p.normal_(*bias)
            elif re.search(r"norm(_\d)?\.weight$|layer_scalar$|router\.(per_expert_)?scale$", name):
                p.uniform_(0.5, 1.5)
            elif "embed_tokens" in name:
                p.normal_(0, 0.7 if tied else 1.0)
            elif name.endswith("A_log"):
                p.uniform_(-6, 0)                                 # heads that forget slowly and at once
            elif name.endswith("sinks"):
                p.normal_(0, 1.5)
            elif name.endswith("bias"):
                p.normal_(0, 0.5)
            else:
                p.normal_(0, 1.4 * fan_in ** -0.5)
            for pattern, factor in (scale or {}).items():
                if re.search(pattern, name):
                    p.mul_(factor)
    return apply


def mtp_layer(config, tensors):
    """The tensors of a multi-token-prediction layer: those of the last layer, renamed and shuffled, and its own."""
    layer, hidden, vocab = config["num_hidden_layers"], config["hidden_size"], config["vocab_size"]
    last, own = f"model.layers.{layer - 1}.", f"model.layers.{layer}."
    if config["model_type"] == "ernie4_5_moe":
        extra = {f"model.mtp_block.0.{name.removeprefix(last)}": t.clone() for name, t in tensors.items()
                 if name.startswith(last)}
        return extra | {f"model.mtp_{name}.0.weight": torch.rand(hidden) for name in ("emb_norm", "hidden_norm")} | {
            "model.mtp_linear_proj.0.weight": torch.randn(hidden, 2 * hidden)}
    extra = {own + name.removeprefix(last): t.flatten()[torch.randperm(t.numel())].view_as(t)
             for name, t in tensors.items() if name.startswith(last)}
    extra |= {own + f"{name}.weight": torch.rand(hidden) for name in ("enorm", "hnorm", "shared_head.norm")}
    extra |= {own + "eh_proj.weight": torch.randn(hidden, 2 * hidden), own + "embed_tokens.weight": torch.randn(vocab, hidden),
              own + "shared_head.head.weight": torch.randn(vocab, hidden)}
    return extra


def inv_freq(config, tensors):
    """What exports of old versions carry besides: the frequencies of every layer."""
    pairs = config["hidden_size"] // config["num_attention_heads"] // 2
    return {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.rand(pairs) for i in range(config["num_hidden_layers"])}


def lm_head(config, tensors):
    """The head of a model that shares its embedding, written out all the same."""
    return {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}


def other_modalities(config, tensors):
    """Some tensors of a vision tower, and of the drafts of Qwen3.5."""
    return {"model.visual.patch_embed.proj.weight": torch.randn(8, 3, 1, 2, 2), "model.visual.merger.norm.weight": torch.rand(8),
            "mtp.fc.weight": torch.randn(16, 32), "mtp.layers.0.input_layernorm.weight": torch.rand(16)}


EXTRA = {"mtp": mtp_layer, "inv_freq": inv_freq, "lm_head": lm_head, "visual": other_modalities}


def ignored(config):
    """The names of EXTRA, as a pattern."""
    layers = config.get("text_config", config)["num_hidden_layers"]
    return rf"model\.layers\.{layers}\.|model\.mtp_|.*\.inv_freq$|lm_head\.weight$|model\.visual\.|mtp\."
