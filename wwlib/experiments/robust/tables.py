"""The results of lesson 13's variants as tables; no other module turns their numbers into text."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import runs_of
from wwlib.base.table import Result, Table
from wwlib.experiments.criteria import CRITERIA, criterion, mean_and_range
from wwlib.experiments.records import made_from
from wwlib.experiments.robust.runs import CASES, REMEDIES, load_record

NAMES = {
    "none": "nothing",
    "noise alone": "noise, fixed",
    "strong adversary": "a strong T",
    "weak adversary": "a weak T",
    "strong full": "a strong T, and noise by distrust",
    "weak full": "a weak T, and noise by distrust",
}
OVERLOOKED, LEAK = 1.0, 0.12  # weak adversary: nats that T overlooks, appearance R^2 that remains
JUDGED, CLEAN = 0.3, 0.1  # full: nats that the judge finds, appearance R^2
RATIO_FULL, RATIO_NONE = 1.3, 1.45  # error of transfers over error of rebuilt pictures
POSE_STRONG, POSE_WEAK = 0.75, 0.65  # R^2 of joints from the pose code, curved probe
STRONG_REMEDIES = tuple(case for case, schedule in REMEDIES.items() if schedule.critic == CASES["strong full"].critic)
# of the paper's figure, read off the plot: median squared error of transfers of sprites
PAPER_ERROR = {"noise alone": ".007", "strong adversary": ".006", "strong full": ".0026"}


def robust_values(runs: list[dict], measure: str) -> np.ndarray:
    """Return one measure `[seeds]` of runs.

    Args:
        runs: of one case.
        measure: "reported" and "watched" (nats, mean of the last tenth of the training), "judged", "overlooked" (judged
            less reported), "gamma", "rebuilt", "transfer" (dB), "ratio", "joints" (pixels), "error" (mean squared, of
            transfers in [0, 1]); "appearance", "pose" and "pose in appearance" are R^2 of curved probes, with
            "straight" before them of linear ones.

    Raises:
        ValueError: for an unknown measure.
    """
    probes = {
        "appearance": "appearance_from_pose",
        "pose": "pose_from_pose",
        "pose in appearance": "pose_from_appearance",
    }
    take = {name: lambda s, name=name: s[name] for name in
            ("reported", "watched", "judged", "gamma", "rebuilt", "transfer", "ratio", "joints")}  # fmt: skip
    take |= {name: lambda s, key=key: s[key][1] for name, key in probes.items()}
    take |= {f"straight {name}": lambda s, key=key: s[key][0] for name, key in probes.items()}
    take |= dict(overlooked=lambda s: s["judged"] - s["reported"], error=lambda s: 10 ** (-s["transfer"] / 10))
    if measure not in take:
        raise ValueError(f"measure must be one of {tuple(take)}, got {measure!r}")
    return np.array([take[measure](run["scores"]) for run in runs])


def _by_case(record: dict, columns: tuple[tuple[str, str], ...]) -> list[tuple[str, ...]]:
    """Rows of a table with a line for each case: its name, mean and range of measures, its number of seeds."""
    rows = []
    for case in CASES:
        runs = runs_of(record, case)
        cells = (mean_and_range(robust_values(runs, measure), digits) for measure, digits in columns)
        rows.append((NAMES[case], *cells, str(len(runs))))
    return rows


@made_from(load_record)
def leak_table(record: dict) -> Table:
    """What T reports, what T' sees, and what a fresh judge finds in the pose code about appearance."""
    columns = (("reported", ".2f"), ("watched", ".2f"), ("judged", ".2f"), ("gamma", ".3f"))
    header = ["what restrains the pose code", "T reports, nats", "T' sees, nats", "a fresh judge finds, nats",
              "γ at the end", "seeds"]  # fmt: skip
    return Table(header, _by_case(record, columns))


@made_from(load_record)
def probe_table(record: dict) -> Table:
    """What probes read from the codes: R^2 of linear and curved probes on unseen pictures."""
    columns = (("straight appearance", ".2f"), ("appearance", ".2f"), ("straight pose", ".2f"), ("pose", ".2f"),
               ("pose in appearance", ".2f"))  # fmt: skip
    header = ["what restrains the pose code", "colours from π, linear", "colours from π, curved",
              "joints from π, linear", "joints from π, curved", "joints from α, curved", "seeds"]  # fmt: skip
    return Table(header, _by_case(record, columns))


