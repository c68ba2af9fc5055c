"""Parts of drawn portraits as tables, for lesson 15; no other module turns their numbers into text."""

from __future__ import annotations

import numpy as np

from wwlib.base.files import load_json
from wwlib.base.paths import DATA
from wwlib.base.shelf import named_run, runs_of
from wwlib.base.table import Result, Table
from wwlib.datasets.portraits import REGIONS
from wwlib.experiments.criteria import mean_and_range
from wwlib.experiments.portrait_parts.runs import BASELINES, METHODS, load_record
from wwlib.experiments.portrait_parts.truth import SCORED
from wwlib.experiments.records import made_from

NAMES = DATA / "lesson11-names.json"  # what a language model called the codes
LABELS = {"slots": "slots of lesson 15", "landmarks": "landmarks of lesson 14"}


def overlap_values(record: dict, case: str, view: str, region: str | None = None) -> np.ndarray:
    """Return the IoU `[seeds]` of a method's parts with the artist's layers.

    Args:
        record: of every run.
        case: of `METHODS`.
        view: "drawn", or "warped" for portraits that are turned, moved, scaled and bent.
        region: "hair", "face" or "clothes"; None for the mean of the three.

    Raises:
        ValueError: for an unknown case.
    """
    scores = [run["scores"][view] for run in runs_of(record, case)]
    return np.array([np.mean([one[name] for name in ((region,) if region else SCORED)]) for one in scores])


@made_from(load_record)
def overlap_table(record: dict) -> Table:
    """Both methods beside what needs no training: IoU with each of the artist's layers, and on warped portraits."""
    rows = []
    for case in METHODS:
        show = lambda view, region=None, case=case: mean_and_range(overlap_values(record, case, view, region))  # noqa: E731
        rows.append((LABELS[case], *(show("drawn", region) for region in SCORED), show("drawn"), show("warped")))
    for name, scores in named_run(record, BASELINES)["scores"].items():
        mean = lambda view, scores=scores: f"{np.mean([scores[view][region] for region in SCORED]):.2f}"  # noqa: E731
        own = (f"{scores['drawn'][region]:.2f}" for region in SCORED)
        rows.append((name, *own, mean("drawn"), mean("warped")))
    return Table(["method", *SCORED, "mean", "mean, warped portraits"], rows)


def by_fit(run: dict) -> list[dict]:
    """Return a run's scores of codes, the code whose changed pixels fit a region best first."""
    return sorted(run["codes"], key=lambda line: -line["region"]["change"])


@made_from(load_record)
def codes_table(record: dict) -> Table:
    """Each active code of lesson 11's generator, and what the segmenter (seed 0) sees where it acts."""
    called, rows = load_json(NAMES)["codes"], []
    for line in by_fit(named_run(record, "slots")):
        region, slot = line["region"], line["slot"]
        rows.append((f"{line['code']}: {called[line['code']]}", f"{line['own']:.2f}",
                     f"{slot['number']}: {slot['change']:.2f}",
                     f"{tuple(REGIONS)[region['number']]}: {region['change']:.2f}", f"{region['next']:.2f}",
                     f"{region['mask']:.2f}"))  # fmt: skip
    header = ["code", "its mask and the pixels that it changes", "changed pixels and best slot",
              "changed pixels and best region", "the same region in the next picture",
              "mask and that region"]  # fmt: skip
    return Table(header, rows)


@made_from(load_record)
def agreement_table(record: dict) -> Table:
    """Means over the active codes, for both methods and all seeds: how well slots and regions fit where codes act."""
    rows = []
    for case in METHODS:
        show = lambda place, name, case=case: mean_and_range(  # noqa: E731
            np.array([np.mean([line[place][name] for line in run["codes"]]) for run in runs_of(record, case)])
        )
        rows.append((LABELS[case], show("slot", "change"), show("region", "change"), show("region", "next"),
                     show("region", "mask")))  # fmt: skip
    header = ["method", "changed pixels and best slot", "changed pixels and best region",
              "the same region in the next picture", "mask and that region"]  # fmt: skip
    return Table(header, rows)


RESULTS = (
    Result(
        "15",
        "Drawings by artists",
        "IoU with the artist's layers over three seeds. Heads stay in the middle, so one map for all portraits does "
        "well as they are drawn, and not when they are warped. In the mean slots beat it on both, but not clusters of "
        "colour that an oracle names: colours of a drawing are flat. Landmarks are blobs, and fall behind.",
        overlap_table,
    ),
    Result(
        "15",
        "Where from a generator, where from a segmenter",
        "IoU over generated portraits, seed 0. Slots agree with the codes of skin and background, little with those of "
        "hair; the next picture's region fits nearly as well, since heads lie alike.",
        codes_table,
    ),
    Result(
        "15",
        "Codes and parts, over seeds",
        "Means over the codes that change more than a twentieth of the pixels: regions fit changed pixels little "
        "better than those of the next picture do.",
        agreement_table,
    ),
)
