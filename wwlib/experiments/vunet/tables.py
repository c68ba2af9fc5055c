"""The results of lesson 12 as tables; no other module turns their numbers into text."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import named_run, runs_of
from wwlib.base.table import Result, Table
from wwlib.datasets.puppet import PARTS
from wwlib.experiments.criteria import CRITERIA, criterion, mean_and_range
from wwlib.experiments.records import made_from
from wwlib.experiments.vunet.runs import CASES, CURVE, GAP_SEED, GAPS, REMEDIES, TIMES, load_record

# goals; those of the specification (5, 1, 5, 1 dB; .8 px, .2, .5, .4) were raised where five seeds showed them to be
# easy, and the colour of the worst part is ours
OVER_NO_CODE, SMALL_GAP, LARGE_GAP, OVER_COPYING = 10.0, 1.0, 10.0, 5.0  # dB
JOINTS, HIDDEN_POSE, SHOWN_POSE, SPREAD, COLOUR = 0.5, 0.1, 0.6, 0.5, 0.5
LABELS = {
    "no code": "no code",
    "coarse": "z of 4 × 4",
    "coarse, beta 0": "z of 4 × 4, β = 0",
    "fine": "z and z2 of 8 × 8, a nat of z2 costs 10",
    "fine, one beta": "z and z2, both cost the same",
    "fine, beta 0": "z and z2, β = 0",
}
# of the paper's text and Figures: mean error of joints found again in drawn pictures, pixels of 256
PAPER_JOINTS = {"COCO": ("23.23", "59.26"), "DeepFashion": ("7.34", "15.53"), "Market-1501": ("54.60", "59.59")}


def vunet_values(record: dict, case: str, measure: str) -> np.ndarray:
    """Return one measure `[seeds]` of a case.

    Args:
        record: of every run.
        case: of `CASES`.
        measure: "rebuilt", "transfer" and "gap" in dB, "joints" in pixels, "pose" (the better probe's R^2), "spread"
            and "colour" (of the worst part), or "nats" of both codes.

    Raises:
        ValueError: for an unknown case or measure.
    """
    take = {
        "rebuilt": lambda run: run["scores"]["rebuilt"],
        "transfer": lambda run: run["scores"]["transfer"],
        "gap": lambda run: run["scores"]["rebuilt"] - run["scores"]["transfer"],
        "joints": lambda run: run["scores"]["joints"],
        "pose": lambda run: max(run["scores"]["pose"]),
        "spread": lambda run: min(run["scores"]["spread"]),
        "colour": lambda run: min(run["scores"]["colours"]),
        "nats": lambda run: run["history"][-1]["nats"] + run["history"][-1]["nats2"],
    }
    if measure not in take:
        raise ValueError(f"measure must be one of {tuple(take)}, got {measure!r}")
    return np.array([take[measure](run) for run in runs_of(record, case)])


@made_from(load_record)
def criteria_table(record: dict) -> Table:
    """Every criterion with what the recorded seeds gave, and how many of them meet it."""
    values = lambda case, measure: vunet_values(record, case, measure)  # noqa: E731
    transfer = {case: values(case, "transfer") for case in ("no code", "coarse", "fine", "fine, beta 0")}
    rows = []
    for case, name in (("coarse", "z"), ("fine", "z and z2")):
        rows += [
            criterion(f"{name}: transfer less that without a code, dB", transfer[case] - transfer["no code"],
                      OVER_NO_CODE, True, ".2f"),
            criterion(f"{name}: rebuilt less transfer, dB", values(case, "gap"), SMALL_GAP, False, ".2f"),
            criterion(f"{name}: transfer less that of z and z2 at β = 0, dB",
                      transfer[case] - transfer["fine, beta 0"], OVER_COPYING, True, ".2f"),
            criterion(f"{name}: joints in transferred pictures, px", values(case, "joints"), JOINTS, False, ".2f"),
            criterion(f"{name}: pose read from the code, R²", values(case, "pose"), HIDDEN_POSE, False, ".2f"),
            criterion(f"{name}: spread of sampled colours over true ones, worst part", values(case, "spread"),
                      SPREAD, True, ".2f"),
            criterion(f"{name}: colours after transfer, R² of the worst part", values(case, "colour"),
                      COLOUR, True, ".2f"),
        ]  # fmt: skip
    rows += [
        criterion("z and z2 at β = 0: rebuilt less transfer, dB", values("fine, beta 0", "gap"), LARGE_GAP, True,
                  ".2f"),
        criterion("z and z2 at β = 0: pose read from the code, R²", values("fine, beta 0", "pose"), SHOWN_POSE, True,
                  ".2f"),
    ]  # fmt: skip
    return Table(CRITERIA, rows)


@made_from(load_record)
def case_table(record: dict) -> Table:
    """Every variant, trained alike: how well it rebuilds and transfers, and what its code gives away."""
    rows = []
    for case, label in LABELS.items():
        show = lambda measure, digits, case=case: mean_and_range(vunet_values(record, case, measure), digits)  # noqa: E731
        coded = CASES[case].coarse
        rows.append((label, show("rebuilt", ".1f"), show("transfer", ".1f"), show("gap", ".1f"), show("joints", ".2f"),
                     show("pose", ".2f") if coded else "–", show("nats", ".0f") if coded else "–"))  # fmt: skip
    header = ["model", "rebuilt, dB", "transfer, dB", "gap, dB", "joints, px", "pose from code, R²", "nats"]
    return Table(header, rows)


@made_from(load_record)
def short_table(record: dict) -> Table:
    """What the lesson shows of `case_table`: means over seeds of rebuilt, transfer and gap."""
    rows = []
    for case in ("no code", "coarse", "coarse, beta 0", "fine, beta 0", "fine"):
        mean = lambda measure, case=case: f"{vunet_values(record, case, measure).mean():z.1f}"  # noqa: E731
        rows.append((LABELS[case], mean("rebuilt"), mean("transfer"), mean("gap")))
    return Table(["model", "rebuilt, dB", "transfer, dB", "gap, dB"], rows)


def curve_points(record: dict) -> dict[str, tuple[list[float], list[float]]]:
    """Return, over beta, the mean dB of pictures rebuilt and transferred: name to (betas, values)."""
    runs = {beta: runs_of(record, f"curve: {beta}") for beta in CURVE}
    mean = lambda beta, name: float(np.mean([run["scores"][name] for run in runs[beta]]))  # noqa: E731
    return {name: (list(CURVE), [mean(beta, name) for beta in CURVE]) for name in ("rebuilt", "transfer")}


@made_from(load_record)
def curve_table(record: dict) -> Table:
    """Rebuilding and transfer against beta, with both codes and one price for all nats; what is in the codes."""
    rows = []
    for beta in CURVE:
        run = named_run(record, f"curve: {beta}")
        head = run["scores"]["colours"][PARTS.index("head")]
        nats, pose = run["history"][-1], max(run["scores"]["pose"])
        rows.append((f"{beta:g}", *_distances(run), f"{nats['nats']:.0f}", f"{nats['nats2']:.0f}", f"{head:z.2f}",
                     f"{pose:z.2f}"))  # fmt: skip
    header = ["β", "rebuilt, dB", "transfer, dB", "gap, dB", "nats of z", "nats of z2", "head's colour, R²", "pose, R²"]
    return Table(header, rows)


@made_from(load_record)
def times_table(record: dict) -> Table:
    """When beta rises: from the first step, in time, or in the last tenth of the training."""
    rows = []
    for name in TIMES:
        run = named_run(record, f"times: {name}")
        rows.append((name, *_distances(run), f"{run['scores']['joints']:.2f}", f"{max(run['scores']['pose']):.2f}",
                     f"{min(run['scores']['colours']):.2f}"))  # fmt: skip
    return Table(
        ["β rises", "rebuilt, dB", "transfer, dB", "gap, dB", "joints, px", "pose, R²", "worst colour, R²"], rows
    )


@made_from(load_record)
def plateau_table(record: dict) -> Table:
    """What leaves the grey plateau: each change alone, and all together."""
    rows = []
    for name in REMEDIES:
        run = named_run(record, f"plateau: {name}")
        rebuilt, transfer, _ = _distances(run)
        colours = dict(zip(PARTS, run["scores"]["colours"], strict=True))
        rows.append((name, rebuilt, transfer, f"{run['history'][-1]['nats']:.0f}",
                     *(f"{colours[part]:.2f}" for part in ("head", "torso", "left arm", "left leg"))))  # fmt: skip
    return Table(["change", "rebuilt, dB", "transfer, dB", "nats", "head, R²", "torso, R²", "arm, R²", "leg, R²"], rows)


@made_from(load_record)
def gap_table(record: dict) -> Table:
    """Remedies for the gap of z alone, on the seed whose gap is largest."""
    rows = []
    for name in GAPS:
        run = named_run(record, f"gap: {name}", GAP_SEED)
        rows.append((name, *_distances(run), f"{run['history'][-1]['nats']:.0f}",
                     f"{min(run['scores']['colours']):.2f}"))  # fmt: skip
    return Table(["change", "rebuilt, dB", "transfer, dB", "gap, dB", "nats", "worst colour, R²"], rows)


def _distances(run: dict) -> tuple[str, str, str]:
    rebuilt, transfer = run["scores"]["rebuilt"], run["scores"]["transfer"]
    return f"{rebuilt:.1f}", f"{transfer:.1f}", f"{rebuilt - transfer:z.1f}"


@made_from(load_record)
def paper_table(record: dict) -> Table:
    """The paper's error of joints beside a network without a code, and ours; other pictures, other sizes."""
    rows = [
        (f"{name}: joints, px of 256", ours, f"pix2pix {rival}", "–") for name, (ours, rival) in PAPER_JOINTS.items()
    ]
    true = runs_of(record, "coarse")[0]["scores"]["joints_true"]
    show = lambda case: mean_and_range(vunet_values(record, case, "joints"))  # noqa: E731
    rows.append(("puppets: joints, px of 32", show("coarse"), f"without a code {show('no code')}", f"{true:.2f}"))
    return Table(["what", "Variational U-Net", "another network", "true pictures"], rows)


RESULTS = (
    Result(
        "12",
        "Every criterion",
        "Transfer is scored against the drawn right answer. The gap misses its goal in some seeds of z alone and in "
        "most seeds with z2, though z2 is nearly empty there; every other line is met by every seed.",
        criteria_table,
    ),
    Result(
        "12",
        "The variants in short",
        "Means over five seeds: rebuilding alone does not tell which network transfers.",
        short_table,
    ),
    Result(
        "12",
        "Every variant",
        "With the second, finer code and no price on nats, pictures are rebuilt best and transferred worst: it copies.",
        case_table,
    ),
    Result(
        "12",
        "The gap against β",
        "One seed, both codes, one price for every nat: the gap closes where the finer code is not worth its price.",
        curve_table,
    ),
    Result(
        "12",
        "β too early and too late",
        "One seed, both codes, β = 0.3: what changes when the price comes at once, in time, or at the very end.",
        times_table,
    ),
    Result(
        "12",
        "What leaves the grey plateau",
        "One seed, six independent colours unless the line says otherwise: each change alone, and all together.",
        plateau_table,
    ),
    Result(
        "12",
        "Remedies for the gap",
        "The seed whose gap is largest: a higher price, fewer steps or an earlier price close the gap, and each makes "
        "the transfer worse.",
        gap_table,
    ),
    Result(
        "12",
        "Beside the paper",
        "Other pictures and another reader of joints: only the order within a line compares.",
        paper_table,
    ),
)
