"""What a training costs: measured on this CPU, and for GPUs an estimate by a stated formula.

A GPU's step is taken to last as long as the slower of two things: its floating-point operations, at the share of the
card's peak that this CPU reaches of its own peak; and its operations one by one, each costing the host what it costs
here to start one. Both shares are measured; no GPU was at hand, so every figure made from them is an estimate.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from wwlib.config import Config, replace_config
from wwlib.device import choose_compute, choose_threads, peak_memory
from wwlib.files import save_json
from wwlib.models import shipped_record
from wwlib.paths import DATA
from wwlib.recipes import RECIPES, recipe
from wwlib.records import seed_names
from wwlib.report import Table
from wwlib.training import Training

COSTS = DATA / "costs.json"


@dataclass(frozen=True)
class Card:
    """A GPU's peak in FLOP/s: float32 without tensor cores, and float16 or bfloat16 with them (dense)."""

    float32: float
    half: float


# NVIDIA's data sheets of the three cards that Colab lends (T4 2018, A100 2020; L4 2023, which states 242 for the
# sparse case, twice the dense one), as public pages quote them
CARDS = {"T4": Card(8.1e12, 65e12), "L4": Card(30.3e12, 121e12), "A100": Card(19.5e12, 312e12)}


class Counter(TorchDispatchMode):
    """Counts the operations that reach a device, and their FLOP by torch's own formulas (`flop_registry`).

    torch's `FlopCounterMode` would do, but it cannot follow the second derivative in the R1 penalty.
    """

    def __init__(self):
        super().__init__()
        self.operations, self.flop = 0, 0.0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.operations += 1
        if formula := flop_registry.get(function._overloadpacket):
            self.flop += formula(*args, **(kwargs or {}), out_val=result)
        return result


def measure_steps(config: Config, rounds: int = 1) -> dict:
    """Measure a training's average step on this CPU; of `r1_every` steps one pays the R1 penalty.

    Args:
        config: of the training; its images are noise here, since reading real ones costs next to nothing beside.
        rounds: pairs of a step with R1 and one without, beyond the first, which is counted.

    Returns:
        FLOP of a step, operations of a step, seconds of processor time of a step, and the largest memory of this
        process so far, GB.
    """
    random = torch.Generator().manual_seed(0)
    images = torch.rand(config.batch, config.channels, config.resolution, config.resolution, generator=random) * 2 - 1
    state = Training(config, SimpleNamespace(sample_images=lambda n, generator: images[:n]), choose_compute("cpu"))
    counted, seconds = [Counter(), Counter()], [[], []]
    for number in range(2 + 2 * rounds):
        plain = number % 2
        state.step_number = plain  # R1 is due at step 0
        start = time.process_time()  # not the clock on the wall: neighbours on the machine do not count
        with counted[plain] if number < 2 else nullcontext():
            state.step()
        seconds[plain].append(time.process_time() - start)

    def average(with_penalty: float, plain: float) -> float:
        return plain + (with_penalty - plain) / config.r1_every

    peak = peak_memory(state.compute.device)
    return dict(
        flop=average(*(counter.flop for counter in counted)),
        operations=average(*(counter.operations for counter in counted)),
        seconds=average(*(min(times) for times in seconds)),
        gigabytes=None if peak is None else peak / 1e9,
    )


def measure_host() -> dict:
    """Measure one thread of this CPU: FLOP/s of a large matrix product, and seconds to start a small operation."""
    a, tiny = torch.rand(1_024, 1_024), torch.zeros(1)
    product, small = [], []
    for _ in range(10):
        start = time.process_time()
        a @ a
        product.append(time.process_time() - start)
        start = time.process_time()
        for _ in range(1_000):
            tiny.add(1)
        small.append((time.process_time() - start) / 1_000)
    return dict(flop_per_second=2 * 1_024**3 / min(product), start_seconds=min(small))


def measure_recipe(name: str) -> dict:
    """Measure a recipe on one thread, and the host before and after; the paper's settings with a batch of 4, once."""
    choose_threads(1)
    config, paper = recipe(name), name.startswith("paper")
    before = measure_host()
    steps = measure_steps(replace_config(config, batch=4) if paper else config, 0 if paper else 10)
    after = measure_host()
    host = dict(
        flop_per_second=max(before["flop_per_second"], after["flop_per_second"]),
        start_seconds=min(before["start_seconds"], after["start_seconds"]),
    )
    return dict(batch=config.batch, measured_batch=4 if paper else config.batch, images=config.images, **steps, **host)


def measure_costs(names: list[str]) -> dict:
    """Measure recipes, each in a process of its own so that peaks of memory do not mix, and write `data/costs.json`.

    Raises:
        ValueError: for an unknown recipe.
    """
    for name in names:
        recipe(name)
    kept = json.loads(COSTS.read_text(encoding="utf-8"))["recipes"] if COSTS.exists() else {}
    for name in names or list(RECIPES):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            kept[name] = pool.submit(measure_recipe, name).result()
        record = dict(command="python -m wwlib costs", cores=os.cpu_count(), torch=torch.__version__)
        save_json(COSTS, {**record, "recipes": {known: kept[known] for known in RECIPES if known in kept}})
        print(f"{name}: {kept[name]['measured_batch'] / kept[name]['seconds']:.1f} images/s", flush=True)
    return kept


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
    for name, found in json.loads(COSTS.read_text(encoding="utf-8"))["recipes"].items():
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
    for name, found in json.loads(COSTS.read_text(encoding="utf-8"))["recipes"].items():
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
