# SPDX-License-Identifier: Apache-2.0
"""Associative recall over a long past: pairs of a key and its value lie scattered in filler, later keys are asked for.

    . . 7=2 . . . . . . . 3=5 . . . . . . . . 7? . . . 3? .        the answers: 2 at "7?", 5 at "3?"

After the multi-query associative recall of Arora et al. 2023, "Zoology", arXiv:2312.04927, with two changes. A pair is
one token: joining a key to the token behind it is local work, and what is tested here is the way from the pair to the
question. And the pair of a question is drawn in proportion to 1 / distance, evenly on a logarithmic scale.
"""
from dataclasses import dataclass

import torch

KEYS, VALUES, FILLERS = 64, 8, 16
FIRST_QUESTION = KEYS * VALUES                   # ids: pairs (key * VALUES + value), questions, answers, fillers
FIRST_ANSWER = FIRST_QUESTION + KEYS
FIRST_FILLER = FIRST_ANSWER + VALUES
VOCABULARY = FIRST_FILLER + FILLERS
IGNORED = -100                                   # the target of every position that asks nothing


@dataclass
class Batch:
    tokens: torch.Tensor                         # [batch, tokens] ids
    targets: torch.Tensor                        # [batch, tokens] the answer to the question here, or IGNORED
    source: torch.Tensor                         # [batch, tokens] position of the pair asked for, or -1


def draw(generator, batch, tokens, pairs, questions):
    """`batch` sequences with `pairs` pairs of distinct keys and at most `questions` questions, at random positions.

    A question with no pair before it is replaced by filler.
    """
    if not 1 <= pairs <= KEYS or questions < 1 or pairs + questions > tokens:
        raise ValueError(f"{tokens} tokens: expected 1 to {KEYS} pairs and room for at least one question, "
                         f"found {pairs} and {questions}")
    places = torch.rand(batch, tokens, generator=generator).argsort(1)           # all positions, shuffled
    pair_at, ask_at = places[:, :pairs], places[:, pairs:pairs + questions]
    key = torch.rand(batch, KEYS, generator=generator).argsort(1)[:, :pairs]
    value = torch.randint(VALUES, (batch, pairs), generator=generator)

    distance = ask_at[:, :, None] - pair_at[:, None]                             # [batch, questions, pairs]
    share = (distance > 0) / distance.abs().float()
    asked = (distance > 0).any(2)
    share[~asked] = 1                                                            # any, only to draw something
    picked = torch.multinomial(share.flatten(0, 1), 1, generator=generator).view(batch, questions)

    ids = FIRST_FILLER + torch.randint(FILLERS, (batch, tokens), generator=generator)
    ids.scatter_(1, pair_at, key * VALUES + value)
    ids.scatter_(1, ask_at, torch.where(asked, FIRST_QUESTION + key.gather(1, picked), ids.gather(1, ask_at)))
    targets = torch.full((batch, tokens), IGNORED)
    targets.scatter_(1, ask_at, torch.where(asked, FIRST_ANSWER + value.gather(1, picked), IGNORED))
    source = torch.full((batch, tokens), -1)
    source.scatter_(1, ask_at, torch.where(asked, pair_at.gather(1, picked), -1))
    return Batch(ids, targets, source)
