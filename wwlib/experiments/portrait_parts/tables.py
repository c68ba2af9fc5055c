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
        "Parts of drawn portraits",
        "Slots are ahead of one map for all portraits, most where portraits are turned and moved, and behind k-means "
        "that a map names: drawings in flat colours are nearly cut by colour alone. Landmarks are too coarse for hair.",
        overlap_table,
    ),
    Result(
        "15",
        "Where codes of a generator act, and where a segmenter cuts",
        "Codes of background and skin act where the segmenter has background and face; codes of hair act in pieces of "
        "it. The next portrait's region fits nearly as well: the agreement is about where a face usually is.",
        codes_table,
    ),
    Result(
        "15", "The same over seeds", "Slots fit where codes act a little better than landmarks do.", agreement_table
    ),
)
