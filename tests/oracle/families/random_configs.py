# SPDX-License-Identifier: Apache-2.0
"""A random small config.json of a family: every key takes several values, and is left out where its class has a default.

What is drawn stays within what the family's class in transformers can run; keys that our reader may refuse, as long as it
says so, are marked.
"""
import random
from dataclasses import dataclass, field

from transformers import CONFIG_MAPPING

from . import configs


@dataclass
class RandomCase:
    config: dict                                     # config.json
    tokens: int                                      # length of the prompt
    scheme: str = "f32"                              # storage.SCHEMES
    shards: int = 1
    fused: bool = False                              # expert tensors as transformers v5 keeps them in memory
    v5: bool = False                                 # config.json as save_pretrained of transformers v5 writes it
    bias: tuple = (0.0, 0.3)                         # mean and deviation of e_score_correction_bias
    scale: dict = field(default_factory=dict)        # {pattern of tensor names: factor on the random weights}
    extra: str | None = None                         # weights.EXTRA
    may_refuse: set = field(default_factory=set)     # keys that an error may name


class Draw:
    """A config.json in the making. Calling it draws a key; what it returns is the value in effect."""

    def __init__(self, rng, model_type):
        self.rng = rng
        self.config = {"architectures": configs_of(model_type)()["architectures"], "model_type": model_type}
        self.type = CONFIG_MAPPING["deepseek_v3" if model_type == "kimi_k2" else model_type]
        self.fields = {name: f.default for name, f in self.type.__dataclass_fields__.items()}
        aliases = {**self.type.attribute_map, **{new: old for old, new in self.type.attribute_map.items()}}
        self.aliases = {name: other for name, other in aliases.items() if "mtp" not in other}
        self.absent = rng.choice((0.0, 0.15, 0.4, 0.8))           # share of keys left out
        self.may_refuse = set()
        self.most_tokens = 1000

    def chance(self, share):
        return self.rng.random() < share

    def some(self, values):
        return self.rng.choice(list(values))

    def __call__(self, key, values, absent=1.0, fits=lambda value: True, default=None):
        """One of `values`; or the default of the class (`default` where it has no such field), the key being absent, if that
        `fits` the rest. absent: how much less often than usual; for sizes, whose defaults are large."""
        default = self.fields.get(key, default)
        if fits(default) and self.chance(self.absent * absent):
            return default
        value = None if default is None and fits(None) and self.chance(0.1) else self.some(values)
        name = self.aliases[key] if key in self.aliases and self.chance(0.1) else key
        self.config[name] = value
        return value

    def number(self, value):
        """A whole number is written as such or as 10000.0."""
        return float(value) if self.chance(0.5) else value

    def refusable(self, key, value):
        """A value that we do not implement: an error may name the key, or the answer is the reference's."""
        self.config[key] = value
        self.may_refuse.add(key)

    def foreign(self, key, value):
        """A key that this class does not have: what another family means by it must not count."""
        if key not in self.fields and key not in self.aliases and key not in self.config:
            self.refusable(key, value)


LATENT = {"kimi_linear", "deepseek_v2", "deepseek_v3", "kimi_k2", "glm4_moe_lite", "deepseek_v32", "glm_moe_dsa", "mistral4"}
DRAFTS = {"step3p5", "deepseek_v3", "kimi_k2", "glm4_moe", "glm4_moe_lite", "ernie4_5_moe", "hy_v3", "deepseek_v32",
          "glm_moe_dsa"}                                          # multi-token prediction
SIZE = 0.03                                                       # how often a large default is taken


def configs_of(model_type):
    return configs.deepseek_v3 if model_type == "kimi_k2" else getattr(configs, model_type)


def whole(value):
    return value is not None


def common(draw, eps="rms_norm_eps"):
    draw("num_hidden_layers", (1, 2, 2, 3, 4), SIZE)
    draw("vocab_size", range(40, 97), SIZE)
    draw("max_position_embeddings", (64, 100, 128, 256, 4096), 0.7)
    draw(eps, (1e-6, 1e-5, 3e-5, 1e-4, 1e-3))
    draw("tie_word_embeddings", (False, False, True))
    if "hidden_act" not in draw.fields:
        return
    draw("hidden_act", ("silu", "silu", "swish"))
    if draw.chance(0.02):
        draw.refusable("hidden_act", draw.some(("gelu", "relu")))


def heads(draw, head_dim="optional"):
    """Grouped-query heads and hidden_size; the width of a head. head_dim: "optional" where the class derives it, "field"
    where it has a number of its own, "never" where hidden_size alone counts."""
    count = draw("num_attention_heads", (1, 2, 4, 4, 6), SIZE)
    draw("num_key_value_heads", [n for n in range(1, count + 1) if count % n == 0],
         fits=lambda n: n is None or count % n == 0)
    derived = lambda n: whole(n) and n % count == 0 and n // count % 2 == 0 and n // count <= 256
    draw_hidden = lambda ok: draw("hidden_size", [n for n in (16, 24, 32, 48, 64, 96) if ok(n)] or [2 * count], SIZE, ok)
    if head_dim == "never" or (head_dim == "optional" and draw.chance(0.5)):
        width = draw_hidden(derived) // count
        if head_dim == "optional" and draw.chance(0.2):
            draw.config["head_dim"] = draw.some((width, None)) if "head_dim" in draw.fields else width
        return width
    # llama alone wants hidden_size to be divisible although it does not matter
    draw_hidden(lambda n: n % count == 0)
    if head_dim == "field":
        return draw("head_dim", (2, 4, 8, 12, 16), 0.3, whole)
    draw.config["head_dim"] = draw.some((2, 4, 8, 12, 16))
    return draw.config["head_dim"]


def layers(draw):
    return draw.config.get("num_hidden_layers", draw.fields["num_hidden_layers"])


def positions(draw):
    return draw.config.get("max_position_embeddings", draw.fields["max_position_embeddings"])


def yarn(draw):
    rope = {"factor": draw.some((1.0, 2.0, 4, 32.0, 40)), "original_max_position_embeddings": draw.some((8, 16, 64)),
            "beta_fast": draw.some((32, 32.0, 16, 1.0)), "beta_slow": draw.some((1, 1.0, 0.5)),
            "truncate": draw.some((True, False)), "mscale": draw.some((1.0, 0.707)),
            "mscale_all_dim": draw.some((1.0, 0.707, 0.0)), "attention_factor": draw.some((1.0, 0.8, 1.3)),
            "attn_factor": 0.8, "finetuned": True}
    for key in rope.copy():
        often = {"attention_factor": 0.7, "truncate": 0.7, "attn_factor": 0.95, "finetuned": 0.95, "factor": 0.0}
        if draw.chance(often.get(key, 0.4)):
            del rope[key]
    if draw.chance(0.05):
        rope["factor"] = None
    return rope


