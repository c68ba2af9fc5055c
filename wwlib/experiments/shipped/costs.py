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
from types import SimpleNamespace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from wwlib.base.device import choose_compute, choose_threads, peak_memory
from wwlib.base.files import save_json
from wwlib.base.paths import DATA
from wwlib.models.config import Config, replace_config
from wwlib.training.memory import BUDGET, fit, memory_need
from wwlib.training.recipes import RECIPES, recipe
from wwlib.training.step import Training

COSTS = DATA / "costs.json"


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
        record = dict(command="python -m wwlib remake costs", cores=os.cpu_count(), torch=torch.__version__)
        save_json(COSTS, {**record, "recipes": {known: kept[known] for known in RECIPES if known in kept}})
        print(f"{name}: {kept[name]['measured_batch'] / kept[name]['seconds']:.1f} images/s", flush=True)
    return kept


MEMORY = DATA / "memory.json"


def memory_record() -> dict:
    """Return what every recipe of the course needs in float32 and in float16, and the micro-batch within 6 GB."""
    rows = []
    for name, config in RECIPES.items():
        for precision, dtype in (("float32", None), ("float16", torch.float16)):
            need = memory_need(config, dtype)
            rows.append(
                dict(
                    recipe=name,
                    batch=config.batch,
                    precision=precision,
                    kept=need.kept_bytes,
                    passes=need.passes,
                    whole_batch=need.bytes(config.batch),
                    micro_batch=fit(need, config.batch, BUDGET),
                )
            )
    return dict(command="python -m wwlib remake memory", budget_gigabytes=BUDGET, torch=torch.__version__, rows=rows)
