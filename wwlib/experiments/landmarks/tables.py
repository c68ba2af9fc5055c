"""The results of lesson 14 as tables; no other module turns their numbers into text."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import runs_of
from wwlib.base.table import Result, Table
from wwlib.experiments.criteria import CRITERIA, criterion, mean_and_range, measured
from wwlib.experiments.landmarks.runs import CASES, load_record
from wwlib.experiments.records import made_from

# goals of the pilot: shares of a baseline's error, pixels, shares of a change's energy, dB, R^2
OF_MEAN_POSE, OF_UNTRAINED, OF_FOREGROUND = 0.35, 0.45, 0.65
MOVED, OF_STANDING, RECOLOURED, FOLLOWS = 0.8, 0.35, 0.4, 2.0
INSIDE, NEAR, SIZE, COVERED, OVER_COPYING = 0.75, 0.93, 0.6, 5, 5.0
JOINTS_WORSE, MOVED_WORSE, LEAK, NO_LEAK, COLOUR, NO_COLOUR = 1.8, 3.0, 5.0, 2.0, 0.4, 0.2


def _parts(run: dict, name: str) -> float:
    return float(np.mean([part[name] for part in run["scores"]["parts"].values()]))


MEASURES = {
    **{name: lambda run, name=name: run["scores"][name]
       for name in ("joints", "equivariance", "recolour", "spread", "rebuilt", "transfer", "colours")},
    "of mean pose": lambda run: run["scores"]["joints"] / run["scores"]["mean_pose"],
    "of untrained": lambda run: run["scores"]["joints"] / run["scores"]["untrained"]["joints"],
    "of foreground": lambda run: run["scores"]["joints"] / run["scores"]["foreground"],
    "of standing": lambda run: run["scores"]["equivariance"] / run["scores"]["equivariance_still"],
    "over copying": lambda run: run["scores"]["transfer"] - run["scores"]["copied"],
    "gap": lambda run: run["scores"]["rebuilt"] - run["scores"]["transfer"],
    **{name: lambda run, name=name: _parts(run, name) for name in ("inside", "near", "size")},
    "covered": lambda run: len(run["scores"]["parts"]),
}  # fmt: skip


def landmark_values(record: dict, case: str, measure: str) -> np.ndarray:
    """Return one measure `[seeds]` of a case.

    Args:
        record: of every run.
        case: of `CASES`.
        measure: of `MEASURES`: a score of the record, a score as a share of a baseline's ("of ..."), or a mean over the
            parts that a landmark lies on ("inside", "near", "size"), whose number is "covered".

    Raises:
        ValueError: for an unknown case or measure.
    """
    return measured(record, case, measure, MEASURES)


def _ratios(record: dict, free: str, than: str, measure: str) -> np.ndarray:
    """Return one measure of a case over that of another, for each seed that both have: a record may be half made."""
    values = [{run["seed"]: MEASURES[measure](run) for run in runs_of(record, case)} for case in (free, than)]
    return np.array([values[0][seed] / values[1][seed] for seed in sorted(values[0].keys() & values[1].keys())])


@made_from(load_record)
def criteria_table(record: dict) -> Table:
    """Every criterion with what the recorded seeds gave, and how many of them meet it."""
    rows = [
        criterion(what, landmark_values(record, "full", measure), limit, low, digits)
        for what, measure, limit, low, digits in (
            ("joints: error over that of the mean pose", "of mean pose", OF_MEAN_POSE, False, ".2f"),
            ("joints: error over an untrained network's", "of untrained", OF_UNTRAINED, False, ".2f"),
            ("joints: error over that from the foreground's moments", "of foreground", OF_FOREGROUND, False, ".2f"),
            ("equivariance: error, px", "equivariance", MOVED, False, ".2f"),
            ("equivariance: error over that of standing still", "of standing", OF_STANDING, False, ".2f"),
            ("recolouring: shift, px", "recolour", RECOLOURED, False, ".2f"),
            ("landmarks: spread over pictures, px", "spread", FOLLOWS, True, ".1f"),
            ("exchanged part: change inside it", "inside", INSIDE, True, ".2f"),
            ("exchanged part: change inside it and one pixel more", "near", NEAR, True, ".2f"),
            ("exchanged part: size of the change over the right one's", "size", SIZE, True, ".2f"),
            ("parts that a landmark lies on", "covered", COVERED, True, ".0f"),
            ("transfer less copying, dB", "over copying", OVER_COPYING, True, ".1f"),
        )
    ]
    hidden, jittered = "raw maps, no jitter", "raw maps, jitter"
    worse = lambda free, than, measure: _ratios(record, free, than, measure)  # noqa: E731
    for free, than in (("no equivariance", "full"), ("coordinates, no equivariance", "coordinates")):
        rows += [
            criterion(f"{free}: joints, times worse", worse(free, than, "joints"), JOINTS_WORSE, True, ".1f"),
            criterion(f"{free}: equivariance, times worse", worse(free, than, "equivariance"), MOVED_WORSE, True,
                      ".1f"),
        ]  # fmt: skip
    rows += [
        criterion(f"{hidden}: rebuilt less transfer, dB", landmark_values(record, hidden, "gap"), LEAK, True, ".1f"),
        criterion(f"{jittered}: rebuilt less transfer, dB", landmark_values(record, jittered, "gap"), NO_LEAK, False,
                  ".1f"),
        criterion(f"{hidden}: colours read from the maps, R²", landmark_values(record, hidden, "colours"), COLOUR, True,
                  ".2f"),
        criterion(f"{jittered}: colours read from the maps, R²", landmark_values(record, jittered, "colours"),
                  NO_COLOUR, False, ".2f"),
    ]  # fmt: skip
    return Table(CRITERIA, rows)


@made_from(load_record)
def case_table(record: dict) -> Table:
    """Every variant, trained alike: landmarks, exchanged parts, and what the shape gives away."""
    columns = {
        "joints, px": ("joints", ".2f"),
        "equivariance, px": ("equivariance", ".2f"),
        "recolour, px": ("recolour", ".2f"),
        "spread, px": ("spread", ".1f"),
        "colours from shape, R²": ("colours", ".2f"),
        "inside": ("inside", ".2f"),
        "and one px": ("near", ".2f"),
        "size": ("size", ".2f"),
        "rebuilt, dB": ("rebuilt", ".1f"),
        "transfer, dB": ("transfer", ".1f"),
        "parts": ("covered", ".1f"),
    }
    rows = [
        (
            case,
            *(mean_and_range(landmark_values(record, case, measure), digits) for measure, digits in columns.values()),
        )
        for case in CASES
    ]
    return Table(["model", *columns], rows)


RESULTS = (
    Result(
        "14",
        "Every criterion",
        "Landmarks know the joints, move with the picture and not with its colours. Where a limb has no landmark of "
        "its own, its look goes with a neighbour's, and the goals for exchanged parts are missed; twelve landmarks "
        "meet them (see the variants). Without equivariance our reader loses less than we expected, unless it is told "
        "where each pixel lies.",
        criteria_table,
    ),
    Result(
        "14",
        "Every variant",
        "Raw maps without jitter rebuild best and transfer worst: the shape tells the colours. A reader that is told "
        "where pixels lie and is not asked for equivariance has landmarks of which some never move: colours do not "
        "move them either. Without separation and trace the end is much the same; the way there is longer.",
        case_table,
    ),
)
