"""The results of lesson 16 as tables; no other module turns their numbers into text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wwlib.base.shelf import runs_of
from wwlib.base.table import Result, Table
from wwlib.datasets.styles.paintings import FAMILIES
from wwlib.datasets.styles.scenes import SHAPES
from wwlib.experiments.criteria import CRITERIA, criterion, mean_and_range, measured
from wwlib.experiments.records import made_from, recorded_cases
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


OURS = ("contrast", "contrast of small crops", "contrast of two paintings")
GOALS = (
    *((case, "families that the judge finds right", "family", FAMILY, True) for case in OURS),
    *((case, "shapes that the judge finds right", "shape", SHAPE, True) for case in OURS),
    *((case, "agreement of hues", "hue", HUE, True) for case in ("paper", *OURS)),
    ("no triplet", "agreement of hues", "hue", NO_HUE, False),
    *((case, "drift with the photo over drift with the reference", "drift", STILL, False) for case in OURS),
    ("no triplet", "drift with the photo over drift with the reference", "drift", MOVES, True),
    *((case, "shapes read from the style code", "shape_from_style", LEAK, False) for case in OURS),
)


@made_from(load_record)
def criteria_table(record: dict) -> Table:
    """Every criterion with what the recorded seeds gave, and how many of them meet it."""
    rows = [
        criterion(f"{case}: {what}", style_values(record, case, measure), limit, low, ".2f")
        for case, what, measure, limit, low in GOALS
    ]
    with_loss, without = (style_values(record, case, "drift_photo") for case in ("contrast", "no disentanglement"))
    what = "drift with the photo over that without the disentanglement loss"
    rows.append(criterion(f"contrast: {what}", with_loss / without, LESS, False, ".2f"))
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


def _shown(values: np.ndarray, digits: str) -> str:
    """Mean and range over seeds, or the number alone where there is one seed."""
    return mean_and_range(values, digits) if len(values) > 1 else f"{values[0]:z{digits}}"


def _lines(record: dict, columns: dict[str, tuple[str, str]], cases: Iterable[str]) -> list[tuple[str, ...]]:
    values = lambda case: (  # noqa: E731
        _shown(style_values(record, case, measure), digits) for measure, digits in columns.values()
    )
    return [(case, *values(case)) for case in cases]


@made_from(load_record)
def case_table(record: dict) -> Table:
    """Every variant, trained alike: what a judge from outside finds, and how far the style code drifts."""
    return Table(["model", *_CASE_COLUMNS], _lines(record, _CASE_COLUMNS, recorded_cases(record, CASES | VARIANTS)))


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
    return Table(["model", *columns], _lines(record, columns, CASES))


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
    return Table(["model", *columns], _lines(record, columns, recorded_cases(record, CASES | VARIANTS)))


@made_from(load_record)
def baseline_table(record: dict) -> Table:
    """What the judge finds in right answers, and in answers that cost nothing."""
    columns = "family", "shape", "hue", "mean_hue"
    answers = runs_of(record, "contrast")[0]["scores"]["baselines"]
    rows = [(name, *(f"{found[column]:z.2f}" for column in columns)) for name, found in answers.items()]
    return Table(["answer", "family", "shape", "hue", "hue of the mean colour"], rows)


@made_from(load_record)
def seed_table(record: dict) -> Table:
    """Every seed of the paper's losses: what the model says of itself, and what the judge finds."""
    columns = {
        "triplet loss": ("triplet", ".2f"),
        "drift with the photo": ("drift_photo", ".3f"),
        "families": ("family", ".2f"),
        "agreement of hues": ("hue", ".2f"),
    }
    values = [[f"{value:{digits}}" for value in style_values(record, "paper", measure)]
              for measure, digits in columns.values()]  # fmt: skip
    seeds = [run["seed"] for run in runs_of(record, "paper")]
    return Table(["seed", *columns], list(zip(map(str, seeds), *values, strict=True)))


RESULTS = (
    Result(
        "16",
        "Every criterion",
        "Missed: with large crops of one painting the shape is read from the style code, in every seed. Small crops, "
        "or crops of two paintings in one style, bring it near to chance: the goal is met in three and in four of five "
        "seeds. With small crops one seed loses the families. The paper's "
        "losses copy the hue in three of five seeds, and one of these three loses the families.",
        criteria_table,
    ),
    Result("16", "Every variant", "What each piece of the loss is good for.", case_table),
    Result(
        "16",
        "What a model says of itself",
        "Its own losses and its own encoder, beside the judge. The two seeds of the paper's losses that paint other "
        "hues have the highest triplet losses of the five, but no loss tells by itself: with contrast every seed "
        "copies the hue, and its fixpoint is worse than theirs. The encoder's reading of drawings shows the wrong "
        "hues too, once it is compared with labelled paintings.",
        collusion_table,
    ),
    Result("16", "Every seed of the paper's losses", "The hue is copied or not, by luck.", seed_table),
    Result(
        "16",
        "What leaks, and angles",
        "The shape that is read from a style code, after each remedy; and the stripes' angle, a second parameter.",
        leak_table,
    ),
    Result("16", "Cheap answers", "What the judge finds in pictures that no model drew.", baseline_table),
)
