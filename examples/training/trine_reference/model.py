# SPDX-License-Identifier: Apache-2.0
"""The trine transformer: three-axis attention and a dynamically routed mixture of experts.

    h += Attention3D(RMSNorm(h));  h += MoE(RMSNorm(h))        for each layer; then RMSNorm and the head

A sequence is a grid of frames t and sites s: position n = t * S + s. Everything here sees whole sequences; there is no
cache. Parameter names are those of weights.bin, except that the experts of a layer are stacked along a first axis.
"""
import torch
import torch.nn.functional as F
from torch import nn

from .routers import make_router


class RMSNorm(nn.Module):
    """y = x / sqrt(mean(x^2) + eps) * weight. Zhang & Sennrich 2019, arXiv:1910.07467."""

    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def linear(inputs, outputs):
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=inputs ** -0.5)
    return layer


# --- attention over tokens ---------------------------------------------------------------------------------------------

def allowed_keys(axis, tokens, frame_size=None, lookback=None, causal=True, pattern=None):
    """bool [tokens, tokens]: row n is true at the keys m that query n may look at."""
    n, m = torch.arange(tokens)[:, None], torch.arange(tokens)[None, :]
    if axis == "full":
        return m <= n
    tn, tm, sn, sm = n // frame_size, m // frame_size, n % frame_size, m % frame_size
    if axis == "chunked":
        return (m <= n) & (tm == tn)
    if axis == "spatial":
        near = (tn - tm >= 0) & (tn - tm <= lookback)
        return near & (m <= n) if causal else near
    if axis == "temporal" and pattern == "summary":
        return (m == n) | ((sm == frame_size - 1) & (tm < tn))
    if axis == "temporal" and pattern == "strided":
        return (sm == sn) & (tm <= tn)
    raise ValueError(f"no axis '{axis}' with pattern '{pattern}'")


