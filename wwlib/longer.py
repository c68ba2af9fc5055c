"""The population trained longer: what age does to a ranking without labels, and what a true length does in TPL's place.

LPIPS is a squared distance, so TPL adds squares of steps. Squared slopes, summed over codes and averaged over N(0, I),
are the same however the codes are turned (PPL measures them). TPL knows about axes only by what differs from that: its
even reach to +-4 and its finite steps. A sum of the distances themselves, the roots, depends on the axes everywhere.
Ours, not the paper's.
"""

from __future__ import annotations

import numpy as np

from wwlib.findings import SHOWN, autoencoders, judged
from wwlib.paths import DATA
from wwlib.report import Table
from wwlib.selection import choose, column, correlation_given, load_population, rank_correlation

RECORDS = DATA / "population-long.json"
LABELS = ("dci", "factor_vae")
MEASURES = {
    "tpl": "TPL: VGG16 at 32 px, 25 points",
    "tpl_root": "– by roots",
    "tpl_64": "VGG16 at 64 px, 13 points",
    "tpl_64_root": "– by roots",
    "tpl_fast": "AlexNet at 64 px, 13 points",
    "tpl_fast_root": "– by roots",
    "tpl_fast_narrow": "the same, codes from −2 to 2",
    "tpl_fast_narrow_root": "– by roots",
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
    """The same autoencoders at two ages: their mean scores, and how TPL and the count of codes rank them.

    Only those count that have enough active codes at both ages.
    """
    groups = shared(young, old)
    names = set.intersection(*({record["name"] for record in autoencoders(group, least)} for group in groups))
    rows = []
    for group in groups:
        kept = [record for record in group if record["name"] in names]
        images = {record["config"]["images"] for record in kept}
        means = (f"{column(kept, score).mean():.2f}" for score in ("factor_vae", "dci", "informativeness"))
        ranks = (str(rank_correlation(column(kept, by), column(kept, s))) for by in ("tpl", "tpl_fast") for s in LABELS)
        rows.append((" and ".join(f"{count:,}" for count in sorted(images)), *means, *ranks))
    titles = [f"{by} with {SHOWN[score]}" for by in ("TPL", "AlexNet's") for score in LABELS]
    return Table(["images shown", "mean FactorVAE score", "mean DCI", "mean informativeness", *titles], rows)


def seed_groups(records: list[dict]) -> tuple[list[dict], list[dict]]:
    """Return the models of seed 0, on which measures were compared first, and those of the other seeds."""
    return [r for r in records if r["config"]["seed"] == 0], [r for r in records if r["config"]["seed"] > 0]


def measure_table(old: list[dict], least: int) -> Table:
    """How every measure without labels ranks the older models: those of the first seed, and those of the others.

    What to measure was decided on the first seed; the others have the same settings, so they test its luck with seeds,
    not with settings. The last columns take the count of active codes out, over all.
    """
    kept = autoencoders(old, least)
    found, tested = seed_groups(kept)
    rows = []
    for by, label in MEASURES.items():
        if by == "udr":
            continue  # needs twins, which a part of the models lacks
        cells = []
        for score in LABELS:
            cells.append(f"{rank_correlation(column(found, by), column(found, score)).value:.2f}")
            cells.append(str(rank_correlation(column(tested, by), column(tested, score))))
        counts = column(kept, "active_codes")
        for score in LABELS:
            value = correlation_given(column(kept, by), column(kept, score), counts)
            cells.append("–" if by == "active_codes" else f"{value:.2f}")
        rows.append((label, *cells))
    names = [SHOWN[score] for score in LABELS]
    titles = [f"{name}: {group}" for name in names for group in (f"seed 0, n = {len(found)}", "other seeds [95 %]")]
    given = [f"{name}, given the count, n = {len(kept)}" for name in names]
    return Table(["measure without labels", *titles, *given], rows)


def labels_table(young: list[dict], old: list[dict], least: int) -> Table:
    """How far the two supervised scores agree with each other, and the count of active codes with both."""
    rows = []
    for label, records in (("population", young), ("trained longer", old)):
        kept = autoencoders(records, least)
        dci, factor_vae, count = (column(kept, score) for score in ("dci", "factor_vae", "active_codes"))
        pairs = ((dci, factor_vae), (count, dci), (count, factor_vae))
        rows.append((label, *(str(rank_correlation(*pair)) for pair in pairs)))
    header = ("DCI with FactorVAE score", "active codes with DCI", "active codes with FactorVAE score")
    return Table(["models", *header], rows)


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
    rows.append((f"at random (mean of {len(candidates)})", "–", means[0], "50 %", means[1], "50 %"))
    return Table(["chosen by", "model", "FactorVAE score", "models above it", "DCI", "models above it"], rows)
