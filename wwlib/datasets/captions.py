"""Captions of coloured digits: a small grammar, its vocabulary, and an encoder that learns from text alone.

A caption may state digit, ink and paper, and never says where on the paper the digit stands or how it leans.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from wwlib.datasets.glyphs import HUES

STATED = ("digit", "ink", "paper")
SIZES = (10, HUES, HUES)
UNSAID = -1
LEFT_OUT = (0.1, 0.1, 0.1)  # how often a caption says nothing of each
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
INKS = ("red", "orange", "lime", "green", "mint", "cyan", "blue", "violet", "purple", "pink")
PAPERS = ("maroon", "brown", "olive", "forest", "pine", "teal", "navy", "indigo", "plum", "burgundy")
WORDINGS = (
    "a {ink} {digit} on {paper} paper",
    "{digit} on {paper} paper and in {ink} ink",
    "on {paper} paper a {ink} {digit}",
    "{paper} paper with a {ink} {digit}",
    "a {digit} in {ink} ink on {paper} paper",
    "on {paper} paper and in {ink} ink a {digit}",
)
FILLERS = ("a", "an", "on", "in", "ink", "with", "and")
LONGEST = 16  # words


def write(stated: Sequence[int], words: random.Random) -> str:
    """Return a caption that states digit, ink and paper in words chosen at random.

    Args:
        stated: their values; -1 for what is left unsaid.
        words: chooses wording and synonyms.

    Raises:
        ValueError: if a value does not exist.
    """
    for name, value, size in zip(STATED, stated, SIZES, strict=True):
        if not UNSAID <= value < size:
            raise ValueError(f"stated {name} must be -1 or 0..{size - 1}, got {value}")
    digit, ink, paper = stated
    text = words.choice(WORDINGS)
    if ink == UNSAID:
        text = re.sub(r"( and)?( in)? \{ink\}( ink)?", "", text)
    if paper == UNSAID:
        text = re.sub(r"(\bon )?\{paper\} paper( with| and)?", "", text)
    said = text.format(
        digit="digit" if digit == UNSAID else words.choice((DIGITS[digit], str(digit))),
        ink=INKS[ink],
        paper=words.choice((f"dark {INKS[paper]}", PAPERS[paper])),
    )
    return re.sub(r"\ba (?=orange|eight|8)", "an ", " ".join(said.split()))


def leave_out(factors: Tensor, generator: torch.Generator, shares: Sequence[float] = LEFT_OUT) -> Tensor:
    """Return what captions of pictures state, `[n, 3]`: each value is replaced by -1 with its share of chance.

    Args:
        factors: of `Glyphs`, `[n, 6]`.
        generator: of the choice.
        shares: in [0, 1], for digit, ink and paper.
    """
    stated = factors[:, :3]
    silent = torch.rand(stated.shape, generator=generator) < torch.tensor(shares)
    return stated.masked_fill(silent, UNSAID)


def write_all(stated: Tensor, seed: int) -> list[str]:
    """Return a caption for each row of `stated` `[n, 3]`."""
    words = random.Random(seed)
    return [write(row, words) for row in stated.tolist()]


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """Return every word of the grammar with its number, from 1; 0 is the empty place before a short caption."""
    known = [*DIGITS, *map(str, range(10)), *INKS, *PAPERS, "dark", "digit", "paper", *FILLERS]
    return {word: k + 1 for k, word in enumerate(known)}


def tokens(captions: Sequence[str]) -> Tensor:
    """Return the words of captions as numbers `[n, 16]`, filled up with 0 on the left.

    Raises:
        ValueError: for a word that the grammar does not have, or a caption of no or more than 16 words.
    """
    known, rows = vocabulary(), []
    for caption in captions:
        words = caption.lower().replace(",", " ").split()
        if unknown := [word for word in words if word not in known]:
            raise ValueError(f"captions must use words of the grammar, got {unknown[0]!r} in {caption!r}")
        if not 1 <= len(words) <= LONGEST:
            raise ValueError(f"captions must have 1 to {LONGEST} words, got {len(words)} in {caption!r}")
        rows.append([0] * (LONGEST - len(words)) + [known[word] for word in words])
    return torch.tensor(rows)


def distort(caption: str, words: random.Random, drop: float = 0.2, swap: float = 0.3) -> str:
    """Return a caption badly told: fillers dropped, two neighbours exchanged; what it states is as before.

    "dark" and the hue after it stay together, else an ink could become the paper.

    Args:
        caption: of the grammar.
        words: makes the choices.
        drop: probability that a filler such as "a" or "on" is dropped.
        swap: probability that two neighbours change places.
    """
    told = [unit for unit in re.findall(r"dark \S+|\S+", caption) if unit not in FILLERS or words.random() >= drop]
    if len(told) > 1 and words.random() < swap:
        k = words.randrange(len(told) - 1)
        told[k], told[k + 1] = told[k + 1], told[k]
    return " ".join(told)


def random_stated(n: int, generator: torch.Generator, shares: Sequence[float] = (0.25, 0.25, 0.25)) -> Tensor:
    """Return `n` random things to state, `[n, 3]`; with the given shares each is left unsaid."""
    values = torch.stack([torch.randint(size, (n,), generator=generator) for size in SIZES], dim=1)
    return values.masked_fill(torch.rand(n, len(SIZES), generator=generator) < torch.tensor(shares), UNSAID)


def told_captions(n: int, generator: torch.Generator, seed: int) -> tuple[Tensor, list[str]]:
    """Return what `n` distorted captions state, `[n, 3]`, by `generator`, and the captions, in words by `seed`."""
    words, stated = random.Random(seed), random_stated(n, generator)
    return stated, [distort(write(row, words), words) for row in stated.tolist()]