def longrope(draw, width):
    rope = {"short_factor": [draw.some((1.0, 1.1, 1.5, 2)) for _ in range(width // 2)],
            "long_factor": [draw.some((1.0, 2.0, 4.5)) for _ in range(width // 2)],
            "original_max_position_embeddings": positions(draw)}
    if draw.chance(0.5):
        rope["factor"] = draw.some((1.0, 4.0, 16.0))
    if draw.chance(0.3):
        rope["attention_factor"] = draw.some((1.0, 1.2))
    if draw.chance(0.5):
        del rope["original_max_position_embeddings"]
    return rope


def rotary(draw, width, part=False, spelled=True):
    """rope_theta and scaling, spelled as before or as since transformers v5. width: of a head. part: the family turns as much of
    it as partial_rotary_factor says; not spelled: another key has said it."""
    if part:
        width = rotated_part(draw, width)
    kinds = ["absent", "absent", "default", "linear", "llama3", "yarn", "yarn", "yarn"]
    kind = draw.some(kinds + ["dynamic", "longrope"] * (width >= 4))
    parameters = {"yarn": lambda: yarn(draw), "longrope": lambda: longrope(draw, width),
                  "linear": lambda: {"factor": draw.some((1.0, 2, 4.0))},
                  "dynamic": lambda: {"factor": draw.some((1.0, 2, 4.0))},
                  "llama3": lambda: {"factor": draw.some((2.0, 8.0)), "low_freq_factor": 1.0,
                                     "high_freq_factor": draw.some((2.0, 4.0)),
                                     "original_max_position_embeddings": draw.some((8, 16, 32))}}.get(kind, dict)()
    theta = draw.number(draw.some((100, 1000, 10000, 500000, 1000000)))
    if draw.chance(0.3):                                          # since v5
        if kind == "absent":
            parameters = {}
        else:
            parameters["rope_type"] = kind
        if not draw.chance(draw.absent):
            (parameters if parameters or draw.chance(0.7) else draw.config)["rope_theta"] = theta
        if parameters or draw.chance(0.3):
            draw.config["rope_parameters"] = parameters or None
        return
    if not draw.chance(draw.absent):
        draw.config["rope_theta"] = theta
    if kind != "absent":
        spelling = draw.some((("type",), ("rope_type",), ("type", "rope_type")))
        draw.config["rope_scaling"] = {**{name: kind for name in spelling}, **parameters}
    elif draw.chance(0.5):
        draw.config["rope_scaling"] = None
    if spelled and not part and draw.chance(0.03):
        draw.foreign("partial_rotary_factor", draw.some((0.5, 1.0)))


def rotated_part(draw, width):
    """partial_rotary_factor, by which an even number of elements turn."""
    even = lambda factor: whole(factor) and int(width * factor) >= 2 and int(width * factor) % 2 == 0
    default = {"glm4_moe": 0.5}.get(draw.config["model_type"], 1.0)
    if even(default) and draw.chance(draw.absent):
        return int(width * default)
    factor = draw.some([f for f in (0.25, 0.5, 0.7, 1.0) if even(f)])
    draw.config["partial_rotary_factor"] = factor
    return int(width * factor)


def window(draw):
    """sliding_window of mixtral and mistral."""
    draw("sliding_window", (None, 1, 5, 20, 4096))
    if draw.chance(0.03):
        draw.refusable("sliding_window", 0)


def qwen_windows(draw):
    """use_sliding_window, sliding_window, max_window_layers and layer_types of qwen2, qwen3 and qwen2_moe."""
    use = draw("use_sliding_window", (True, True, False), 0.4)
    draw("sliding_window", (1, 4, 7, 20, 4096) if use else (None, 4, 4096))
    draw("max_window_layers", range(0, layers(draw) + 1))
    if draw.chance(0.4) and layers(draw) <= 8:
        kinds = ("sliding_attention", "full_attention") if use else ("full_attention",)
        draw.config["layer_types"] = [draw.some(kinds) for _ in range(layers(draw))]
    else:
        if draw.chance(0.2):
            draw.config["layer_types"] = None
        if use and draw.config["model_type"] == "qwen2_moe":
            draw.may_refuse.add("use_sliding_window")             # transformers 4 and 5 disagree without layer_types


def experts(draw, count, most, multiple=1, share=1.0):
    """Experts for each token and experts in all, of which the share is eligible."""
    k = draw("num_experts_per_tok", [k for k in (1, 2, 2, 3, 4) if k <= most * share],
             fits=lambda k: whole(k) and k <= most * share)
    draw(count, [n for n in range(2, most + 1) if n % multiple == 0 and n * share >= k], SIZE,
         lambda n: whole(n) and n % multiple == 0 and n * share >= k)
    return k


def dense_moe(draw):
    """Which layers of qwen2_moe and qwen3_moe have no experts."""
    draw("decoder_sparse_step", (1, 1, 2, 3))
    some = [layer for layer in range(layers(draw)) if draw.chance(0.3)]
    draw("mlp_only_layers", ([], some))
    draw("intermediate_size", (8, 20, 24), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("norm_topk_prob", (True, False))


def latent(draw, ranks=(None, 8, 12, 24)):
    """Multi-head latent attention; the width of the part of a head that turns."""
    count = draw("num_attention_heads", (1, 2, 2, 4), SIZE)
    draw("num_key_value_heads", (count,), fits=lambda n: n in (None, count))
    draw("hidden_size", [n for n in (16, 32, 48) if n % count == 0] or [count], SIZE, lambda n: n % count == 0)
    draw("q_lora_rank", ranks, 0.3)
    draw("kv_lora_rank", (8, 12, 16), 0.2)
    draw("qk_nope_head_dim", (4, 8, 16), 0.2)
    width = draw("qk_rope_head_dim", (2, 4, 8, 16), 0.2)
    draw("v_head_dim", (4, 6, 12, 16), 0.2)
    draw("attention_bias", (True, False))
    return width


def mixture_sizes(draw):
    draw("intermediate_size", (8, 24), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)


def mixture(draw, limited=True, best_of=2, shared="n_shared_experts", count="n_routed_experts"):
    """The feed-forward layers of DeepSeek."""
    mixture_sizes(draw)
    draw(shared, (None, 1, 2) if shared == "n_shared_experts" else (1, 2), fits=whole)
    draw("routed_scaling_factor", (1.0, 1.5, 2.5, 16.0))
    if limited:
        groups = draw("n_group", (1, 2, 4), fits=whole)
        kept = draw("topk_group", range(1, groups + 1), fits=lambda n: whole(n) and n <= groups)
    else:
        groups, kept = 1, 1
        draw("n_group", (None, 1, 2))
        draw("topk_group", (None, 1))
    experts(draw, count, max(16, 2 * groups), groups * best_of, kept / groups)


def draft_layers(draw):
    if draw.chance(0.3):
        draw.config["num_nextn_predict_layers"] = draw.some((0, 1))


def mlp_layer_types(draw):
    if draw.chance(0.5) and layers(draw) <= 8:
        draw.config["mlp_layer_types"] = [draw.some(("dense", "sparse", "sparse")) for _ in range(layers(draw))]
    elif draw.chance(0.2):
        draw.config["mlp_layer_types"] = None


def deepseek(draw, generation):
    common(draw)
    rotary(draw, latent(draw))
    draw("first_k_dense_replace", range(0, layers(draw) + 1))
    limited = generation == 3 or draw("topk_method", ("greedy", "group_limited_greedy")) == "group_limited_greedy"
    mixture(draw, limited, generation - 1)
    draw("norm_topk_prob", (True, False) if generation == 3 else (False,))
    for key, value in {"moe_layer_freq": 1, "ep_size": 1, "seq_aux": True, "aux_loss_alpha": 0.001, "pretraining_tp": 1,
                       "scoring_func": "sigmoid" if generation == 3 else "softmax"}.items():
        if draw.chance(0.3):
            draw.config[key] = value


def deepseek_v3(draw):
    deepseek(draw, 3)
    draw("rope_interleave", (True, False))
    if draw.chance(0.3):
        draw.config["topk_method"] = "noaux_tc"
    draft_layers(draw)


def deepseek_v2(draw):
    deepseek(draw, 2)
    if draw.chance(0.05):
        draw.refusable(draw.some(("norm_topk_prob", "mlp_bias")), True)


def glm4_moe(draw):
    common(draw)
    rotary(draw, heads(draw), part=True)
    mixture(draw)
    draw("first_k_dense_replace", range(0, layers(draw) + 1))
    draw("norm_topk_prob", (True, False))
    draw("attention_bias", (True, False))
    draw("use_qk_norm", (True, False))
    draft_layers(draw)


def sarvam_moe(draw):
    common(draw)
    rotary(draw, heads(draw, "field"), part=True)
    mixture(draw)
    draw("first_k_dense_replace", range(0, layers(draw) + 1))
    draw("norm_topk_prob", (True, False))
    draw("attention_bias", (True, False))
    draw("use_qk_norm", (True, False))


def exaone_moe(draw):
    common(draw)
    rotary(draw, heads(draw))
    mixture(draw, shared="num_shared_experts", count="num_experts")
    draw("first_k_dense_replace", range(0, layers(draw) + 1))
    mlp_layer_types(draw)
    draw("norm_topk_prob", (True, False))
    draw("sliding_window", (1, 4, 7, 20))
    draw("sliding_window_pattern", (1, 2, 3, 4))
    layer_kinds(draw, "layer_types", ("sliding_attention", "full_attention"), 0.4)


def mistral4(draw):
    common(draw)
    width = latent(draw)
    if not draw.chance(draw.absent):
        draw.config["rope_parameters"] = {                        # the reference runs no other type
            "original_max_position_embeddings": 16, **yarn(draw), "rope_type": "yarn", "rope_theta": draw.some((100, 10000.0)),
            "llama_4_scaling_beta": draw.some((0.0, 0.1, 0.5))}
    mixture(draw)
    if draw.config.get("n_shared_experts", 1) is None:
        draw.config["n_shared_experts"] = 1
    draw("first_k_dense_replace", range(0, layers(draw) + 1))
    draw("norm_topk_prob", (True, False))
    draw("rope_interleave", (True, False))


def glm4_moe_lite(draw):
    common(draw)
    rotary(draw, latent(draw))
    mixture(draw)
    mlp_layer_types(draw)
    draw("norm_topk_prob", (True, False))
    draw("rope_interleave", (True, False))
    draft_layers(draw)
    if draw.chance(0.05):
        draw.refusable("first_k_dense_replace", draw.some((0, 1, 2)))


def minimax_m2(draw):
    common(draw)
    width = heads(draw, "field")
    if draw.chance(0.5):
        part = draw.some([n for n in range(2, width + 1, 2)])
        draw.config["rotary_dim"] = part
        rotary(draw, part, spelled=False)
    else:
        rotary(draw, width, part=True)
    experts(draw, "num_local_experts", 12)
    draw("intermediate_size", (4, 8), SIZE)


def ernie4_5_moe(draw):
    common(draw)
    rotary(draw, heads(draw))
    mixture_sizes(draw)
    draw("moe_num_shared_experts", (0, 1, 2))
    k = draw("moe_k", (1, 2, 3, 4))
    draw("moe_num_experts", [n for n in range(2, 13) if n >= k], SIZE)
    draw("moe_layer_start_index", range(0, layers(draw) + 1))
    draw("moe_layer_end_index", (-1, *range(0, layers(draw))))
    draw("moe_layer_interval", (1, 1, 2))
    draw("moe_norm_min", (1e-12, 0.3, 0.8))
    draw("use_bias", (False, None))
    if draw.chance(0.03):
        draw.refusable("use_bias", True)
    draft_layers(draw)


def dots1(draw):
    common(draw)
    rotary(draw, heads(draw))
    mixture(draw)
    draw("first_k_dense_replace", range(0, layers(draw) + 1))
    draw("norm_topk_prob", (True, False))
    draw("attention_bias", (True, False))
    width = draw("sliding_window", (None, 1, 5, 20, 4096))
    draw("max_window_layers", range(0, layers(draw) + 1))
    if draw.chance(0.3) and layers(draw) <= 8:
        kinds = ("sliding_attention", "full_attention") if width else ("full_attention",)
        draw.config["layer_types"] = [draw.some(kinds) for _ in range(layers(draw))]


def hy_v3(draw):
    common(draw)
    rotary(draw, heads(draw, "field"))
    mixture_sizes(draw)
    draw("num_shared_experts", (1, 2))
    experts(draw, "num_experts", 12)
    mlp_layer_types(draw)
    draw("router_scaling_factor", (1.0, 2.826))
    draw("attention_bias", (True, False))
    draw("mlp_bias", (True, False))
    draw("enable_moe_fp32_combine", (True, False))
    draft_layers(draw)


def deepseek_v32(draw):
    common(draw)
    width = latent(draw, ranks=(8, 12, 24))
    rotary(draw, width)
    mixture(draw)
    draw("first_k_dense_replace", range(0, layers(draw) + 1))
    mlp_layer_types(draw)
    draw("norm_topk_prob", (True, False))
    draw("index_n_heads", (3, 8, 16), 0.2)                        # of few heads many scores are 0, and open who is selected
    draw("index_head_dim", (width, width + 4), 0.2, lambda n: n >= width)
    draw("index_topk", (1, 2, 5, 8, 16, 2048), 0.2)
    draft_layers(draw)


def glm_moe_dsa(draw):
    deepseek_v32(draw)
    kind = draw.some(("none", "types", "pattern", "frequency")) if layers(draw) <= 8 else "none"
    types = ["full"] + [draw.some(("full", "shared")) for _ in range(layers(draw) - 1)]
    if kind == "types":
        draw.config["indexer_types"] = types
    elif kind == "pattern":
        draw.config["index_topk_pattern"] = draw.some((types, "".join(name[0].upper() for name in types)))
    elif kind == "frequency":
        draw.config["index_topk_freq"] = draw.some((0, 1, 2, 3))
        if draw.chance(0.7):
            draw.config["index_skip_topk_offset"] = draw.some((1, 2, 3))


def solar_open(draw):
    common(draw)
    rotary(draw, heads(draw, "field"))
    mixture(draw)
    draw("norm_topk_prob", (True, False))
    draw("attention_bias", (True, False))


def mixtral(draw):
    common(draw)
    width = heads(draw)
    rotary(draw, width)
    if "rope_scaling" in draw.config or "rope_parameters" in draw.config:
        draw.config["head_dim"] = width                           # scaled frequencies do not derive it
    experts(draw, "num_local_experts", 8)
    draw("intermediate_size", (8, 12), SIZE)
    window(draw)


def qwen2_moe(draw):
    common(draw)
    rotary(draw, heads(draw))
    experts(draw, "num_experts", 10)
    dense_moe(draw)
    draw("shared_expert_intermediate_size", (8, 20), SIZE)
    draw("qkv_bias", (True, False))
    qwen_windows(draw)


def qwen3_moe(draw):
    common(draw)
    rotary(draw, heads(draw))
    experts(draw, "num_experts", 12)
    dense_moe(draw)
    draw("attention_bias", (True, False))
    use = draw("use_sliding_window", (True, False, False))
    draw("sliding_window", (1, 5, 20, 4096) if use else (None, 4, 4096))
    if draw.chance(0.3):
        draw.config["max_window_layers"] = draw.some((0, 1, 48))
    if draw.chance(0.1):
        draw.config |= {"shared_expert_intermediate_size": 0, "use_qk_norm": True}
    if draw.chance(0.1) and layers(draw) <= 8 and not use:
        draw.config["layer_types"] = ["full_attention"] * layers(draw)


def gated_delta(draw):
    """What qwen3_next and qwen3_5_moe_text share."""
    common(draw)
    width = heads(draw, "field")
    fits = lambda share: int(width * share) % 2 == 0 and width * share >= 2
    share = draw("partial_rotary_factor", [x for x in (0.25, 0.5, 0.75, 1.0) if fits(x)], fits=fits, default=0.25)
    rotary(draw, int(width * share))
    keys = draw("linear_num_key_heads", (1, 1, 2, 3), SIZE)
    draw("linear_num_value_heads", (keys, 2 * keys, 3 * keys), SIZE, lambda n: n % keys == 0)
    draw("linear_key_head_dim", (2, 4, 8, 12, 17), SIZE)
    draw("linear_value_head_dim", (1, 4, 8, 16, 20), SIZE)
    draw("linear_conv_kernel_dim", (1, 2, 3, 4, 5))
    experts(draw, "num_experts", 10)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("shared_expert_intermediate_size", (8, 20), SIZE)
    draw("attention_bias", (True, False))
    if draw.chance(0.6) and layers(draw) <= 8:
        draw.config["layer_types"] = [draw.some(("linear_attention", "linear_attention", "full_attention"))
                                      for _ in range(layers(draw))]
        if draw.chance(0.3):
            draw.config["full_attention_interval"] = 4
    else:
        draw("full_attention_interval", (1, 2, 3, 4), default=4)


def qwen3_next(draw):
    gated_delta(draw)
    dense_moe(draw)


def qwen3_5_moe_text(draw):
    gated_delta(draw)
    if draw.chance(0.3):
        draw.config |= {"attn_output_gate": True, "mamba_ssm_dtype": "float32", "mlp_only_layers": []}
    if draw.chance(0.3):
        draw.config |= {"mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": False}


def olmoe(draw):
    common(draw)
    rotary(draw, heads(draw, "never"))
    experts(draw, "num_experts", 12)
    draw("intermediate_size", (4, 8), SIZE)
    draw("norm_topk_prob", (True, False))
    draw("attention_bias", (True, False))
    draw("clip_qkv", (None, 0.5, 1.0, 3.0))


def kimi_linear(draw):
    common(draw)
    draw.config["pad_token_id"] = 1                               # the default is beyond a small vocabulary
    latent(draw)
    mixture(draw, count="num_local_experts")
    draw("norm_topk_prob", (True, False))
    draw("linear_head_dim", (1, 4, 7, 8, 16), SIZE)
    draw("linear_num_heads", (1, 2, 3), SIZE)
    draw("linear_conv_kernel_dim", (1, 2, 4, 5))
    kinds = [draw.some(("linear_attention", "linear_attention", "full_attention")) for _ in range(layers(draw))]
    if layers(draw) <= 8 and draw.chance(0.6):
        lists = {name: [i + 1 for i, kind in enumerate(kinds) if kind == of] for name, of in (
            ("kda_layers", "linear_attention"), ("full_attn_layers", "full_attention"))}
        if draw.chance(0.5):
            sizes = {"head_dim": draw.some((4, 8)), "num_heads": draw.some((1, 2)), "short_conv_kernel_size": draw.some((3, 4))}
            draw.config["linear_attn_config"] = {**lists, **{key: value for key, value in sizes.items() if draw.chance(0.7)}}
        else:
            draw.config["layer_types"] = kinds
    mlp_layer_types(draw)
    if draw.chance(0.5):
        draw.config["first_k_dense_replace"] = draw.some(range(layers(draw) + 1))
    for key, value in {"mla_use_nope": True, "moe_router_activation_func": "sigmoid", "use_grouped_topk": True,
                       "moe_layer_freq": 1, "rope_theta": 10000.0, "rope_scaling": None}.items():
        if draw.chance(0.3):
            draw.config[key] = value


def step3p5(draw):
    common(draw)
    key_heads = draw("num_key_value_heads", (1, 2, 3), SIZE)
    draw("num_attention_heads", [key_heads * n for n in (1, 2, 3)], SIZE, lambda n: whole(n) and n % key_heads == 0)
    draw("hidden_size", (16, 24, 32, 48), SIZE)
    width = draw("head_dim", (4, 8, 12), SIZE)
    drafts = 0
    if draw.chance(0.5) and layers(draw) <= 8:
        drafts = draw.some((0, 1, 2))
        draw.config["num_nextn_predict_layers"] = drafts
    longer = lambda values: values + [draw.some(values) for _ in range(drafts)]
    kinds = ["full_attention"] * layers(draw)
    if layers(draw) <= 8 and draw.chance(0.8):
        kinds = [draw.some(("full_attention", "sliding_attention")) for _ in kinds]
        draw.config["layer_types"] = longer(kinds)
    draw.config["sliding_window"] = draw.some((1, 4, 7, 20, 4096))      # the reference cannot do without
    if draw.chance(0.5):
        draw.config["attention_other_setting"] = {"attention_type": "sliding_attention",
                                                  "num_attention_heads": key_heads * draw.some((1, 2, 3))}
    if draw.chance(0.3):
        draw.config["num_sliding_attention_heads"] = key_heads * draw.some((1, 2, 3))
    scaling = {"rope_type": "llama3", "factor": draw.some((2.0, 8.0)), "low_freq_factor": 1.0,
               "high_freq_factor": draw.some((4.0, 32.0)), "original_max_position_embeddings": 16}
    if draw.chance(0.3):
        scaling = {"rope_type": "yarn", **yarn(draw)}
        scaling.pop("truncate", None)                             # which the reference reads outside of layer types

    def by_type(values):
        of = {kind: draw.some(values) for kind in sorted(set(kinds))}
        return longer([of[kind] for kind in kinds])

    if draw.chance(0.3):
        draw.config["rope_parameters"] = {
            kind: {"rope_type": "default", "rope_theta": draw.some((100.0, 10000)), **(
                {"partial_rotary_factor": 0.5} if draw.chance(0.5) else {}), **(scaling if draw.chance(0.4) else {})}
            for kind in sorted(set(kinds))}
    else:
        if not draw.chance(draw.absent):
            draw.config["rope_theta"] = draw.some((by_type((100.0, 10000)), 1000, 10000.0))
        if layers(draw) <= 8 and draw.chance(0.5):
            draw.config["partial_rotary_factors"] = by_type((0.5, 1.0))
        if draw.chance(0.5):
            draw.config["rope_scaling"] = draw.some((None, scaling))
            draw.config["yarn_only_types"] = ["full_attention"]
    draw("attention_bias", (True, False))
    draw("mlp_bias", (True, False))
    draw("query_pre_attn_scalar", (2, 8.0, 100))
    if draw.chance(0.5) and layers(draw) <= 8:
        draw.config["mlp_layer_types"] = longer([draw.some(("dense", "sparse", "sparse")) for _ in kinds])
    elif draw.chance(0.7):
        some = [layer for layer in range(layers(draw) + drafts) if draw.chance(0.6)]
        draw.config["moe_layers_enum"] = draw.some((some, ",".join(map(str, some))))
    if layers(draw) <= 8:
        for key in ("swiglu_limits", "swiglu_limits_shared"):
            if draw.chance(0.5):
                draw.config[key] = longer([draw.some((None, 0.0, 0.1, 0.5, 7)) for _ in kinds])
    experts(draw, "n_routed_experts", 10)
    draw("moe_router_scaling_factor", (1.0, 2.5, 3.0))
    draw("intermediate_size", (8, 20), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("share_expert_dim", (4, 8, 12), SIZE)


def phimoe(draw):
    common(draw)
    width = heads(draw)
    draw("rope_theta", (100, 10000.0, 1000000), default=1000000.0)
    if width >= 4 and draw.chance(0.5):
        rope = longrope(draw, width)
        rope.setdefault("original_max_position_embeddings", positions(draw))
        draw.most_tokens = positions(draw)                        # trine ends positions there
        draw.config["original_max_position_embeddings"] = rope["original_max_position_embeddings"]
        if draw.chance(0.3):
            draw.config["max_position_embeddings"] = 4 * positions(draw)
        draw.config["rope_scaling"] = {**rope, "type": "longrope", "short_mscale": draw.some((1.0, 1.2)),
                                       "long_mscale": draw.some((1.0, 1.3))}
    window(draw)
    draw("attention_bias", (True, False))
    draw("lm_head_bias", (True, False))
    draw("router_jitter_noise", (0.0, 0.01, 0.1, 0.5))
    draw("input_jitter_noise", (0.0, 0.01))
    draw("num_experts_per_tok", (2,))
    draw("num_local_experts", range(2, 13), SIZE)
    draw("intermediate_size", (4, 8), SIZE)


def flex_olmo(draw):
    common(draw)
    draw.config["pad_token_id"] = 1                               # the default is beyond a small vocabulary
    rotary(draw, heads(draw))
    experts(draw, "num_experts", 12)
    draw("intermediate_size", (4, 8), SIZE)
    draw("norm_topk_prob", (True, False))
    draw("attention_bias", (True, False))


def cohere2_moe(draw):
    common(draw, "layer_norm_eps")
    rotary(draw, heads(draw, "field"))
    if draw.config.get("rope_scaling"):                           # of no effect in the reference
        draw.may_refuse.add("rope_scaling")
        if draw.chance(0.9):
            del draw.config["rope_scaling"]
    draw("rms_norm_eps", (None, None, 1e-6, 1e-3))
    draw("logit_scale", (0.0625, 0.25, 1.0, -0.5))
    draw("attention_bias", (True, False))
    draw("sliding_window", (1, 4, 7, 20, 4096))
    draw("sliding_window_pattern", (1, 2, 3, 4))
    draw("prefix_dense_sliding_window_pattern", (1, 1, 2, 3))
    layer_kinds(draw, "layer_types", ("sliding_attention", "full_attention"), 0.3)
    layer_kinds(draw, "mlp_layer_types", ("sparse", "sparse", "dense"), 0.3)
    if draw.chance(0.4):
        draw.config["first_k_dense_replace"] = draw.some(range(layers(draw) + 1))
    experts(draw, "num_experts", 10)
    draw("num_shared_experts", (0, 1, 2))
    draw("shared_expert_combination_strategy", ("average", "sum"))
    draw("expert_selection_fn", ("softmax", "sigmoid"))
    draw("norm_topk_prob", (True, False))
    draw("intermediate_size", (4, 8), SIZE)
    draw("prefix_dense_intermediate_size", (None, 12))


def hunyuan_v1_moe(draw):
    common(draw)
    rotary(draw, heads(draw, "field"))
    rope = draw.config.get("rope_scaling") or draw.config.get("rope_parameters") or {}
    if "dynamic" in (rope.get("type"), rope.get("rope_type")) and draw.chance(0.8):
        rope["alpha"] = draw.some((1.0, 4.0, 1000.0))
    most = draw("num_experts", range(1, 11), SIZE)
    draw("moe_topk", [k for k in (1, 2, 3, 4) if k <= most], fits=lambda k: k <= most)
    if draw.chance(0.3) and layers(draw) <= 8:
        draw.config["moe_topk"] = [draw.some(range(1, most + 1)) for _ in range(layers(draw))]
    draw("intermediate_size", (4, 8), SIZE)
    draw("attention_bias", (True, False))


def gpt_oss(draw):
    common(draw)
    width = heads(draw, "field")
    if not draw.chance(draw.absent):
        rotary(draw, width)
    k = experts(draw, "num_local_experts", 8)
    if draw.chance(0.2) and "num_experts_per_tok" in draw.config:
        draw.config["experts_per_token"] = k
    draw("intermediate_size", (8, 32), SIZE)
    draw("sliding_window", (1, 5, 8, 20, 128))
    if draw.chance(0.5) and layers(draw) <= 8:
        draw.config["layer_types"] = [draw.some(("sliding_attention", "full_attention")) for _ in range(layers(draw))]
    elif draw.chance(0.1):
        draw.config["layer_types"] = None
    draw("swiglu_limit", (0.5, 2.0, 7.0))
    draw("swiglu_alpha", (1.0, 1.702, 2.0))
    draw("attention_bias", (True, True, False))
    if draw.chance(0.3):
        draw.config["initial_context_length"] = 4096


def lfm2_moe(draw):
    common(draw, eps="norm_eps")
    rotary(draw, heads(draw, "never"))
    experts(draw, "num_experts", 10)
    draw.config["layer_types"] = [draw.some(("conv", "conv", "full_attention")) for _ in range(layers(draw))]
    draw("conv_L_cache", (1, 2, 3, 4, 5))
    draw("conv_bias", (True, False))
    draw("num_dense_layers", range(0, layers(draw) + 1))
    draw("intermediate_size", (8, 20, 24), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("use_expert_bias", (True, False))
    draw("norm_topk_prob", (True, False))
    draw("routed_scaling_factor", (1.0, 1.5, 16.0))


def gemma4_text(draw):
    common(draw)
    draw.config.pop("hidden_act", None)
    draw.may_refuse.discard("hidden_act")
    draw("hidden_activation", ("gelu_pytorch_tanh", "gelu_pytorch_tanh", "silu"))
    heads(draw, "field")
    draw.config.setdefault("head_dim", draw.some((4, 8, 16)))     # the default is 256
    count = draw.config.get("num_attention_heads", draw.fields["num_attention_heads"])
    k_eq_v = draw("attention_k_eq_v", (True, False))
    draw("num_global_key_value_heads", [n for n in range(1, count + 1) if count % n == 0])
    draw.config["global_head_dim"] = draw.some((4, 6, 8, 16))
    draw("sliding_window", (1, 4, 7, 20, 512))
    if layers(draw) <= 8 and draw.chance(0.7):
        draw.config["layer_types"] = [draw.some(("sliding_attention", "full_attention")) for _ in range(layers(draw))]
    draw("attention_bias", (True, False))
    draw("final_logit_softcapping", (1.0, 5.0, 30.0))
    draw("intermediate_size", (8, 20, 24), SIZE)
    if draw("enable_moe_block", (True, True, False)):
        k = draw.some((1, 2, 3))
        draw.config |= {"top_k_experts": k, "num_experts": draw.some(range(max(k, 2), 10)),
                        "moe_intermediate_size": draw.some((4, 8, 12))}
    draw.config["hidden_size_per_layer_input"] = 0
    draw("num_kv_shared_layers", (0,))
    draw("use_double_wide_mlp", (True, False))
    draw("use_bidirectional_attention", (None, "vision"))
    if draw.chance(0.7):
        kinds = {"sliding_attention": ("default", "linear"), "full_attention": ("proportional", "proportional", "default")}
        draw.config["rope_parameters"] = {name: rope_of_type(draw, draw.some(kinds[name])) for name in kinds}


def rope_of_type(draw, kind):
    """One of several objects of rope_parameters."""
    rope = {"rope_type": kind, "rope_theta": draw.number(draw.some((100, 10000, 1000000)))}
    if kind == "linear" or kind == "proportional" and draw.chance(0.3):
        rope["factor"] = draw.some((1.0, 2, 4.0))
    if kind == "proportional" and not draw.chance(0.2):
        rope["partial_rotary_factor"] = draw.some((0.25, 0.5, 0.7, 1.0))
    return rope


def layer_kinds(draw, key, kinds, often=0.7):
    """A list with one of `kinds` for each layer."""
    if layers(draw) <= 8 and draw.chance(often):
        draw.config[key] = [draw.some(kinds) for _ in range(layers(draw))]


def ropes_by_type(draw, head_dim, partial=True):
    """rope_parameters with an object for each layer type."""
    if draw.chance(draw.absent):
        return
    result = {}
    for name in ("full_attention", "sliding_attention"):
        rope = {"rope_type": draw.some(("default", "default", "linear", "yarn")),
                "rope_theta": draw.number(draw.some((100, 10000, 500000)))}
        if rope["rope_type"] == "linear":
            rope["factor"] = draw.some((1.0, 2, 4.0))
        if rope["rope_type"] == "yarn":
            rope |= {"factor": draw.some((2.0, 4, 32.0)), "original_max_position_embeddings": draw.some((8, 16, 64))}
        if partial and draw.chance(0.6):
            rope["partial_rotary_factor"] = draw.some([2 * i / head_dim for i in range(1, head_dim // 2 + 1)])
        result[name] = rope
    draw.config["rope_parameters"] = result


def laguna(draw):
    common(draw)
    draw.may_refuse.add("partial_rotary_factor")                  # an odd number of elements
    heads(draw, "field")
    draw.config.setdefault("head_dim", draw.some((4, 8, 12)))     # the default is 128
    kv = draw.config.get("num_key_value_heads") or draw.fields["num_key_value_heads"]
    if layers(draw) <= 8 and draw.chance(0.6):
        draw.config["num_attention_heads_per_layer"] = [kv * draw.some((1, 2, 3)) for _ in range(layers(draw))]
    ropes_by_type(draw, draw.config["head_dim"])
    draw("attention_bias", (True, False))
    draw("gating", (True, "per-head", "per-element"))
    draw("sliding_window", (1, 4, 7, 20, 512))
    layer_kinds(draw, "layer_types", ("sliding_attention", "full_attention"))
    layer_kinds(draw, "mlp_layer_types", ("sparse", "sparse", "dense"))
    experts(draw, "num_experts", 10)
    draw("intermediate_size", (8, 20), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("shared_expert_intermediate_size", (4, 12), SIZE)
    draw("moe_routed_scaling_factor", (1.0, 2.5))
    draw("moe_router_logit_softcapping", (0.0, 1.0, 5.0))
    draw("moe_apply_router_weight_on_input", (False,))


def mellum(draw):
    common(draw)
    heads(draw, "field")
    draw.config.setdefault("head_dim", draw.some((4, 8, 12)))
    ropes_by_type(draw, draw.config["head_dim"])
    draw("attention_bias", (True, False))
    draw("sliding_window", (1, 4, 7, 20, 512))
    layer_kinds(draw, "layer_types", ("sliding_attention", "full_attention"))
    layer_kinds(draw, "mlp_layer_types", ("sparse", "sparse", "dense"))
    experts(draw, "num_experts", 10)
    draw("intermediate_size", (8, 20), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("norm_topk_prob", (True, False))


def afmoe(draw):
    common(draw)
    heads(draw, "field")
    draw.config.setdefault("head_dim", draw.some((4, 8, 12)))
    rotary(draw, draw.config["head_dim"])
    draw("attention_bias", (True, False))
    draw("sliding_window", (1, 4, 7, 20, 512))
    draw("global_attn_every_n_layers", (1, 2, 3, 4))
    layer_kinds(draw, "layer_types", ("sliding_attention", "full_attention"), 0.4)
    draw("num_dense_layers", range(0, layers(draw) + 1))
    experts(draw, "num_experts", 10)
    draw("num_shared_experts", (1, 2))
    draw("intermediate_size", (8, 20), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("route_scale", (1.0, 2.5))
    draw("mup_enabled", (True, False))
    if draw.chance(0.3):
        draw.config |= {"route_norm": True, "score_func": "sigmoid", "n_group": 1, "topk_group": 1, "use_grouped_mm": True}


def granitemoe(draw):
    common(draw)
    width = heads(draw)
    rotary(draw, width)
    if "rope_scaling" in draw.config or "rope_parameters" in draw.config:
        draw.config["head_dim"] = width                           # scaled frequencies do not derive it
    draw("attention_bias", (True, False))
    experts(draw, "num_local_experts", 10)
    draw("intermediate_size", (4, 8, 12), SIZE)
    draw("embedding_multiplier", (1, 1.5, 12.0))
    draw("attention_multiplier", (1.0, 0.25, 0.0078125))
    draw("residual_multiplier", (1.0, 0.22))
    draw("logits_scaling", (1.0, 6, 16.0))


def llama4_text(draw):
    common(draw)
    heads(draw, "field")
    draw.config.setdefault("head_dim", draw.some((4, 8, 12)))
    rope = draw.some((None, None, {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                   "original_max_position_embeddings": 16}, {"rope_type": "linear", "factor": 2.0}))
    draw.config["rope_scaling"] = rope
    draw("rope_theta", (100.0, 10000, 500000.0), default=500000.0)
    draw("attention_bias", (True, False))
    draw("attention_chunk_size", (1, 4, 7, 20, None))
    draw("no_rope_layer_interval", (1, 2, 4))
    layer_kinds(draw, "no_rope_layers", (0, 1), 0.5)
    if draw.config.get("attention_chunk_size", 1) is not None:
        layer_kinds(draw, "layer_types", ("chunked_attention", "full_attention"), 0.3)
    draw("use_qk_norm", (True, False))
    draw("attn_temperature_tuning", (True, False))
    draw("floor_scale", (3, 6, 8192))
    draw("attn_scale", (0.1, 0.5))
    draw("interleave_moe_layer_step", (1, 2))
    if draw.chance(0.3):
        draw.config["moe_layers"] = [layer for layer in range(layers(draw)) if draw.chance(0.5)]
    experts(draw, "num_local_experts", 8)
    draw("intermediate_size", (4, 8, 12), SIZE)
    draw("intermediate_size_mlp", (8, 20), SIZE)


def mimo_v2_flash(draw):
    common(draw)
    count = draw("num_attention_heads", (2, 4, 4, 6), SIZE)
    draw("num_key_value_heads", [n for n in range(1, count) if count % (2 * n) == 0], fits=lambda n: n and count % (2 * n) == 0)
    draw("hidden_size", (16, 32, 48), SIZE)
    draw.config["head_dim"] = draw.some((6, 8, 12, 24))
    draw("v_head_dim", (4, 6, 8, 16), 0.1)
    ropes_by_type(draw, draw.config["head_dim"])
    draw("attention_bias", (True, False))
    draw("sliding_window", (1, 4, 7, 20, 129))
    layer_kinds(draw, "layer_types", ("sliding_attention", "full_attention"))
    layer_kinds(draw, "mlp_layer_types", ("sparse", "sparse", "dense"))
    experts(draw, "n_routed_experts", 10)
    draw("n_group", (1,))
    draw("topk_group", (1,))
    draw("intermediate_size", (8, 20), SIZE)
    draw("moe_intermediate_size", (4, 8, 12), SIZE)
    draw("norm_topk_prob", (True, False))
    draw("routed_scaling_factor", (1.0, 2.5, None))
    draw("attention_value_scale", (1.0, 0.707, None))


def dense(draw, head_dim="optional"):
    common(draw)
    rotary(draw, heads(draw, head_dim))
    draw("intermediate_size", (8, 20, 24), SIZE)


def llama(draw):
    dense(draw)
    draw("attention_bias", (True, False))
    draw("mlp_bias", (True, False))
    if draw.chance(0.05):
        draw.config["sliding_window"] = draw.some((4, None, 4096))
    if draw.chance(0.05) and layers(draw) <= 8:
        draw.config["layer_types"] = ["full_attention"] * layers(draw)


def mistral(draw):
    dense(draw)
    window(draw)


def qwen2(draw):
    dense(draw)
    qwen_windows(draw)


def qwen3(draw):
    dense(draw, "field")
    draw("attention_bias", (True, False))
    qwen_windows(draw)


FAMILIES = {
    "deepseek_v2": deepseek_v2,
    "deepseek_v3": deepseek_v3,
    "kimi_k2": deepseek_v3,
    "glm4_moe": glm4_moe,
    "glm4_moe_lite": glm4_moe_lite,
    "minimax_m2": minimax_m2,
    "ernie4_5_moe": ernie4_5_moe,
    "dots1": dots1,
    "hy_v3": hy_v3,
    "mixtral": mixtral,
    "qwen2_moe": qwen2_moe,
    "qwen3_moe": qwen3_moe,
    "olmoe": olmoe,
    "gpt_oss": gpt_oss,
    "gemma4_text": gemma4_text,
    "laguna": laguna,
    "mellum": mellum,
    "afmoe": afmoe,
    "granitemoe": granitemoe,
    "llama4_text": llama4_text,
    "mimo_v2_flash": mimo_v2_flash,
    "lfm2_moe": lfm2_moe,
    "llama": llama,
    "mistral": mistral,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "qwen3_next": qwen3_next,
    "qwen3_5_moe_text": qwen3_5_moe_text,
    "deepseek_v32": deepseek_v32,
    "glm_moe_dsa": glm_moe_dsa,
    "solar_open": solar_open,
    "sarvam_moe": sarvam_moe,
    "exaone_moe": exaone_moe,
    "cohere2_moe": cohere2_moe,
    "flex_olmo": flex_olmo,
    "phimoe": phimoe,
    "step3p5": step3p5,
    "kimi_linear": kimi_linear,
    "hunyuan_v1_moe": hunyuan_v1_moe,
    "mistral4": mistral4,
}

# Training, generation and other tools: nothing here changes what a model computes.
HARMLESS = {
    "bos_token_id": 1, "eos_token_id": [1, 2], "pad_token_id": None, "torch_dtype": "bfloat16", "dtype": "float32",
    "use_cache": False, "initializer_range": 0.02, "attention_dropout": 0.0, "router_aux_loss_coef": 0.01,
    "output_router_logits": False, "transformers_version": "4.44.0", "_name_or_path": "a/b", "pretraining_tp": 1,
    "unsloth_fixed": True, "unsloth_version": "2025.1", "tokenizer_class": "LlamaTokenizer", "model_max_length": 64,
    "max_length": 20, "temperature": 1.0, "top_p": 1.0, "do_sample": False, "num_beams": 1, "repetition_penalty": 1.0,
    "transformers.js_config": {}, "attn_implementation": "eager", "use_flash_attn": True, "_commit_hash": None,
    "license": "mit", "datasets": ["x"], "neuron": {}, "chat_template": None, "pruned_heads": {}, "resid_pdrop": 0.0,
    "embd_pdrop": 0.0, "attn_pdrop": 0.0}

# What other families mean something by.
FOREIGN = {
    "norm_topk_prob": (True, False), "n_shared_experts": (1,), "routed_scaling_factor": (2.0,), "attention_bias": (True,),
    "mlp_bias": (True,), "qkv_bias": (False, True), "sliding_window": (4,), "use_sliding_window": (True,),
    "rope_interleave": (False,), "clip_qkv": (0.5,), "swiglu_limit": (0.5,), "swiglu_alpha": (1.0,), "n_group": (2,),
    "topk_group": (1,), "first_k_dense_replace": (1,), "shared_expert_intermediate_size": (8,), "decoder_sparse_step": (2,),
    "mlp_only_layers": ([0],), "scoring_func": ("sigmoid", "softmax"), "topk_method": ("greedy", "noaux_tc"),
    "use_qk_norm": (True, False), "experts_per_token": (1,), "max_window_layers": (1,),
    "original_max_position_embeddings": (32,)}


def small_activations(draw):
    """Parts of the network made so small that the epsilon of the norm behind them counts."""
    scale = {}
    if draw.chance(0.5):
        scale["embed_tokens"] = draw.some((1e-2, 3e-3, 1e-3))
    if draw.chance(0.3):
        scale[r"(o_proj|down_proj|shared_expert_gate)"] = draw.some((1e-2, 1e-3))
    if draw.chance(0.3):
        scale[r"(q_proj|k_proj|q_a_proj|kv_a_proj_with_mqa)"] = draw.some((1e-2, 1e-3))
    return scale


def random_case(model_type, seed):
    """The case of a family that `seed` stands for."""
    rng = random.Random(f"{model_type}/{seed}")
    draw = Draw(rng, model_type)
    FAMILIES[model_type](draw)
    if draw.chance(0.15):
        key = draw.some(FOREIGN)
        draw.foreign(key, draw.some(FOREIGN[key]))
    for key in rng.sample(sorted(HARMLESS), rng.randrange(0, 6)):
        if key not in draw.aliases:                               # of keys that do compute something
            draw.config.setdefault(key, HARMLESS[key])
    config = dict(rng.sample(list(draw.config.items()), len(draw.config)))
    length = rng.randrange(6, 40) if draw.chance(0.85) else rng.randrange(60, 200)
    case = RandomCase(config, tokens=min(length, positions(draw), draw.most_tokens), may_refuse=draw.may_refuse,
                      scheme=rng.choice(("f32", "f32", "f32", "bf16", "f16")), shards=rng.choice((1, 1, 1, 2)),
                      fused=draw.chance(0.2), v5=draw.chance(0.15), scale=small_activations(draw),
                      bias=(rng.choice((-0.5, 0.0, 0.1)), 0.3))
    if model_type == "gpt_oss" and config.get("intermediate_size", 2880) % 32 == 0 \
            and config.get("hidden_size", 2880) % 32 == 0 and draw.chance(0.7):
        case.scheme = "mxfp4"
    if model_type in ("deepseek_v3", "kimi_k2", "glm4_moe", "minimax_m2") and draw.chance(0.3):
        case.scheme = "fp8"
        config["quantization_config"] = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                         "weight_block_size": [128, 128]}
    if model_type in DRAFTS and draw.chance(0.3) and config.get("num_nextn_predict_layers", 1):
        case.extra = "mtp"
    elif config.get("tie_word_embeddings") and draw.chance(0.2):
        case.extra = "lm_head"
    elif model_type not in LATENT and draw.chance(0.1):
        case.extra = "inv_freq"
    return case
