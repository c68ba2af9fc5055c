"""Content and style on drawings by artists as tables, for lesson 16; no other module turns their numbers into text."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import named_run, runs_of
from wwlib.base.table import Result, Table
from wwlib.datasets.styles.artists import ARTISTS, ATTRIBUTES
from wwlib.experiments.artist_styles.runs import BASELINES, CASES, SHIPPED, chance, load_record
from wwlib.experiments.criteria import mean_and_range
from wwlib.experiments.records import made_from, recorded_cases

READ = ("artist", *ATTRIBUTES)


def agreement_values(record: dict, case: str, what: str) -> np.ndarray:
    """Return how often the judge reads what was asked from a case's drawings, `[seeds]`.

    Args:
        record: of every run.
        case: of `CASES`.
        what: "artist", or one of `ATTRIBUTES`.

    Raises:
        ValueError: for an unknown case, or another name.
    """
    if what not in READ:
        raise ValueError(f"what must be one of {READ}, got {what!r}")
    return np.array([run["scores"]["agreement"][READ.index(what)] for run in runs_of(record, case)])


@made_from(load_record)
def agreement_table(record: dict) -> Table:
    """Shares of right answers that a judge reads: drawn by models, drawn by hand, cheap answers, and blind guesses."""
    rows = [
        (f"drawn: {case}", *(mean_and_range(agreement_values(record, case, what)) for what in READ))
        for case in recorded_cases(record, CASES)
    ]
    for name, scores in named_run(record, BASELINES)["scores"].items():
        rows.append((name, *(f"{share:.2f}" for share in scores["agreement"])))
    rows.append(("chance", *(f"{share:.2f}" for share in chance())))
    return Table(["answer", *READ], rows)


@made_from(load_record)
def artist_table(record: dict) -> Table:
    """The shipped case by the artist whose hand is asked for: shares of right answers over seeds."""
    shares = np.array([run["scores"]["by_artist"] for run in runs_of(record, SHIPPED)])  # [seeds, artists, read]
    rows = [
        (artist, *(mean_and_range(shares[:, k, what]) for what in range(len(READ)))) for k, artist in enumerate(ARTISTS)
    ]
    return Table(["hand asked for", *READ], rows)


@made_from(load_record)
def distance_table(record: dict) -> Table:
    """How far pictures lie from real drawings by the artist asked for: those of the training, and right answers."""
    columns = "nearest", "right"
    rows = []
    for case in recorded_cases(record, CASES):
        scores = [run["scores"] for run in runs_of(record, case)]
        rows.append((f"drawn: {case}", *(mean_and_range(np.array([one[c] for one in scores]), ".3f") for c in columns)))
    for name, scores in named_run(record, BASELINES)["scores"].items():
        rows.append((name, *(f"{scores[column]:.3f}" for column in columns)))
    return Table(["answer", "to the nearest drawing of the training", "to the nearest right answer"], rows)


@made_from(load_record)
def leak_table(record: dict) -> Table:
    """How often the judge reads an attribute of the reference where the photo has another one, and what moves.

    The last two columns are distances of drawings: of one photo after two references by one artist, of two photos after
    one reference.
    """
    rows = []
    for case in recorded_cases(record, CASES):
        scores = [run["scores"] for run in runs_of(record, case)]
        leaks = np.array([one["leak"] for one in scores])
        moves = (np.array([one[name] for one in scores]) for name in ("moves_reference", "moves_photo"))
        rows.append((case, *map(mean_and_range, leaks.T), *(mean_and_range(values, ".3f") for values in moves)))
    return Table(["model", *ATTRIBUTES, "another reference", "another photo"], rows)


RESULTS = (
    Result(
        "16",
        "Drawings by artists",
        "How often a judge reads what was asked for, from drawings with attributes that no training saw: the artist of "
        "the reference, the attributes of the photo. A stronger image loss keeps more of the photo and loses the hand. "
        "Mouths are a few pixels wide and do not come over: the judge reads little more than chance.",
        agreement_table,
    ),
    Result("16", "Drawings by artists, by hand", "The shipped case, for each artist that was asked for.", artist_table),
    Result(
        "16",
        "Drawings by artists and their nearest real drawings",
        "Root of the mean squared difference of pixels, black to white is 1. Copies would lie at 0 from a drawing of "
        "the training, good answers at 0 from a right answer. What models draw is far from both: it is no copy, and "
        "no clean drawing. The real drawing nearest to the photo lies nearer to the right answer than any model's.",
        distance_table,
    ),
    Result(
        "16",
        "What leaks from a reference by an artist",
        "How often the reference's value of an attribute is read where the photo has another one, and how far what is "
        "drawn moves with another reference by the same artist and with another photo.",
        leak_table,
    ),
)