def frame_affinity(q, k, group, frame_size):
    """[batch, kv heads, tokens, frames]: how much query n is drawn to the earlier frame j, -inf to its own and later ones.

    The sum over the query heads h of a key/value head, and over i, of the largest q_hi(n) k_i(m) of the sites m of j: no
    smaller than q_h(n) . k(m) of any of them, summed over h. Tang et al. 2024, "Quest", arXiv:2406.10774.
    """
    tokens = q.shape[2]
    whole = tokens // frame_size
    sites = k[:, ::group, :whole * frame_size].unflatten(2, (whole, frame_size))            # [batch, kv, frames, S, dim]
    q = q.unflatten(1, (-1, group))                                                         # [batch, kv, group, tokens, dim]
    affinity = (q.clamp(min=0).sum(2) @ sites.amax(3).transpose(2, 3)
                + q.clamp(max=0).sum(2) @ sites.amin(3).transpose(2, 3))
    return affinity.masked_fill(torch.arange(whole) >= torch.arange(tokens)[:, None] // frame_size, -torch.inf)


def routed_frames(q, k, group, frame_size, top_k):
    """int64 [batch, kv heads, tokens, top_k]: the frames with the largest affinity, -1 where there are fewer.

    Of equal ones the earlier frame counts more. All query heads of a key/value head choose alike.
    """
    order = torch.sort(frame_affinity(q, k, group, frame_size).detach(), stable=True, dim=-1, descending=True)
    chosen = order.indices[..., :top_k].masked_fill(order.values[..., :top_k] == -torch.inf, -1)
    return F.pad(chosen, (0, max(0, top_k - chosen.shape[-1])), value=-1)


def routed_keys(q, k, group, frame_size, top_k):
    """bool [batch, heads, tokens, tokens]: the keys of the chosen frames, and the query's own."""
    tokens = q.shape[2]
    chosen = routed_frames(q, k, group, frame_size, top_k).repeat_interleave(group, 1)
    frames = (tokens + frame_size - 1) // frame_size
    seen = torch.zeros(*chosen.shape[:3], frames + 1, dtype=torch.bool)
    seen = seen.scatter(-1, torch.where(chosen < 0, frames, chosen), True)[..., :frames]
    return seen.repeat_interleave(frame_size, -1)[..., :tokens] | torch.eye(tokens, dtype=torch.bool)


def rotate(x, position, theta):
    """RoPE on half-split pairs (i, i + d/2). x: [batch, heads, tokens, d], position: [tokens]."""
    half = x.shape[-1] // 2
    angle = position[:, None] * theta ** (-torch.arange(half, dtype=torch.float64) / half)  # [tokens, d/2]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Attention(nn.Module):
    """One fused projection, cut in axes: each axis has its own heads, its own positions and its own mask.

    3d: spatial heads first, then temporal. full and chunked are a single axis.
    """

    def __init__(self, config):
        super().__init__()
        a, hidden = config.attention, config.hidden_size
        self.head_dim, self.theta, self.frame_size = a.head_dim, config.rope_theta, config.sites
        if a.kind == "3d":
            self.axes = [("spatial", a.spatial), ("temporal", a.temporal)]
        else:
            self.axes = [(a.kind, a)]
        self.q_proj = linear(hidden, a.query_heads * a.head_dim)
        self.k_proj = linear(hidden, a.kv_heads * a.head_dim)
        self.v_proj = linear(hidden, a.kv_heads * a.head_dim)
        self.o_proj = linear(a.query_heads * a.head_dim, hidden)
        self.masks = {}

    def mask(self, name, axis, tokens):
        if (name, tokens) not in self.masks:
            self.masks[name, tokens] = allowed_keys(name, tokens, self.frame_size, getattr(axis, "lookback", None),
                                                    getattr(axis, "causal", True), getattr(axis, "pattern", None))
        return self.masks[name, tokens]

    def forward(self, x):                                                        # [batch, tokens, hidden]
        tokens = x.shape[1]
        def heads(projection):                                                   # [batch, heads, tokens, head_dim]
            return projection(x).unflatten(2, (-1, self.head_dim)).transpose(1, 2)
        q, k, v = heads(self.q_proj), heads(self.k_proj), heads(self.v_proj)
        out, q_begin, kv_begin = [], 0, 0
        for name, axis in self.axes:
            n = torch.arange(tokens, dtype=torch.float64)
            position = n // self.frame_size if name == "temporal" else n
            qs = rotate(q[:, q_begin:q_begin + axis.num_heads], position, self.theta)
            ks = rotate(k[:, kv_begin:kv_begin + axis.num_kv_heads], position, self.theta)
            vs = v[:, kv_begin:kv_begin + axis.num_kv_heads]
            group = axis.num_heads // axis.num_kv_heads                          # query heads to a key/value head
            out.append(self.mix(name, axis, qs, ks.repeat_interleave(group, 1), vs.repeat_interleave(group, 1)))
            q_begin, kv_begin = q_begin + axis.num_heads, kv_begin + axis.num_kv_heads
        return self.o_proj(torch.cat(out, 1).transpose(1, 2).flatten(2))

    def mix(self, name, axis, q, k, v):                                          # [batch, heads, tokens, head_dim]
        """softmax(q k^T / sqrt(head_dim)) v over the allowed keys"""
        if getattr(axis, "pattern", None) == "routed":
            seen = routed_keys(q, k, axis.num_heads // axis.num_kv_heads, self.frame_size, axis.top_k)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask(name, axis, q.shape[2]))


# --- experts -----------------------------------------------------------------------------------------------------------

class MLP(nn.Module):
    """SwiGLU: down(silu(gate x) * up x). Shazeer 2020, arXiv:2002.05202."""

    def __init__(self, hidden, intermediate):
        super().__init__()
        self.gate_proj = linear(hidden, intermediate)
        self.up_proj = linear(hidden, intermediate)
        self.down_proj = linear(intermediate, hidden)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Experts(nn.Module):
    """The SwiGLU experts of a layer, stacked: gate and up [experts, ffn, hidden], down [experts, hidden, ffn]."""

    def __init__(self, experts, hidden, ffn):
        super().__init__()
        self.gate_proj = nn.Parameter(torch.randn(experts, ffn, hidden) * hidden ** -0.5)
        self.up_proj = nn.Parameter(torch.randn(experts, ffn, hidden) * hidden ** -0.5)
        self.down_proj = nn.Parameter(torch.randn(experts, hidden, ffn) * ffn ** -0.5)

    def forward(self, x, chosen):
        """Y [rows, width, hidden]: Y[n, i] = expert chosen[n, i] of x[n]; zero where chosen is -1.

        Assignments are sorted by expert, so each expert is one product over all of its rows.
        """
        experts, width = self.gate_proj.shape[0], chosen.shape[1]
        load = torch.bincount(chosen.flatten() + 1, minlength=experts + 1).tolist()
        order = chosen.flatten().argsort(stable=True)[load[0]:]                  # assignments, by expert; -1 dropped
        inputs = x.index_select(0, order // width).split(load[1:])
        outputs = []
        for rows, gate, up, down in zip(inputs, self.gate_proj, self.up_proj, self.down_proj):
            outputs.append(F.linear(F.silu(F.linear(rows, gate)) * F.linear(rows, up), down))
        y = torch.cat(outputs)
        return y.new_zeros(chosen.numel(), x.shape[1]).index_copy(0, order, y).view(*chosen.shape, -1)


class ExpertAttention(nn.Module):
    """The third axis: the chosen experts of one token look at each other's outputs.

        U = RMSNorm(Y);  Z = MultiHead(U W_q, U W_k, U W_v) over the chosen;  result = (sum_i g_i Z_i) W_o

    With W_o = 0, where training starts, the layer is the plain mixture.
    """

    def __init__(self, config, hidden, eps):
        super().__init__()
        self.heads, inner = config.num_heads, config.num_heads * config.head_dim
        self.norm = RMSNorm(hidden, eps)
        self.q_proj, self.k_proj, self.v_proj = (linear(hidden, inner) for _ in range(3))
        self.o_proj = linear(inner, hidden)
        nn.init.zeros_(self.o_proj.weight)

    def forward(self, y, g, chosen):                            # y: [rows, width, hidden], g: [rows, width]
        u = self.norm(y)
        q, k, v = (p(u).unflatten(2, (self.heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        score = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5                        # [rows, heads, width, width]
        share = score.float().masked_fill((chosen < 0)[:, None, None, :], -torch.inf).softmax(-1)
        z = (share @ v).transpose(1, 2).flatten(2)                                # [rows, width, heads * head_dim]
        return self.o_proj((g[:, :, None] * z).sum(1))


class MoE(nn.Module):
    """y = sum_i g_i Y_i + (sum_i g_i Z_i) W_o + shared_experts(x)."""

    def __init__(self, config, layer):
        super().__init__()
        m, hidden = config.moe, config.hidden_size
        self.router = make_router(m.router, hidden, m.num_experts, layer, config.vocab_size)
        self.experts = Experts(m.num_experts, hidden, m.intermediate_size)
        self.shared_experts = MLP(hidden, m.num_shared_experts * m.intermediate_size) if m.num_shared_experts else None
        self.expert_attention = (ExpertAttention(m.expert_attention, hidden, config.rms_norm_eps)
                                 if m.expert_attention else None)
        self.chosen = None                                                        # of the last forward, for statistics

    def forward(self, x, context):                                                # [rows, hidden]
        chosen, g = self.router(x, context)
        self.chosen = chosen
        y = self.experts(x, chosen)
        out = (g[:, :, None] * y).sum(1)
        if self.expert_attention is not None:
            out = out + self.expert_attention(y, g, chosen)
        if self.shared_experts is not None:
            out = out + self.shared_experts(x)
        return out


# --- the whole model ---------------------------------------------------------------------------------------------------

class Layer(nn.Module):
    def __init__(self, config, index, dropout, attention):
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = attention(config)
        self.moe_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        if index < config.moe.first_dense_layers:
            self.mlp, self.moe = MLP(config.hidden_size, config.moe.dense_intermediate_size), None
        else:
            self.mlp, self.moe = None, MoE(config, index)
        self.dropout = nn.Dropout(dropout)                                        # training only

    def forward(self, h, context):                                                # [batch, tokens, hidden]
        h = h + self.dropout(self.attention(self.attention_norm(h)))
        x = self.moe_norm(h)
        y = self.mlp(x) if self.moe is None else self.moe(x.flatten(0, 1), context).view_as(h)
        return h + self.dropout(y)


class Model(nn.Module):
    def __init__(self, config, dropout=0.0, attention=Attention):
        super().__init__()
        self.config = config
        hidden = config.hidden_size
        if config.input.kind == "tokens":
            self.embed_tokens = nn.Embedding(config.vocab_size, hidden)
            nn.init.normal_(self.embed_tokens.weight, std=0.02)
        else:
            self.embed_features = nn.Linear(config.input.num_features, hidden)
            self.embed_sites = nn.Embedding(config.sites, hidden)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(config, i, dropout, attention) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(hidden, config.rms_norm_eps)
        if config.output.kind == "language_model":
            self.lm_head = None if config.tie_word_embeddings else linear(hidden, config.vocab_size)
        else:
            self.head = nn.Linear(hidden, config.output.num_outputs)
        for layer in self.layers:                                                 # residual branches start small
            ends = [layer.attention.o_proj.weight]
            ends += [layer.mlp.down_proj.weight] if layer.moe is None else [layer.moe.experts.down_proj]
            for weight in ends:
                weight.data *= (2 * config.num_hidden_layers) ** -0.5

    def forward(self, inputs):
        """inputs: tokens [batch, tokens], or features [batch, frames, sites, F].

        Returns logits [batch, tokens, vocab], or one row per frame [batch, frames, outputs].
        """
        c = self.config
        if c.input.kind == "tokens":
            h = self.embed_tokens(inputs)
            position = torch.arange(inputs.shape[1]).repeat(inputs.shape[0])
            context = {"token_id": inputs.flatten(), "position": position}
        else:
            batch, frames, sites, _ = inputs.shape
            h = (self.embed_features(inputs) + self.embed_sites.weight).flatten(1, 2)
            columns = inputs.flatten(0, 2).unbind(1)
            context = dict(zip(c.moe.router.features or [], columns))             # raw features, for the rule router
        h = self.dropout(h)
        for layer in self.layers:
            h = layer(h, context)
        h = self.norm(h)
        if c.output.kind == "language_model":
            return F.linear(h, self.embed_tokens.weight if self.lm_head is None else self.lm_head.weight)
        pooled = [frame.mean(1) for frame in h.split(c.sites, dim=1)]             # mean over the sites of each frame
        return self.head(torch.stack(pooled, 1))

    def routed_layers(self):
        """(index, MoE) of the layers that have a router."""
        return [(i, layer.moe) for i, layer in enumerate(self.layers) if layer.moe is not None]
