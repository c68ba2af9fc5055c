"""The results of lesson 16 as tables; no other module turns their numbers into text."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import runs_of
from wwlib.base.table import Table
from wwlib.datasets.styles.paintings import FAMILIES
from wwlib.datasets.styles.scenes import SHAPES
from wwlib.experiments.criteria import CRITERIA, criterion, mean_and_range, measured
from wwlib.experiments.records import made_from
from wwlib.experiments.style.runs import CASES, VARIANTS, load_record

# goals of the pilot: shares of right answers, mean cosines of hues, quotients of drifts
FAMILY, SHAPE, HUE, NO_HUE, STILL, MOVES, LESS, LEAK = 0.80, 0.70, 0.90, 0.20, 0.2, 1.0, 1.0, 1 / len(SHAPES) + 0.1

MEASURES = {
    **{name: lambda run, name=name: run["scores"][name]
       for name in ("family", "shape", "hue", "mean_hue", "angle", "variety", "tone", "triplet", "fixpoint", "known",
                    "believed", "drift_photo", "drift_reference")},
    **{family: lambda run, k=k: run["scores"]["hue_by_family"][k] for k, family in enumerate(FAMILIES)},
    "drift": lambda run: run["scores"]["drift_photo"] / run["scores"]["drift_reference"],
    **{name: lambda run, name=name: max(run["scores"][name])
       for name in ("shape_from_style", "shape_from_drawn", "family_from_style")},
}  # fmt: skip


def style_values(record: dict, case: str, measure: str) -> np.ndarray:
    """Return one measure `[seeds]` of a case.

    Args:
        record: of every run.
        case: of `CASES` or `VARIANTS`.
        measure: of `MEASURES`: a score of the record, the hue's agreement in one of `FAMILIES`, the drift with the
            photo over that with the reference ("drift"), or what the better of two readers reads from codes.

    Raises:
        ValueError: for an unknown case or measure.
    """
    return measured(record, case, measure, MEASURES)


@made_from(load_record)
def criteria_table(record: dict) -> Table:
    """Every criterion with what the recorded seeds gave, and how many of them meet it."""
    rows = [
        criterion(f"{case}: {what}", style_values(record, case, measure), limit, low, ".2f")
        for case, what, measure, limit, low in (
            ("contrast", "families that the judge finds right", "family", FAMILY, True),
            ("contrast", "shapes that the judge finds right", "shape", SHAPE, True),
            ("contrast", "agreement of hues", "hue", HUE, True),
            ("no triplet", "agreement of hues", "hue", NO_HUE, False),
            ("contrast", "drift with the photo over drift with the reference", "drift", STILL, False),
            ("no triplet", "drift with the photo over drift with the reference", "drift", MOVES, True),
            ("contrast", "shapes read from the style code", "shape_from_style", LEAK, False),
        )
    ]
    with_loss, without = (style_values(record, case, "drift_photo") for case in ("contrast", "no disentanglement"))
    seeds = min(len(with_loss), len(without))
    share, what = with_loss[:seeds] / without[:seeds], "drift with the photo over that without the disentanglement loss"
    rows.append(criterion(f"contrast: {what}", share, LESS, False, ".2f"))
    return Table(CRITERIA, rows)


_CASE_COLUMNS = {
    "family": ("family", ".2f"),
    "shape": ("shape", ".2f"),
    "hue": ("hue", ".2f"),
    **{f"hue: {family}": (family, ".2f") for family in FAMILIES},
    "variety": ("variety", ".2f"),
    "drift, photo": ("drift_photo", ".3f"),
    "drift, reference": ("drift_reference", ".3f"),
}


def _table_of(record: dict, cases: list[str], columns: dict[str, tuple[str, str]]) -> Table:
    rows = [
        (case, *(mean_and_range(style_values(record, case, measure), digits) for measure, digits in columns.values()))
        for case in cases
    ]
    return Table(["model", *columns], rows)


@made_from(load_record)
def case_table(record: dict) -> Table:
    """Every variant, trained alike: what a judge from outside finds, and how far the style code drifts."""
    return _table_of(record, list(CASES), _CASE_COLUMNS)


@made_from(load_record)
def collusion_table(record: dict) -> Table:
    """What a model says of itself beside what a judge finds: losses, and hues read by its own encoder."""
    columns = {
        "triplet loss": ("triplet", ".3f"),
        "fixpoint": ("fixpoint", ".3f"),
        "hue: its encoder on references": ("known", ".2f"),
        "hue: its encoder on drawings": ("believed", ".2f"),
        "hue: the judge on drawings": ("hue", ".2f"),
        "hue: mean colour of drawings": ("mean_hue", ".2f"),
    }
    return _table_of(record, list(CASES), columns)


@made_from(load_record)
def leak_table(record: dict) -> Table:
    """How often the shape is read from a style code, in every variant and after every remedy that is recorded."""
    columns = {
        "shape from style": ("shape_from_style", ".2f"),
        "shape from style of drawings": ("shape_from_drawn", ".2f"),
        "family from style": ("family_from_style", ".2f"),
        "family": ("family", ".2f"),
        "shape": ("shape", ".2f"),
        "hue": ("hue", ".2f"),
        "stripes' angle": ("angle", ".2f"),
    }
    made = {run["case"] for run in record["runs"]}
    return _table_of(record, [*CASES, *(case for case in VARIANTS if case in made)], columns)


@made_from(load_record)
def baseline_table(record: dict) -> Table:
    """What the judge finds in right answers, and in answers that cost nothing."""
    columns = "family", "shape", "hue", "mean_hue"
    answers = runs_of(record, "contrast")[0]["scores"]["baselines"]
    rows = [(name, *(f"{found[column]:z.2f}" for column in columns)) for name, found in answers.items()]
    return Table(["answer", "family", "shape", "hue", "hue of the mean colour"], rows)
