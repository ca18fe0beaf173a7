# SPDX-License-Identifier: Apache-2.0
"""The attention of the reference without its masks [tokens, tokens]: queries meet only keys gathered for their frame.

The same sums as Attention in trine_reference/model.py, for long sequences: `full` costs half as much, `chunked` and
`3d` cost what their tables allow. test_recall.py holds the two beside each other.
"""
import torch
import torch.nn.functional as F

from trine_reference.model import Attention


def frames(x, size):
    """[batch, heads, tokens, d] as [batch * heads, frames, size, d]; tokens are whole frames."""
    return x.flatten(0, 1).unflatten(1, (-1, size))


def near(q, k, v, size, lookback):
    """Spatial, causal: frame t meets frames t - lookback to t; before the first frame stand keys that nobody sees."""
    q, k, v = frames(q, size), frames(k, size), frames(v, size)
    count = q.shape[1]

    def neighbours(x):                                                           # [.., frames, (lookback + 1) size, d]
        padded = F.pad(x, (0, 0, 0, 0, lookback, 0))
        return torch.cat([padded[:, i:i + count] for i in range(lookback + 1)], 2)

    n, m = torch.arange(size), torch.arange(-lookback * size, size)              # from the first site of the frame
    begin = size * torch.arange(count)
    seen = (m <= n[:, None]) & (begin[:, None, None] + m >= 0)                   # [frames, size, (lookback + 1) size]
    return F.scaled_dot_product_attention(q, neighbours(k), neighbours(v), attn_mask=seen[None])


def summary(q, k, v, size):
    """Temporal, summary: frame t meets the last sites of frames 0 to t - 1, and every query itself."""
    q, k, v = frames(q, size), frames(k, size), frames(v, size)
    count = q.shape[1]

    def lasts_and_own(x):                                                        # [.., frames, frames + size, d]
        lasts = x[:, None, :, -1].expand(-1, count, -1, -1)
        return torch.cat([lasts, x], 2)

    earlier = torch.ones(count, count, dtype=torch.bool).tril(-1)[:, None].expand(-1, size, -1)
    itself = torch.eye(size, dtype=torch.bool)[None].expand(count, -1, -1)
    seen = torch.cat([earlier, itself], 2)                                       # [frames, size, frames + size]
    return F.scaled_dot_product_attention(q, lasts_and_own(k), lasts_and_own(v), attn_mask=seen[None])


def strided(q, k, v, size):
    """Temporal, strided: every site is a causal sequence over the frames."""
    q, k, v = (frames(x, size).transpose(1, 2) for x in (q, k, v))               # [batch * heads, sites, frames, d]
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


class GatheredAttention(Attention):
    """Whole frames and causal axes only; a frame larger than the sequence is cut to it."""

    def mix(self, name, axis, q, k, v):
        tokens = q.shape[2]
        size = min(self.frame_size, tokens)
        if name == "full":
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if tokens % size != 0 or not getattr(axis, "causal", True) or getattr(axis, "pattern", None) == "routed":
            return super().mix(name, axis, q, k, v)
        if name == "chunked":
            out = near(q, k, v, size, 0)
        elif name == "spatial":
            out = near(q, k, v, size, axis.lookback)
        else:
            out = {"summary": summary, "strided": strided}[axis.pattern](q, k, v, size)
        return out.flatten(1, 2).unflatten(0, q.shape[:2])
