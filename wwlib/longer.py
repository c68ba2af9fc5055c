"""The population trained longer: what age does to a ranking without labels, and what a true length does in TPL's place.

LPIPS is a squared distance, so TPL adds squares of steps. However codes that act along straight lines are turned, that
sum stays the same; only jumps and bends tell it where the axes are. The sum of the distances themselves, their roots,
does depend on the axes. Ours, not the paper's.
"""

from __future__ import annotations

import numpy as np

from wwlib.findings import SHOWN, autoencoders, judged
from wwlib.paths import DATA
from wwlib.report import Table
from wwlib.selection import choose, column, load_population, rank_correlation

RECORDS = DATA / "population-long.json"
LABELS = ("dci", "factor_vae")
MEASURES = {
    "tpl": "TPL: VGG16 at 32 px, 25 points",
    "tpl_root": "– by roots",
    "tpl_64": "VGG16 at 64 px, 13 points",
    "tpl_64_root": "– by roots",
    "tpl_fast": "AlexNet at 64 px, 13 points",
    "tpl_fast_root": "– by roots",
    "active_codes": "number of active codes alone",
    "udr": "UDR",
}


def load_longer() -> list[dict]:
    """Return the records of the population that was trained longer."""
    return load_population(RECORDS)


def shared(young: list[dict], old: list[dict]) -> tuple[list[dict], list[dict]]:
    """Return the autoencoders that both populations have, in one order."""
    by_name = {record["name"]: record for record in autoencoders(young)}
    both = [record for record in autoencoders(old) if record["name"] in by_name]
    return [by_name[record["name"]] for record in both], both


def age_table(young: list[dict], old: list[dict], least: int) -> Table:
    """The same autoencoders at two ages: their mean scores, and how TPL and the count of codes rank them."""
    rows = []
    for group in shared(young, old):
        images = {record["config"]["images"] for record in group}
        kept = autoencoders(group, least)
        means = (f"{column(group, score).mean():.2f}" for score in ("factor_vae", "dci", "informativeness"))
        ranks = (str(rank_correlation(column(kept, by), column(kept, s))) for by in ("tpl", "tpl_fast") for s in LABELS)
        rows.append((" and ".join(f"{count:,}" for count in sorted(images)), *means, *ranks))
    titles = [f"{by} with {SHOWN[score]}" for by in ("TPL", "AlexNet's") for score in LABELS]
    return Table(["images shown", "mean FactorVAE score", "mean DCI", "mean informativeness", *titles], rows)


def measure_table(old: list[dict], least: int) -> Table:
    """How every measure without labels ranks the older models: those of the first seed, the others, and all.

    What to measure was decided on the first seed, so the other seeds are the test.
    """
    kept = autoencoders(old, least)
    groups = {
        "seed 0": [record for record in kept if record["config"]["seed"] == 0],
        "other seeds": [record for record in kept if record["config"]["seed"] > 0],
        "all": kept,
    }
    rows = []
    for by, label in MEASURES.items():
        cells = []
        for score in LABELS:
            for name, group in groups.items():
                values = column(group, by)
                if np.isfinite(values).sum() < 4:
                    cells.append("–")  # UDR needs twins, which a part of the members lacks
                    continue
                found = rank_correlation(values, column(group, score))
                cells.append(f"{found.value:.2f}" if name != "all" else str(found).rsplit(",", 1)[0])
        rows.append((label, *cells))
    titles = [f"{SHOWN[score]}, {name} (n = {len(group)})" for score in LABELS for name, group in groups.items()]
    return Table(["measure without labels", *titles], rows)


def agreement_table(young: list[dict], old: list[dict], least: int) -> Table:
    """How far the two supervised scores agree with each other, and the count of active codes with both."""
    rows = []
    for label, records in (("population", young), ("trained longer", old)):
        kept = autoencoders(records, least)
        dci, factor_vae, count = (column(kept, score) for score in ("dci", "factor_vae", "active_codes"))
        pairs = ((dci, factor_vae), (count, dci), (count, factor_vae))
        rows.append((label, *(str(rank_correlation(*pair)) for pair in pairs)))
    return Table(
        ["models", "DCI with FactorVAE score", "active codes with DCI", "active codes with FactorVAE score"], rows
    )


def longer_choice_table(old: list[dict], least: int) -> Table:
    """Which of the older models every measure chooses, and what share of them labels put above it."""
    candidates = autoencoders(old, least)
    rows = []
    for by, label in MEASURES.items():
        if by == "active_codes" or np.isnan(column(candidates, by)).all():
            continue  # a count has ties: it names a group, not a model
        chosen = choose(candidates, by, least)
        rows.append((label, chosen["name"], *judged(candidates, chosen)))
    means = [f"{column(candidates, score).mean():.3f}" for score in ("factor_vae", "dci")]
    rows.append((f"at random (mean of {len(candidates)})", "–", means[0], "50%", means[1], "50%"))
    return Table(["chosen by", "model", "FactorVAE score", "models above it", "DCI", "models above it"], rows)
