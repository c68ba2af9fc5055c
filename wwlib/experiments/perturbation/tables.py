"""What lesson 04 says of its two losses, from the record of its trainings."""

from __future__ import annotations

from wwlib.base.files import load_json
from wwlib.base.paths import DATA
from wwlib.base.table import Result, Table
from wwlib.experiments.criteria import median_and_range


def perturbation_said_and_measured() -> Table:
    """What lesson 04 claims, from the recorded comparison of PS and InfoGAN."""
    record = load_json(DATA / "lesson04.json")
    rows = [
        (row["objective"], median_and_range(row["named"]), median_and_range(row["scores"]), f"{row['images']:,}")
        for row in record["runs"]
    ]
    return Table(["loss", "moves named rightly", "FactorVAE score", "images a run"], rows)


RESULTS = (
    Result(
        "04",
        "Perturbation loss against InfoGAN",
        "Small networks trained with each loss, all alike otherwise: how often a moved code is named, and what the "
        "FactorVAE score says.",
        perturbation_said_and_measured,
    ),
)
