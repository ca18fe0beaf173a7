# SPDX-License-Identifier: Apache-2.0
"""Routers: which experts serve a token, and with what weight.

Every router maps x [rows, hidden] to (chosen, weight), both [rows, width], best expert first.
A row with fewer than `width` experts is filled with chosen = -1 and weight = 0.
"""
import torch
from torch import nn


def best_first(score):
    """Expert ids in descending order of score [..., experts]; of equal scores the lower id first."""
    return torch.sort(score, dim=-1, descending=True, stable=True).indices


def choose(score, bias, choice):
    """chosen [rows, width]: on score + bias. The bias steers the choice only (DeepSeek-V3, arXiv:2412.19437)."""
    order = best_first(score + bias)[:, :choice.width]
    if choice.kind == "top_k":
        return order
    # top_p (Huang et al. 2024, arXiv:2403.07652): until the chosen share of the unbiased scores reaches p.
    share_before = (score.gather(1, order).cumsum(1) - score.gather(1, order)) / score.sum(1, keepdim=True)
    needed = share_before < choice.p
    needed[:, 0] = True
    return torch.where(needed, order, -1)


def mixing_weights(score, chosen, normalize, routed_scale):
    """weight [rows, width]: unbiased scores of the chosen, divided by their sum if `normalize`, times the scale."""
    weight = score.gather(1, chosen.clamp(min=0)) * (chosen >= 0)
    if normalize:
        weight = weight / weight.sum(1, keepdim=True)
    return weight * routed_scale


class ScoredRouter(nn.Module):
    """A router that scores experts: score(x) -> [rows, experts]; then choose; then weigh."""

    def __init__(self, config, experts):
        super().__init__()
        self.normalize, self.routed_scale, self.choice = config.normalize, config.routed_scale, config.choice
        self.register_buffer("balance_bias", torch.zeros(experts))

    def ranking(self, score):
        return choose(score, self.balance_bias, self.choice)

    def forward(self, x, context):
        with torch.autocast("cpu", enabled=False):  # routing is always f32
            score = self.score(x.float())
            chosen = self.ranking(score.detach())
            return chosen, mixing_weights(score, chosen, self.normalize, self.routed_scale)


class AttentionRouter(ScoredRouter):
    """a_e = (W_q x) . key_e / sqrt(key_dim);  p = sigmoid(a) or softmax(a)."""

    def __init__(self, config, hidden, experts):
        super().__init__(config, experts)
        self.query = nn.Linear(hidden, config.key_dim, bias=False)
        self.keys = nn.Parameter(torch.randn(experts, config.key_dim))  # [experts, key_dim]
        self.activation = {"sigmoid": torch.sigmoid, "softmax": lambda a: a.softmax(-1)}[config.score]

    def score(self, x):
        return self.activation(self.query(x) @ self.keys.T / self.keys.shape[1] ** 0.5)


class SoftmaxTopK(ScoredRouter):
    """p = softmax(W x). Mixtral, Qwen."""

    def __init__(self, config, hidden, experts):
        super().__init__(config, experts)
        self.weight = nn.Parameter(torch.randn(experts, hidden) * hidden ** -0.5)

    def score(self, x):
        return (x @ self.weight.T).softmax(-1)


class GroupLimited(ScoredRouter):
    """Only experts of the best `topk_group` of `n_group` groups can be chosen. DeepSeek-V2 (softmax), V3 (sigmoid)."""

    def __init__(self, config, hidden, experts):
        super().__init__(config, experts)
        self.weight = nn.Parameter(torch.randn(experts, hidden) * hidden ** -0.5)
        self.groups, self.kept = config.n_group, config.topk_group
        self.sigmoid = config.kind == "sigmoid_group_limited"

    def score(self, x):
        a = x @ self.weight.T
        return a.sigmoid() if self.sigmoid else a.softmax(-1)

    def ranking(self, score):
        biased = score + self.balance_bias
        grouped = biased.unflatten(1, (self.groups, -1))  # [rows, groups, experts / groups]
        of_best = min(2, grouped.shape[2]) if self.sigmoid else 1
        group_score = grouped.topk(of_best, dim=2).values.sum(2)
        kept = torch.zeros_like(group_score, dtype=torch.bool)
        kept.scatter_(1, best_first(group_score)[:, :self.kept], True)
        inside = grouped.masked_fill(~kept[:, :, None], -torch.inf).flatten(1)
        return best_first(inside)[:, :self.choice.k]


