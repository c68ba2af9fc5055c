"""`python -m benchmarks`: measure the README's speed ratios, each within one run, and write data/bench.json."""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch

from benchmarks import flow_speed, measuring
from benchmarks.official import OfficialStep, SequentialConstriction
from wwlib.base.device import choose_compute, choose_threads
from wwlib.base.files import save_json
from wwlib.course.lessons.readme import BENCH, PEERS
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.models.masks import SpatialConstriction
from wwlib.training.recipes import recipe
from wwlib.training.step import Training


def interleaved(jobs: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each job; jobs run in turn, so that a busy moment affects all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for round_number in range(rounds + 2):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if round_number >= 2:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def constriction() -> tuple[float, float]:
    """Return ratio of times and largest difference of the closed form against the loop, [64, 32, 32, 32], 4 codes."""
    torch.manual_seed(0)
    fast, slow = SpatialConstriction(32, 32, 4), SequentialConstriction(32, 32, 4, 4)
    slow.copy_weights(fast)
    code = torch.randn(64, 4)
    plain = torch.randn(64, 32, 32, 32, requires_grad=True)
    last = plain.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    upstream = torch.randn(64, 32, 32, 32)
    difference = (fast(last, code) - slow(plain, code)).abs().max().item()

    def run(module, x, gradient):
        def job():
            torch.autograd.grad(module(x, code), (x, *module.parameters()), gradient)

        return job

    upstream_last = upstream.contiguous(memory_format=torch.channels_last)
    seconds = interleaved({"fast": run(fast, last, upstream_last), "slow": run(slow, plain, upstream)}, 25)
    return seconds["slow"] / seconds["fast"], difference


def training_step() -> tuple[float, float, float]:
    """Return images/s of our step, its ratio to the official step, and the ratio due to closed-form SC alone."""
    config, data = recipe("shapes3d-32"), Shapes3D(32)
    ours = Training(config, data, choose_compute("cpu"))
    official, swapped = OfficialStep(config, data), OfficialStep(config, data, closed_form=True)
    seconds = interleaved({"ours": ours.step, "official": official.step, "swapped": swapped.step}, 16)
    return (
        config.batch / seconds["ours"],
        seconds["official"] / seconds["ours"],
        seconds["official"] / seconds["swapped"],
    )


def batches() -> dict[str, float]:
    """Return how many times faster composing random 64 px batches is than reading them from compressed files."""
    data, random = Shapes3D(64), torch.Generator().manual_seed(0)
    count = 9_600
    pixels = torch.cat([data.sample_images(960, random) for _ in range(count // 960)])
    pixels = ((pixels + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    order = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(Path(folder) / "s.h5", "w") as file:
            file.create_dataset("images", data=pixels, compression="gzip")
        np.savez_compressed(Path(folder) / "s.npz", imgs=pixels)
        file = h5py.File(Path(folder) / "s.h5")

        def from_h5():
            rows = np.sort(order.choice(count, 64, replace=False))
            torch.from_numpy(file["images"][rows]).permute(0, 3, 1, 2).float().div(127.5).sub(1)

        def from_npz():
            with np.load(Path(folder) / "s.npz") as archive:
                rows = order.choice(count, 64, replace=False)
                torch.from_numpy(archive["imgs"][rows]).permute(0, 3, 1, 2).float().div(127.5).sub(1)

        jobs = {"ours": lambda: data.sample_images(64, random), "h5": from_h5, "npz": from_npz}
        seconds = interleaved(jobs, 5)
        file.close()
    return {name: seconds[name] / seconds["ours"] for name in ("h5", "npz")}


def training_rows() -> list[measuring.Row]:
    """Measure Spatial Constriction, the training step and the data of Part I."""
    sc, difference = constriction()
    print(f"SC closed form: {sc:.1f} x, differs by {difference:.0e}", flush=True)
    speed, step, alone = training_step()
    print(f"training step: {step:.1f} x the official step, {speed:.0f} images/s; SC alone {alone:.2f} x", flush=True)
    reading = batches()
    print(f"64 px batches: {reading['h5']:.0f} x HDF5, {reading['npz']:.0f} x NPZ", flush=True)
    return [
        (
            "Spatial Constriction forward + backward at [64, 32, 32, 32], 4 codes, against the loop",
            "≥ 3×",
            f"{sc:.1f}× (largest difference {difference:.0e})",
        ),
        (
            "One PS-SC step at the shipped 32 px configuration, against a straight port of the official step",
            "≥ 2×",
            f"{step:.1f}× ({speed:.0f} images/s)",
        ),
        ("– of which the closed-form Spatial Constriction alone", "", f"{alone:.2f}×"),
        ("Random batches at 64 px, against reading them from gzip HDF5", "≥ 20×", f"{reading['h5']:.0f}×"),
        ("Random batches at 64 px, against reading them from a compressed NPZ", "≥ 20×", f"{reading['npz']:.0f}×"),
    ]


def main() -> None:
    """Measure everything, or the parts that are named, and bring data/bench.json up to date."""
    peers = functools.cache(measuring.peers)
    parts: dict[str, Callable[[], list[measuring.Row]]] = {
        "training": training_rows,
        "puppets": measuring.puppets,
        "scores": lambda: measuring.scores(peers()),
        "trees": measuring.trees,
        "perceptual": measuring.perceptual,
        "flows": lambda: flow_speed.flows(interleaved),
        "autoencoders": lambda: measuring.autoencoders(peers(), interleaved),
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)} (default: all)")
    chosen = parser.parse_args().parts or list(parts)
    if unknown := sorted(set(chosen) - set(parts)):
        parser.error(f"parts must be among {', '.join(parts)}, got {', '.join(unknown)}")
    threads = choose_threads()
    rows = {row[0]: row for part in chosen for row in parts[part]()}
    if "scores" in chosen:
        save_json(PEERS, dict(command="make bench", libraries=measuring.digits(peers())))
    recorded = json.loads(BENCH.read_text(encoding="utf-8"))["rows"] if BENCH.exists() else []
    merged = {row["what"]: row for row in recorded} | {w: dict(what=w, goal=g, measured=m) for w, g, m in rows.values()}
    about = dict(command="make bench", threads=threads, cores=os.cpu_count(), torch=torch.__version__)
    save_json(BENCH, {**about, "rows": list(merged.values())})


if __name__ == "__main__":
    main()
