"""What the shipped models of rooms show, as tables: traversal score beside the scores of the recogniser, and judges."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import named_run
from wwlib.base.table import Result, Table
from wwlib.experiments.records import made_from
from wwlib.experiments.shipped.seen import load_record, rooms_models
from wwlib.metrics.seen.judges import PLANS, PartOfRooms
from wwlib.metrics.seen.traversal import TraversalScore, from_matrix
from wwlib.models.shipped import seed_names, shipped_names, shipped_record


@made_from(load_record)
def seen_table(record: dict) -> Table:
    """What every shipped model of rooms shows, beside what its recogniser reads and where its codes act."""
    rows = []
    for name in rooms_models():
        scores, seen = shipped_record(name)["scores"], named_run(record, name)["scores"]
        rows.append(
            (
                name,
                f"{scores['factor_vae']:.3f}",
                f"{scores['where']:.2f}",
                f"{seen['purity']:.2f} / {seen['compactness']:.2f}",
                f"{seen['observer_purity']:.2f} / {seen['observer_compactness']:.2f}",
                f"{seen['vp']:.2f}",
                f"{seen['distance'] / seen['real']:.0f}",
            )
        )
    header = ["model", "FactorVAE score", "where score", "purity / compactness", "the same by the observer", "VP score",
              "Fréchet distance to real rooms, in distances between real ones"]  # fmt: skip
    return Table(header, rows)


@made_from(load_record)
def read_and_shown_table(record: dict) -> Table:
    """What every shipped model's recogniser reads, where its codes act, and what its drawings show."""
    rows = []
    for name in shipped_names():
        scores, rooms = shipped_record(name)["scores"], name in rooms_models()
        seen = named_run(record, name)["scores"] if rooms else {}
        rows.append(
            (
                name,
                f"{scores['factor_vae']:.3f}",
                f"{scores['where']:.2f}" if "where" in scores else "–",
                f"{seen['purity']:.2f} / {seen['compactness']:.2f}" if rooms else "–",
            )
        )
    return Table(["model", "FactorVAE score", "where score", "traversal score: purity / compactness"], rows)


def read_against_shown(recipe: str = "shapes3d-32", record: dict | None = None) -> str:
    """Say which seed of a recipe is read best and which one shows its factors most separately.

    Args:
        recipe: whose shipped seeds are compared.
        record: left out, that in `data/`.
    """
    record = load_record() if record is None else record
    names = seed_names(recipe)
    read = {name: shipped_record(name)["scores"]["factor_vae"] for name in names}
    purity = {name: named_run(record, name)["scores"]["purity"] for name in names}
    best, purest = max(names, key=read.get), max(names, key=purity.get)
    if best == purest:
        return f"{best} has the highest FactorVAE score, {read[best]:.3f}, and the highest purity, {purity[best]:.2f}."
    return (
        f"{best} has the highest FactorVAE score, {read[best]:.3f}, and purity {purity[best]:.2f}. "
        f"{purest} has the highest purity, {purity[purest]:.2f}, and FactorVAE score {read[purest]:.3f}."
    )


def scores_by_resolution(record: dict | None = None) -> str:
    """Return FactorVAE score / purity / where score of every shipped model of rooms, in a line by resolution.

    Args:
        record: left out, that in `data/`.
    """
    record = load_record() if record is None else record
    lines: dict[int, list[str]] = {}
    for name in rooms_models():
        scores, seen = shipped_record(name)["scores"], named_run(record, name)["scores"]
        line = f"{scores['factor_vae']:.3f} / {seen['purity']:.2f} / {scores['where']:.2f}"
        lines.setdefault(shipped_record(name)["config"]["resolution"], []).append(line)
    return "; ".join(f"{resolution} px {', '.join(lines[resolution])}" for resolution in sorted(lines))


@made_from(load_record)
def shown_table(record: dict) -> Table:
    """How much the code that shows a factor best tells of it, and which codes move nothing."""
    rows = []
    for name in rooms_models():
        seen = named_run(record, name)["scores"]
        silent = [str(code) for code, moves in enumerate(seen["codes"]) if moves == "nothing"]
        rows.append((name, *(f"{value:.2f}" for value in seen["shown"]), ", ".join(silent) or "none"))
    return Table(["model", *PartOfRooms.factor_names, "codes that move no factor"], rows)


@made_from(load_record)
def judge_table(record: dict) -> Table:
    """How the judges of rooms were made, how they read rooms they never saw, and how sure they are of drawings."""
    rows = []
    for plan in PLANS:
        judge = record["judges"][plan.name]
        drawn = [run["scores"] for run in record["runs"] if _resolution(run) == plan.resolution]
        rows.append(
            (
                f"{plan.resolution} px",
                judge["seed"],
                f"{judge['steps'] * judge['batch']:,}",
                f"{judge['seconds']:.0f}",
                f"{min(judge['accuracy']):.3f} / {min(judge['soft_accuracy']):.3f}",
                f"{min(judge['confidence']):.2f} / {min(judge['soft_confidence']):.2f}",
                f"{min(min(scores['confidence']) for scores in drawn):.2f}",
                f"{min(min(scores['agreement']) for scores in drawn):.2f}",
            )
        )
    header = ["judge", "seed", "pictures shown", "seconds", "right, held-out rooms: clear / soft",
              "sure of: clear / soft", "sure of drawings", "reads drawings as the observer does"]  # fmt: skip
    return Table(header, rows)


def _resolution(run: dict) -> int:
    return shipped_record(run["case"])["config"]["resolution"]


def shown_matrix(name: str, record: dict | None = None) -> TraversalScore:
    """Return the recorded traversal score of a shipped model; its `plot` is a picture of what each code moves.

    Args:
        name: of a shipped model of rooms.
        record: left out, that in `data/`.

    Raises:
        ValueError: for a model that is not in the record.
    """
    run = named_run(load_record() if record is None else record, name)
    return from_matrix(np.array(run["scores"]["matrix"]), PartOfRooms.factor_names)


RESULTS = (
    Result(
        "06",
        "What is read, where codes act, and what is shown",
        "The three scores of every shipped model; the judge that the traversal score needs knows rooms only.",
        read_and_shown_table,
    ),
    Result(
        "06",
        "What the generators show",
        "Purity and compactness are read off the drawings by a judge and by the observer; the FactorVAE score asks the "
        "recogniser about real rooms.",
        seen_table,
    ),
    Result(
        "06",
        "Which factors are shown",
        "How much the best code's position tells of each factor, as a share of all there is to tell: a small number "
        "means that no row of the traversals shows the factor.",
        shown_table,
    ),
    Result(
        "06",
        "The judges of rooms",
        "Of each judge the worst of six factors: how often it is right and how sure it is on rooms that it never saw, "
        "how sure it is of drawings, and how often it names the value that the observer names there.",
        judge_table,
    ),
)
