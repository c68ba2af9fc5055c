"""What lesson 18's runs say, as tables: the only place where their numbers become text."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import runs_of
from wwlib.base.table import Result, Table
from wwlib.experiments.criteria import CRITERIA, criterion, mean_and_range
from wwlib.experiments.invariances.attacks import ATTACKED, EPSILON, LARGE, SURE
from wwlib.experiments.invariances.runs import BLOCKS, LAYERS, MOMENTS, LayerCase, load_record

FIRST, LAST = MOMENTS[0], MOMENTS[-1]
RISE, FALL = 0.25, 0.15  # of S of the digit and of the paper, from the first moment to the last
KEPT, ENTROPY = 0.9, 0.9  # share of predictions that stay; entropy of colours as a share of the data's
FOOLED = 0.7

# of the paper: table images and figures of its project page
PAPER_TIME = {"digit": ("2.57 %", "36.08 %"), "paper": ("38.44 %", "2.76 %")}
PAPER_OPEN = {"input": "11.82 %", "conv": "7.22 %", "fc": "49.59 %", "logits": "84.77 %"}
PAPER_FID = {"conv5": ("23.6", "25.2"), "fc8": ("26.4", "36.1"), "output": ("27.4", "352.6")}


def _scores(record: dict, moment: int, layer: str, spoilt: str = "") -> list[dict]:
    return [run["scores"] for run in runs_of(record, LayerCase(moment, layer, spoilt).case)]


def shares_of(record: dict, moment: int, layer: str, block: str, spoilt: str = "") -> np.ndarray:
    """Return S of one block, or of the whole "code", over seeds `[seeds]`.

    Args:
        record: of `wwlib.experiments.invariances.runs`.
        moment, layer, spoilt: as in `LayerCase`.
        block: one of `BLOCKS`, or "code".

    Raises:
        ValueError: for an unknown block.
    """
    if block not in (*BLOCKS, "code"):
        raise ValueError(f"block must be one of {(*BLOCKS, 'code')}, got {block!r}")
    return np.array([scores["shares"][block] for scores in _scores(record, moment, layer, spoilt)])


def attacks_of(record: dict, layer: str, measure: str) -> np.ndarray:
    """Return one measure of the attack, such as "wrong" or "true", for a layer at the last moment, over seeds."""
    return np.array([scores["attack"][measure] for scores in _scores(record, LAST, layer)])


def measures(record: dict) -> dict[str, tuple[np.ndarray, float]]:
    """Return every criterion of the specification: its values over seeds, and the least that is wanted."""
    at_logits = _scores(record, LAST, "logits")
    open_shares = np.array([1 - shares_of(record, LAST, layer, "code") for layer in LAYERS])
    entropy = [min(s["entropy"][name] / s["data_entropy"][name] for name in ("ink", "paper")) for s in at_logits]
    change = {name: shares_of(record, LAST, "logits", name) - shares_of(record, FIRST, "logits", name)
              for name in ("digit", "paper")}  # fmt: skip
    found = {
        "logits: rise of S of the digit during training": (change["digit"], RISE),
        "logits: fall of S of the paper during training": (-change["paper"], FALL),
        "1 − S of the whole code: increase from conv1 to logits": (open_shares[-1] - open_shares[0], 0),
        "1 − S of the whole code: least increase between neighbouring layers": (
            np.diff(open_shares, axis=0).min(axis=0),
            0,
        ),
        "samples from logits: predicted class unchanged": (np.array([s["prediction_kept"] for s in at_logits]), KEPT),
        "samples from logits: entropy of the colours over that of the data": (np.array(entropy), ENTROPY),
        "samples from attacked logits: judged as the wrong class": (attacks_of(record, "logits", "wrong"), FOOLED),
        "samples from attacked conv1: judged as the true class": (attacks_of(record, "conv1", "true"), FOOLED),
    }
    for layer, what, kinds in (
        ("logits", "wrong", {"attack_sure": "large step, sure of it", "attack_seen": "the same, seen by another"}),
        ("conv1", "true", {"attack": "all attacks", "attack_seen": "large step, sure, seen by another"}),
    ):
        for kind, label in kinds.items():
            values = [run["scores"][kind][what] for run in runs_of(record, f"attack {layer}")]
            title = f"– attacked {layer}, trained longer, {label}: judged as the {what} class"
            found[title] = (np.array(values), FOOLED)
    return found


def criteria_table(record: dict | None = None) -> Table:
    """Every criterion with what the recorded seeds gave, and how many of them met it."""
    found = measures(record or load_record())
    return Table(CRITERIA, [criterion(what, values, limit, True) for what, (values, limit) in found.items()])


def time_table(record: dict | None = None) -> Table:
    """S of digit, ink and paper at the logits, and the classifier's accuracy, at each moment of its training."""
    record, rows = record or load_record(), []
    for moment in MOMENTS:
        runs = runs_of(record, LayerCase(moment, "logits").case)
        accuracy = np.array([run["accuracy"] for run in runs])
        shares = (mean_and_range(shares_of(record, moment, "logits", name)) for name in BLOCKS[1:])
        rows.append((moment, mean_and_range(accuracy), *shares))
    rows.append(("– all of the code known", "", *(f"{record['ceiling'][name]:.2f}" for name in BLOCKS[1:])))
    return Table(["steps of training", "accuracy", *(f"S of the {name}" for name in BLOCKS[1:])], rows)