@made_from(load_record)
def picture_table(record: dict) -> Table:
    """How near rebuilt pictures and transfers come to the truth."""
    columns = (("rebuilt", ".1f"), ("transfer", ".1f"), ("ratio", ".2f"), ("joints", ".2f"))
    header = ["what restrains the pose code", "rebuilt, dB", "transfer, dB", "error of transfer / of rebuilding",
              "joints after transfer, px", "seeds"]  # fmt: skip
    return Table(header, _by_case(record, columns))


@made_from(load_record)
def criteria_table(record: dict) -> Table:
    """Every criterion with what the recorded seeds gave, and whether all of them met it."""
    rows = []
    for case, what, measure, limit, low in (
        ("none", "nothing restrains: error of transfer over error of rebuilding", "ratio", RATIO_NONE, True),
        ("weak adversary", "a weak T: nats that it overlooks", "overlooked", OVERLOOKED, True),
        ("weak adversary", "a weak T: colours from π, curved R²", "appearance", LEAK, True),
        ("weak full", "weak T and distrust: nats that a judge finds", "judged", JUDGED, False),
        ("weak full", "weak T and distrust: colours from π, curved R²", "appearance", CLEAN, False),
        ("weak full", "weak T and distrust: joints from π, curved R²", "pose", POSE_WEAK, True),
        ("weak full", "weak T and distrust: error of transfer over error of rebuilding", "ratio", RATIO_FULL, False),
        ("strong full", "strong T and distrust: nats that a judge finds", "judged", JUDGED, False),
        ("strong full", "strong T and distrust: colours from π, curved R²", "appearance", CLEAN, False),
        ("strong full", "strong T and distrust: joints from π, curved R²", "pose", POSE_STRONG, True),
        ("strong full", "strong T and distrust: error of transfer over error of rebuilding", "ratio", RATIO_FULL,
         False),
    ):  # fmt: skip
        rows.append(criterion(what, robust_values(runs_of(record, case), measure), limit, low))
    return Table(CRITERIA, rows)


@made_from(load_record)
def remedies_table(record: dict) -> Table:
    """What each remedy changes in what a judge finds, in the noise and in what the noise costs."""
    rows = []
    for case in ("strong full", *STRONG_REMEDIES, "weak full", *(c for c in REMEDIES if c not in STRONG_REMEDIES)):
        runs = runs_of(record, case)
        cells = (mean_and_range(robust_values(runs, measure)) for measure in
                 ("watched", "judged", "gamma", "appearance", "pose", "transfer", "joints"))  # fmt: skip
        rows.append((case, *cells, str(len(runs))))
    header = ["training", "T' sees, nats", "a fresh judge finds, nats", "γ at the end", "colours from π",
              "joints from π", "transfer, dB", "joints, px", "seeds"]  # fmt: skip
    return Table(header, rows)


@made_from(load_record)
def paper_table(record: dict) -> Table:
    """Squared error of transfers in the paper's figure and here; other pictures, so only orders compare."""
    rows = []
    for case in CASES:
        error = robust_values(runs_of(record, case), "error")
        rows.append((NAMES[case], f"about {PAPER_ERROR[case]}" if case in PAPER_ERROR else "–",
                     mean_and_range(error, ".4f")))  # fmt: skip
    return Table(["what restrains the pose code", "paper: sprites, median", "ours: puppets, mean (range)"], rows)


RESULTS = (
    Result(
        "13",
        "Every criterion",
        "What a weak critic overlooks, what distrust closes, and what it costs. The goal for the judge is missed: more "
        "noise would reach it, and lose the pose (see the remedies).",
        criteria_table,
    ),
    Result(
        "13",
        "What three critics find",
        "T, which trains the encoder, reports next to nothing; a fresh judge of the same codes finds far more, also "
        "where T is strong. Noise by distrust leaves the judge a small part of it under a weak T; under a strong T it "
        "does so only in seeds in which T' sees more than T.",
        leak_table,
    ),
    Result(
        "13",
        "What probes read",
        "Little or nothing of the colours can be read from the pose code where noise grows by distrust, and less of "
        "the pose; the appearance code, which nothing restrains, holds pose in every variant.",
        probe_table,
    ),
    Result(
        "13",
        "Pictures",
        "Transfers get no better by noise: only the gap between rebuilt and transferred pictures closes. A strong T "
        "alone draws the best ones.",
        picture_table,
    ),
    Result(
        "13",
        "Remedies",
        "What a judge still finds after the full method, and what changes it.",
        remedies_table,
    ),
    Result(
        "13",
        "Beside the paper",
        "In the paper's figure the full method halves the error of its rivals; on our puppets it does not.",
        paper_table,
    ),
)