class Switch(nn.Module):
    """p = softmax(W x); the one best expert, weighted by p. Fedus et al. 2021, arXiv:2101.03961."""

    def __init__(self, config, hidden, experts):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(experts, hidden) * hidden ** -0.5)

    def forward(self, x, context):
        with torch.autocast("cpu", enabled=False):
            score = (x.float() @ self.weight.T).softmax(-1)
            chosen = best_first(score.detach())[:, :1]
            return chosen, score.gather(1, chosen)


def splitmix64(x):
    mask = (1 << 64) - 1
    z = (x + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def hash_experts(token, layer, seed, experts, k):
    """k distinct experts for a token id, from nothing but numbers: all integers modulo 2^64."""
    mask = (1 << 64) - 1
    h = splitmix64((splitmix64((seed + layer) & mask) + token) & mask)
    free, chosen = list(range(experts)), []
    for j in range(k):
        chosen.append(free.pop(h % (experts - j)))  # the r-th expert not chosen yet
        h = splitmix64(h)
    return chosen


class HashRouter(nn.Module):
    """Static hash of the token id. Roller et al. 2021, arXiv:2106.04426."""

    def __init__(self, config, experts, layer, vocab):
        super().__init__()
        table = [hash_experts(token, layer, config.seed, experts, config.k) for token in range(vocab)]
        self.register_buffer("table", torch.tensor(table), persistent=False)  # [vocab, k]

    def forward(self, x, context):
        chosen = self.table[context["token_id"]]
        return chosen, torch.full(chosen.shape, 1 / chosen.shape[1])


COMPARE = {"<": torch.lt, "<=": torch.le, ">": torch.gt, ">=": torch.ge, "==": torch.eq}


def holds(predicate, context):
    """bool [rows]: where the predicate of a rule is true. Values are compared in double precision."""
    if "and" in predicate:
        return torch.stack([holds(p, context) for p in predicate["and"]]).all(0)
    if "or" in predicate:
        return torch.stack([holds(p, context) for p in predicate["or"]]).any(0)
    if "not" in predicate:
        return ~holds(predicate["not"], context)
    value = context[predicate["feature"]].double()
    return COMPARE[predicate["op"]](value, torch.tensor(predicate["value"], dtype=torch.float64))


class RuleRouter(nn.Module):
    """CASE WHEN feature > value THEN expert: the first rule that holds, else `otherwise`; weight 1."""

    def __init__(self, config):
        super().__init__()
        self.rules, self.otherwise = config.rules, config.otherwise

    def forward(self, x, context):
        chosen = torch.full((x.shape[0],), self.otherwise)
        for rule in reversed(self.rules):  # the first rule is written last, so it wins
            chosen = torch.where(holds(rule["when"], context), rule["expert"], chosen)
        return chosen[:, None], torch.ones(x.shape[0], 1)


def make_router(config, hidden, experts, layer, vocab):
    kind = config.kind
    if kind == "attention":
        return AttentionRouter(config, hidden, experts)
    if kind == "softmax_top_k":
        return SoftmaxTopK(config, hidden, experts)
    if kind in ("sigmoid_group_limited", "softmax_group_limited"):
        return GroupLimited(config, hidden, experts)
    if kind == "switch":
        return Switch(config, hidden, experts)
    if kind == "hash":
        return HashRouter(config, experts, layer, vocab)
    if kind == "rules":
        return RuleRouter(config)
    raise ValueError(f"moe.router.kind: unknown '{kind}'")