def layer_table(record: dict | None = None) -> Table:
    """S of every block and 1 − S of the whole code, for every layer at the last moment."""
    record, rows = record or load_record(), []
    for layer in LAYERS:
        shares = (mean_and_range(shares_of(record, LAST, layer, name)) for name in BLOCKS)
        rows.append((layer, *shares, mean_and_range(1 - shares_of(record, LAST, layer, "code"))))
    known = record["ceiling"]
    rows.append(("– all of the code known", *(f"{known[name]:.2f}" for name in BLOCKS), f"{1 - known['code']:.2f}"))
    return Table(["layer", *(f"S of the {name}" for name in BLOCKS), "1 − S of the whole code"], rows)


def first_table(record: dict | None = None) -> Table:
    """S of digit, ink and paper for every layer at the first and the last moment, mean over seeds."""
    record, rows = record or load_record(), []
    for layer in LAYERS:
        found = ([shares_of(record, moment, layer, name).mean() for name in BLOCKS[1:]] for moment in (FIRST, LAST))
        rows.append((layer, *(" / ".join(f"{share:.2f}" for share in shares) for shares in found)))
    return Table(["S of digit / ink / paper", f"after {FIRST} steps", f"after {LAST} steps"], rows)


def attack_table(record: dict | None = None) -> Table:
    """What samples from each attacked layer show, by the judge, over pictures whose attack succeeds."""
    record = record or load_record()
    rows = [
        (layer, *(mean_and_range(attacks_of(record, layer, what)) for what in ("true", "wrong"))) for layer in LAYERS
    ]
    rows.append(
        ("– the judge, on the attacked picture itself", mean_and_range(attacks_of(record, "logits", "judge_true")), "")
    )
    return Table(["samples from", "judged as the true digit", "judged as what the classifier said"], rows)


def thorough_table(record: dict | None = None) -> Table:
    """Attacks seen by flows that trained longer and with noise, by step and by which attacks count."""
    record, rows = record or load_record(), []
    labels = {"attack": f"ε = {EPSILON:g}, all that succeed", "attack_large": f"ε = {LARGE:g}, all that succeed",
              "attack_sure": f"ε = {LARGE:g}, sure of it (≥ {SURE:g})",
              "attack_seen": f"ε = {LARGE:g}, sure of it, and another network sees the truth"}  # fmt: skip
    for layer in ATTACKED:
        runs = runs_of(record, f"attack {layer}")
        for name, label in labels.items():
            found = [run["scores"][name] for run in runs]
            shown = (mean_and_range(np.array([f[what] for f in found])) for what in ("true", "wrong"))
            rows.append((layer, label, f"{np.mean([f['succeeded'] / f['tried'] for f in found]):.2f}", *shown))
    header = ["samples from", "attacks", "share of pictures", "judged as the true digit",
              "judged as what the classifier said"]  # fmt: skip
    return Table(header, rows)


