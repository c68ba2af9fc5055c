"""The scores of lesson 04's losses as a table, from the record of its trainings."""

from __future__ import annotations

from wwlib.base.files import load_json
from wwlib.base.paths import DATA
from wwlib.base.table import Result, Table
from wwlib.experiments.criteria import median_and_range


def losses_table() -> Table:
    """For each loss: how often moves are named rightly and the FactorVAE score, from the recorded comparison."""
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
        losses_table,
    ),
)
