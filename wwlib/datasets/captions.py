"""Captions of coloured digits: a small grammar, its vocabulary, and captions with the mistakes that people make.

A caption may state digit, ink and paper. It never says where on the paper the digit stands or how it leans.
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
LEFT_OUT = (0.1, 0.1, 0.1)  # how often a caption leaves out each of them
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
        stated: their values; -1 for what the caption leaves out.
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
    sentence = text.format(
        digit="digit" if digit == UNSAID else words.choice((DIGITS[digit], str(digit))),
        ink=INKS[ink],
        paper=words.choice((f"dark {INKS[paper]}", PAPERS[paper])),
    )
    return re.sub(r"\ba (?=orange|eight|8)", "an ", " ".join(sentence.split()))


def leave_out(factors: Tensor, generator: torch.Generator, shares: Sequence[float] = LEFT_OUT) -> Tensor:
    """Return what captions of pictures state, `[n, 3]`: the pictures' factors, some of them replaced by -1.

    Args:
        factors: of `Glyphs`, `[n, 6]`.
        generator: chooses which values are left out.
        shares: how often digit, ink and paper are left out, each in [0, 1].
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
    """Return every word of the grammar with its number, from 1; 0 fills up short captions."""
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
    """Return a caption with words dropped and exchanged as a careless writer does, which still states the same.

    "dark" and the hue after it stay together, since otherwise an ink could become the paper.

    Args:
        caption: of the grammar.
        words: makes the choices.
        drop: probability that a filler such as "a" or "on" is dropped.
        swap: probability that two neighbours change places.
    """
    units = [unit for unit in re.findall(r"dark \S+|\S+", caption) if unit not in FILLERS or words.random() >= drop]
    if len(units) > 1 and words.random() < swap:
        k = words.randrange(len(units) - 1)
        units[k], units[k + 1] = units[k + 1], units[k]
    return " ".join(units)


def random_stated(n: int, generator: torch.Generator, shares: Sequence[float] = (0.25, 0.25, 0.25)) -> Tensor:
    """Return random values of digit, ink and paper for `n` captions, `[n, 3]`; -1, in these shares, for left out."""
    values = torch.stack([torch.randint(size, (n,), generator=generator) for size in SIZES], dim=1)
    return values.masked_fill(torch.rand(n, len(SIZES), generator=generator) < torch.tensor(shares), UNSAID)


def distorted_captions(n: int, generator: torch.Generator, seed: int) -> tuple[Tensor, list[str]]:
    """Return `n` distorted captions and, before them, what they state `[n, 3]`.

    `generator` draws what is stated, `seed` the words.
    """
    words, stated = random.Random(seed), random_stated(n, generator)
    return stated, [distort(write(row, words), words) for row in stated.tolist()]
