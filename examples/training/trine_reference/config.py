# SPDX-License-Identifier: Apache-2.0
"""config.json as plain dataclasses. Unknown keys are errors, as in the library."""
import dataclasses
import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional


class ConfigError(ValueError):
    pass


@dataclass
class Axis:                              # the spatial or the temporal heads of 3d attention
    num_heads: int
    num_kv_heads: int
    lookback: Optional[int] = None       # spatial only: how many earlier frames a query sees
    causal: bool = True                  # spatial only: false lets a query see every site of its own frame
    pattern: Optional[str] = None        # temporal only: "summary", "strided" or "routed"
    top_k: Optional[int] = None          # routed only: how many earlier frames a query chooses


@dataclass
class AttentionConfig:
    kind: str                            # "3d", "full", "chunked"
    head_dim: int
    frame_size: Optional[int] = None     # sites per frame
    num_heads: Optional[int] = None      # full, chunked
    num_kv_heads: Optional[int] = None   # full, chunked
    spatial: Optional[Axis] = None
    temporal: Optional[Axis] = None

    def __post_init__(self):
        check(self.kind in ("3d", "full", "chunked"), f"attention.kind: unknown '{self.kind}'")
        if self.kind == "3d":
            self.spatial = read(Axis, self.spatial, "attention.spatial")
            self.temporal = read(Axis, self.temporal, "attention.temporal")
            check(self.spatial.lookback is not None, "attention.spatial.lookback is required")
            check(self.temporal.pattern in ("summary", "strided", "routed"),
                  "attention.temporal.pattern: summary, strided or routed")
            check((self.temporal.pattern == "routed") == (self.temporal.top_k is not None),
                  "attention.temporal.top_k belongs to the pattern routed")
        check(self.kind == "full" or self.frame_size, "attention.frame_size is required")

    @property
    def query_heads(self):
        return self.spatial.num_heads + self.temporal.num_heads if self.kind == "3d" else self.num_heads

    @property
    def kv_heads(self):
        return self.spatial.num_kv_heads + self.temporal.num_kv_heads if self.kind == "3d" else self.num_kv_heads


@dataclass
class Choice:
    kind: str = "top_k"
    k: Optional[int] = None              # top_k
    p: Optional[float] = None            # top_p: share of the sum of all scores to reach
    max_k: Optional[int] = None          # top_p: never more experts than this

    @property
    def width(self):                     # the most experts a token can have
        return self.k if self.kind == "top_k" else self.max_k


@dataclass
class RouterConfig:
    kind: str
    key_dim: Optional[int] = None        # attention
    score: str = "sigmoid"               # attention: "sigmoid" or "softmax"
    normalize: bool = True
    routed_scale: float = 1.0
    choice: Optional[Choice] = None
    n_group: Optional[int] = None        # group limited
    topk_group: Optional[int] = None     # group limited
    k: int = 1                           # hash
    seed: int = 0                        # hash
    features: Optional[list] = None      # rules
    rules: Optional[list] = None         # rules
    otherwise: Optional[int] = None      # rules

    def __post_init__(self):
        if self.choice is not None:
            self.choice = read(Choice, self.choice, "moe.router.choice")


@dataclass
class ExpertAttentionConfig:
    num_heads: int
    head_dim: int


@dataclass
class MoeConfig:
    num_experts: int
    intermediate_size: int
    router: RouterConfig
    num_shared_experts: int = 0
    first_dense_layers: int = 0
    dense_intermediate_size: Optional[int] = None
    expert_attention: Optional[ExpertAttentionConfig] = None

    def __post_init__(self):
        self.router = read(RouterConfig, self.router, "moe.router")
        if self.expert_attention is not None:
            self.expert_attention = read(ExpertAttentionConfig, self.expert_attention, "moe.expert_attention")
        check((self.first_dense_layers > 0) == (self.dense_intermediate_size is not None),
              "moe.dense_intermediate_size belongs to first_dense_layers > 0")


@dataclass
class InputConfig:
    kind: str = "tokens"
    num_features: Optional[int] = None
    num_sites: Optional[int] = None      # full attention only


@dataclass
class OutputConfig:
    kind: str = "language_model"
    num_outputs: Optional[int] = None
    pool: Optional[str] = None


@dataclass
class Config:
    model_type: str
    hidden_size: int
    num_hidden_layers: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    attention: AttentionConfig
    moe: MoeConfig
    input: InputConfig = field(default_factory=lambda: {"kind": "tokens"})
    output: OutputConfig = field(default_factory=lambda: {"kind": "language_model"})
    vocab_size: Optional[int] = None
    tie_word_embeddings: Optional[bool] = None

    def __post_init__(self):
        check(self.model_type == "trine", f"model_type: expected 'trine', found '{self.model_type}'")
        self.attention = read(AttentionConfig, self.attention, "attention")
        self.moe = read(MoeConfig, self.moe, "moe")
        self.input = read(InputConfig, self.input, "input")
        self.output = read(OutputConfig, self.output, "output")
        tokens = self.input.kind == "tokens"
        check(tokens == (self.vocab_size is not None), "vocab_size belongs to token input")
        check(tokens or self.output.kind != "language_model", "a language model needs token input")

    @property
    def sites(self):                     # S: sites per frame; with full attention every token is a frame by default
        return self.attention.frame_size or self.input.num_sites or 1

    @staticmethod
    def from_dict(values):
        return read(Config, values, "config.json")

    @staticmethod
    def load(path):
        return Config.from_dict(json.loads(Path(path).read_text()))


def check(condition, message):
    if not condition:
        raise ConfigError(message)


def read(kind, values, place):
    """Builds the dataclass `kind` from the JSON object `values`; an unknown key names its nearest known one."""
    check(isinstance(values, dict), f"{place}: expected an object")
    known = [f.name for f in dataclasses.fields(kind)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.0)
            raise ConfigError(f"{place}: unknown key '{key}', did you mean '{near[0]}'?")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{place}: {error}") from None
