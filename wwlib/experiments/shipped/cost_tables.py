"""What a training costs, as tables: operations and seconds by recipe, minutes by graphics card, memory."""

from __future__ import annotations

from dataclasses import dataclass

from wwlib.base.files import load_json
from wwlib.base.table import Table
from wwlib.experiments.shipped.costs import COSTS, MEMORY
from wwlib.models.shipped import seed_names, shipped_record


@dataclass(frozen=True)
class Card:
    """A GPU's peak in FLOP/s: float32 without tensor cores, and float16 or bfloat16 with them (dense)."""

    float32: float
    half: float


# NVIDIA's data sheets of the three cards that Colab lends (T4 2018, A100 2020; L4 2023, which states 242 for the
# sparse case, twice the dense one), as public pages quote them
CARDS = {"T4": Card(8.1e12, 65e12), "L4": Card(30.3e12, 121e12), "A100": Card(19.5e12, 312e12)}


def cpu_share(found: dict) -> float:
    """Return the share of this CPU's peak that a recipe's step reaches."""
    return found["flop"] / found["seconds"] / found["flop_per_second"]


def estimate_seconds(found: dict, peak: float) -> float:
    """Return the estimated seconds of a step, at the recipe's batch, on a card with this peak, FLOP/s.

    Args:
        found: of a recipe in `data/costs.json`.
        peak: of the card.
    """
    flop = found["flop"] * found["batch"] / found["measured_batch"]
    return max(flop / (peak * cpu_share(found)), found["operations"] * found["start_seconds"])


def cost_table() -> Table:
    """What each recipe costs on this CPU: shipped runs from their records, others by a few steps on one thread."""
    rows = []
    for name, found in load_json(COSTS)["recipes"].items():
        records = [shipped_record(seed) for seed in seed_names(name)]
        rates = [record["images_per_second"] for record in records]
        minutes = [record["seconds"] / 60 for record in records]
        rows.append(
            (
                name,
                f"{found['images']:,}",
                f"{found['flop'] / found['measured_batch'] / 1e9:.2f}",
                f"{found['measured_batch'] / found['seconds']:.2f}",
                f"{found['gigabytes']:.1f}" if found["measured_batch"] == found["batch"] else "–",
                _span(rates, 0) if records else "–",
                _span(minutes, 0) if records else "–",
            )
        )
    header = ["recipe", "images", "GFLOP an image", "images/s, one thread", "memory, GB", "images/s, shipped runs",
              "minutes, shipped runs"]  # fmt: skip
    return Table(header, rows)


def gpu_table() -> Table:
    """Estimated images/s on GPUs, from float32 to half precision on tensor cores, and the time for all images."""
    rows = []
    for name, found in load_json(COSTS)["recipes"].items():
        cells = []
        for card in CARDS.values():
            rates = [found["batch"] / estimate_seconds(found, peak) for peak in (card.float32, card.half)]
            cells.append(f"{_span(rates, 0)} ({_time_span([found['images'] / rate for rate in rates])})")
        rows.append((name, f"{cpu_share(found):.0%}", f"{found['operations']:,.0f}", *cells))
    header = ["recipe", "CPU's share of its peak", "operations a step", *(f"{card}, estimate" for card in CARDS)]
    return Table(header, rows)


def _span(values: list[float], digits: int) -> str:
    low, high = (f"{value:,.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _time_span(seconds: list[float]) -> str:
    """Minutes if all are below two hours, else hours."""
    if max(seconds) < 2 * 3600:
        return f"{_span([value / 60 for value in seconds], 1)} min"
    return f"{_span([value / 3600 for value in seconds], 1)} h"


def memory_table() -> str:
    """What each recipe needs on its device, computed from its networks, and the micro-batch that fits the budget."""
    record = load_json(MEMORY)
    rows = [
        (
            row["recipe"],
            row["precision"],
            f"{row['kept'] / 1e9:.2f}",
            f"{max(image for _, image in row['passes']) / 1e6:.1f}",
            f"{row['batch']}: {row['whole_batch'] / 1e9:.2f}",
            row["micro_batch"],
        )
        for row in record["rows"]
    ]
    budget = f"micro-batch within {record['budget_gigabytes']:g} GB"
    header = ["recipe", "number format", "weights to moments, GB", "an image, MB", "whole batch, GB", budget]
    return Table(header, rows).markdown()