def ablation_table(record: dict | None = None) -> Table:
    """The same flow at the last logits with the condition spoilt, and an almost untrained classifier beside it."""
    record, rows = record or load_record(), []
    cases = {"logits": (LAST, ""), "logits of other pictures": (LAST, "shuffled"),
             "softmax of the logits": (LAST, "softmax"), f"logits after {FIRST} steps": (FIRST, "")}  # fmt: skip
    for label, (moment, spoilt) in cases.items():
        nll = np.array([scores["nll"] for scores in _scores(record, moment, "logits", spoilt)])
        shares = (mean_and_range(shares_of(record, moment, "logits", name, spoilt)) for name in (*BLOCKS[1:], "code"))
        rows.append((label, *shares, mean_and_range(nll, ".1f")))
    names = (*(f"S of the {name}" for name in BLOCKS[1:]), "S of the whole code")
    return Table(["condition", *names, "−log p(code | condition), nats"], rows)


def said_and_measured(record: dict | None = None) -> Table:
    """What the paper reports beside what our miniature gave; other data and networks: only orders compare."""
    record = record or load_record()
    percent = lambda moment, name: f"{100 * shares_of(record, moment, 'logits', name).mean():.0f} %"  # noqa: E731
    rows = [
        (f"S of the {ours} in training, early → late", " → ".join(PAPER_TIME[ours]),
         f"{percent(FIRST, ours)} → {percent(LAST, ours)}")
        for ours in PAPER_TIME
    ]  # fmt: skip
    left = {layer: f"{100 * (1 - shares_of(record, LAST, layer, 'code')).mean():.0f} %" for layer in LAYERS}
    by_depth = [" → ".join(f"{layer} {value}" for layer, value in found.items()) for found in (PAPER_OPEN, left)]
    rows += [
        ("variance of the whole code due to the invariance, by depth (paper: an attacked ResNet-101)", *by_depth),
        ("samples of a layer, FID: theirs / a feature-inversion network (Dosovitskiy and Brox)",
         ", ".join(f"{layer} {' / '.join(pair)}" for layer, pair in PAPER_FID.items()), "not measured"),
    ]  # fmt: skip
    return Table(["what", "paper", "ours"], rows)


RESULTS = (
    Result(
        "18",
        "Every criterion",
        "How much of digit, ink and paper a layer decides, by depth and time, and what an attack does to it; the "
        "two bars on attacks are missed by the lesson's flows in every seed, and some seeds miss a few others. "
        "Lines that begin with a dash are flows that trained longer, with attacks after which the classifier is "
        "sure of its error.",
        criteria_table,
    ),
    Result(
        "18",
        "Over training",
        "S, the share of a concept's variance that the logits decide, rises for the digit and falls for ink and paper.",
        time_table,
    ),
    Result(
        "18",
        "Over depth",
        "The deeper the layer, the more of the picture it leaves open (last column).",
        layer_table,
    ),
    Result(
        "18",
        "First and last moment of training",
        "Training hardly changes what the first convolution tells; it changes what features and logits tell.",
        first_table,
    ),
    Result(
        "18",
        "Attacked pictures, by layer",
        "Pictures drawn from the first layer still show the true digit, those from the logits more often the "
        "wrong one; neither reaches its goal.",
        attack_table,
    ),
    Result(
        "18",
        "Stronger attacks, longer training",
        "With flows that trained longer and attacks that the classifier is sure of, logits reach the goal on "
        "average, though not in every seed.",
        thorough_table,
    ),
    Result(
        "18",
        "Conditions spoilt",
        "With the logits of other pictures as its condition the flow learns nothing, as it should; the softmax "
        "keeps the digit and loses the colours.",
        ablation_table,
    ),
    Result(
        "18",
        "Beside the paper",
        "Other data and other networks, so only the direction of each change compares.",
        said_and_measured,
    ),
)
