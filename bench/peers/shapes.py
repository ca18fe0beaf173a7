# SPDX-License-Identifier: Apache-2.0
"""Shapes of published models, and what a pass through one of them costs.

The configurations are those of `trine-bench --synthetic`, as config.json has them. `tensors` lists the matrices as GGUF
files name them; from the list follow the operations of a token and the bytes that it reads, whatever their types are.
"""
from dataclasses import dataclass

CONFIGS = {
    "deepseek-v2-lite": {
        "model_type": "deepseek_v2", "vocab_size": 102400, "hidden_size": 2048, "intermediate_size": 10944,
        "moe_intermediate_size": 1408, "num_hidden_layers": 27, "num_attention_heads": 16, "num_key_value_heads": 16,
        "n_shared_experts": 2, "n_routed_experts": 64, "num_experts_per_tok": 6, "routed_scaling_factor": 1.0,
        "kv_lora_rank": 512, "q_lora_rank": None, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "n_group": 1, "topk_group": 1, "topk_method": "greedy", "norm_topk_prob": False, "first_k_dense_replace": 1,
        "rms_norm_eps": 1e-6, "max_position_embeddings": 163840, "rope_theta": 10000.0,
        "rope_scaling": {"type": "yarn", "beta_fast": 32, "beta_slow": 1, "factor": 40.0, "mscale": 0.707,
                         "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096},
        "tie_word_embeddings": False},
    "qwen3-30b-a3b": {
        "model_type": "qwen3_moe", "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144,
        "moe_intermediate_size": 768, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4,
        "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": True, "decoder_sparse_step": 1,
        "mlp_only_layers": [], "rms_norm_eps": 1e-6, "max_position_embeddings": 40960, "rope_theta": 1000000.0,
        "tie_word_embeddings": False},
    "qwen3-next-80b-a3b": {
        "model_type": "qwen3_next", "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 5120,
        "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512, "num_hidden_layers": 48,
        "full_attention_interval": 4, "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256,
        "partial_rotary_factor": 0.25, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
        "linear_value_head_dim": 128, "linear_num_key_heads": 16, "linear_num_value_heads": 32, "num_experts": 512,
        "num_experts_per_tok": 10, "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "rms_norm_eps": 1e-6, "max_position_embeddings": 262144, "rope_theta": 10000000.0, "tie_word_embeddings": False},
    "qwen3.5-35b-a3b": {
        "model_type": "qwen3_5_moe_text", "vocab_size": 248320, "hidden_size": 2048, "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512, "num_hidden_layers": 40, "full_attention_interval": 4,
        "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256, "partial_rotary_factor": 0.25,
        "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
        "linear_num_key_heads": 16, "linear_num_value_heads": 32, "num_experts": 256, "num_experts_per_tok": 8,
        "rms_norm_eps": 1e-6, "max_position_embeddings": 262144, "rope_theta": 10000000.0, "tie_word_embeddings": False},
    "mixtral-8x7b": {
        "model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8,
        "num_experts_per_tok": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 32768, "rope_theta": 1000000.0,
        "sliding_window": None, "tie_word_embeddings": False},
}

_TINY_QWEN_NEXT = {
    "vocab_size": 512, "hidden_size": 128, "moe_intermediate_size": 64, "shared_expert_intermediate_size": 64,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "linear_key_head_dim": 32,
    "linear_value_head_dim": 32, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "num_experts": 16,
    "num_experts_per_tok": 4, "max_position_embeddings": 4096}
# What makes a shape small enough to see in a moment that all works: as `trine-bench --tiny`.
TINY = {
    "deepseek-v2-lite": {
        "vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "moe_intermediate_size": 64,
        "num_attention_heads": 4, "num_key_value_heads": 4, "n_routed_experts": 8, "num_experts_per_tok": 3,
        "kv_lora_rank": 64, "qk_rope_head_dim": 16, "qk_nope_head_dim": 32, "v_head_dim": 32,
        "max_position_embeddings": 4096, "rope_scaling": None},
    "qwen3-30b-a3b": {
        "vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "moe_intermediate_size": 64,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32, "num_experts": 16,
        "num_experts_per_tok": 4, "max_position_embeddings": 4096},
    "qwen3-next-80b-a3b": _TINY_QWEN_NEXT,
    "qwen3.5-35b-a3b": _TINY_QWEN_NEXT,
    "mixtral-8x7b": {
        "vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_local_experts": 4, "max_position_embeddings": 4096},
}


def config_of(shape, layers, tiny=False):
    """`layers`: None for as many as the model has."""
    config = dict(CONFIGS[shape])
    if tiny:
        config.update(TINY[shape])
    if layers:
        config["num_hidden_layers"] = layers
    return config


def head_dim(config):
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def experts_of(config):
    """Experts of a layer, and how many of them a token chooses."""
    keys = {"deepseek_v2": "n_routed_experts", "mixtral": "num_local_experts"}
    return config[keys.get(config["model_type"], "num_experts")], config["num_experts_per_tok"]


def is_qwen_next(config):
    return config["model_type"] in ("qwen3_next", "qwen3_5_moe_text")


def is_linear(config, layer):
    """Is this a layer of Gated DeltaNet?"""
    return is_qwen_next(config) and (layer + 1) % config["full_attention_interval"] != 0


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of a GGUF file. `shape` is row-major, the input axis last: the reverse of ggml's."""
    name: str
    shape: tuple
    layer: int = -1   # -1: of no layer

    @property
    def count(self):
        product = 1
        for extent in self.shape:
            product *= extent
        return product

    @property
    def is_norm(self):
        """Or as small: filled with ones."""
        return self.name.endswith(("_norm.weight", "ssm_conv1d.weight", "ssm_dt.bias"))

    @property
    def is_decay(self):
        return self.name.endswith("ssm_a")

    @property
    def is_expert_stack(self):
        return "_exps." in self.name


def tensors_of(config):
    """All tensors, in the order of the file."""
    hidden, vocab = config["hidden_size"], config["vocab_size"]
    result = [TensorSpec("token_embd.weight", (vocab, hidden))]
    for layer in range(config["num_hidden_layers"]):
        for name, shape in _layer(config, layer):
            suffix = "" if name in ("ssm_a", "ssm_dt.bias") else ".weight"
            result.append(TensorSpec(f"blk.{layer}.{name}{suffix}", shape, layer))
    return result + [TensorSpec("output_norm.weight", (hidden,)), TensorSpec("output.weight", (vocab, hidden))]


def _layer(config, layer):
    hidden = config["hidden_size"]
    attention = _latent_attention if config["model_type"] == "deepseek_v2" else \
        _gated_delta_net if is_linear(config, layer) else _grouped_query_attention
    yield "attn_norm", (hidden,)
    yield from attention(config)
    yield "post_attention_norm" if is_qwen_next(config) else "ffn_norm", (hidden,)
    if layer < config.get("first_k_dense_replace", 0):
        yield from _gated_mlp("", hidden, config["intermediate_size"])
        return
    ffn = config.get("moe_intermediate_size") or config["intermediate_size"]
    experts, _ = experts_of(config)
    yield "ffn_gate_inp", (experts, hidden)
    for name, shape in _gated_mlp("_exps", hidden, ffn):
        yield name, (experts, *shape)
    if config.get("n_shared_experts"):
        yield from _gated_mlp("_shexp", hidden, ffn * config["n_shared_experts"])
    if is_qwen_next(config):
        yield "ffn_gate_inp_shexp", (hidden,)
        yield from _gated_mlp("_shexp", hidden, config["shared_expert_intermediate_size"])


def _gated_mlp(suffix, hidden, ffn):
    yield f"ffn_gate{suffix}", (ffn, hidden)
    yield f"ffn_up{suffix}", (ffn, hidden)
    yield f"ffn_down{suffix}", (hidden, ffn)


def _grouped_query_attention(config):
    hidden, dim = config["hidden_size"], head_dim(config)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    yield "attn_q", (heads * dim * (2 if is_qwen_next(config) else 1), hidden)   # with the rows of the output gate
    yield "attn_k", (kv_heads * dim, hidden)
    yield "attn_v", (kv_heads * dim, hidden)
    yield "attn_output", (hidden, heads * dim)
    if config["model_type"] == "qwen3_moe" or is_qwen_next(config):
        yield "attn_q_norm", (dim,)
        yield "attn_k_norm", (dim,)


def _gated_delta_net(config):
    hidden, heads = config["hidden_size"], config["linear_num_value_heads"]
    keys = config["linear_num_key_heads"] * config["linear_key_head_dim"]
    values = heads * config["linear_value_head_dim"]
    yield "attn_qkv", (2 * keys + values, hidden)
    yield "attn_gate", (values, hidden)
    if config["model_type"] == "qwen3_next":
        yield "ssm_ba", (2 * heads, hidden)
    else:
        yield "ssm_beta", (heads, hidden)
        yield "ssm_alpha", (heads, hidden)
    yield "ssm_conv1d", (2 * keys + values, config["linear_conv_kernel_dim"])
    yield "ssm_dt.bias", (heads,)
    yield "ssm_a", (heads,)
    yield "ssm_norm", (config["linear_value_head_dim"],)
    yield "ssm_out", (hidden, values)


def _latent_attention(config):
    """The absorbed form: k_b is transposed per head, so that it takes a query to the rank."""
    hidden, heads, rank = config["hidden_size"], config["num_attention_heads"], config["kv_lora_rank"]
    rope, nope, value = config["qk_rope_head_dim"], config["qk_nope_head_dim"], config["v_head_dim"]
    yield "attn_q", (heads * (nope + rope), hidden)
    yield "attn_kv_a_mqa", (rank + rope, hidden)
    yield "attn_kv_a_norm", (rank,)
    yield "attn_k_b", (heads, rank, nope)
    yield "attn_v_b", (heads, value, rank)
    yield "attn_output", (hidden, heads * value)


@dataclass(frozen=True)
class Test:
    """`tokens` tokens in calls of `rows` rows, behind `depth` tokens that are not timed."""
    kind: str   # pp, tg or batch
    tokens: int
    rows: int
    depth: int = 0

    @property
    def name(self):
        return f"b{self.rows}" if self.kind == "batch" else f"{self.kind}{self.tokens}"

    def request(self, threads):
        result = {"test": self.kind, "tokens": self.tokens, "threads": threads, "depth": self.depth}
        return {**result, "rows": self.rows} if self.kind == "batch" else result


class Work:
    """What a test costs a model whose tensors take `bytes_of(tensor)` bytes."""

    def __init__(self, config, bytes_of):
        self._config = config
        self._tensors = [(t, bytes_of(t)) for t in tensors_of(config) if t.name != "token_embd.weight"]  # a look-up

    def _sum(self, value, experts, heads=1.0):
        """Over all tensors; of stacks of experts the share `experts` counts, of the head `heads`."""
        total = 0.0
        for tensor, size in self._tensors:
            factor = experts if tensor.is_expert_stack else heads if tensor.name == "output.weight" else 1.0
            total += factor * value(tensor, size)
        return total

    def operations_per_token(self, test):
        """2 for each active weight; attention is not counted. The head of a prefill works for its last token only."""
        experts, chosen = experts_of(self._config)
        heads = 1.0 / test.tokens if test.kind == "pp" else 1.0
        return 2.0 * self._sum(lambda t, _: 0 if t.is_norm else t.count, chosen / experts, heads)

    def bytes_per_token(self, test):
        """With routers that choose evenly, `rows` rows need this share of the experts on average."""
        experts, chosen = experts_of(self._config)
        share = 1.0 - (1.0 - chosen / experts) ** test.rows
        return self._sum(lambda _, size: size, share) / test.rows

    def bits_per_weight(self):
        """Of the weights that one token reads."""
        test = Test("tg", 1, 1)
        return 16.0 * self.bytes_per_token(test) / self.operations_per_token(test)


def most_tokens_per_second(limits, operations_per_token, bytes_per_token):
    """What the machine allows: the less of what arithmetic and memory do. Most often a prefill is limited by the first,
    decode by the second.
    limits: {"read_gb_per_second", "giga_operations_per_second"}"""
    arithmetic = limits["giga_operations_per_second"] * 1e9 / operations_per_token
    memory = limits["read_gb_per_second"] * 1e9 / bytes_per_token
    return min(arithmetic, memory)
