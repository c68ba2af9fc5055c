"""Lesson 17's trainings and their record: judges, three frozen networks, and interpretations of each over seeds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from wwlib.base.codes import copy_codes
from wwlib.base.shelf import named_run
from wwlib.datasets.factors import FactorData
from wwlib.datasets.glyphs import Glyphs
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.experiments.hosts import HOSTS, INTERPRETATION, MODEL, load_host, load_judge, make_host
from wwlib.flows.flow import Flow
from wwlib.flows.interpretation import (
    Schedule,
    block_response,
    probe_gaps,
    probe_r2,
    sizes_from,
    swap_scores,
    train_interpretation,
)
from wwlib.flows.latents import Latents, encode_pictures
from wwlib.metrics.frechet import frechet_distance
from wwlib.models.judges import Judge
from wwlib.models.shipped import shipped_record


@dataclass(frozen=True)
class Case:
    """What is interpreted: the factors that pairs share, pictures to learn from and to test on, and the schedule."""

    shared: tuple[str, ...]
    pictures: int
    tested: int
    schedule: Schedule


CASES = {
    "autoencoder": Case(("digit", "ink", "paper"), 8_192, 2_700, Schedule()),
    "classifier": Case(("digit", "ink"), 8_192, 2_700, Schedule(steps=1400)),
    "recogniser": Case(("floor hue", "wall hue", "object hue"), 4_096, 2_700, Schedule(steps=1400)),
}
# of the autoencoder's interpretation: what is changed in its schedule
ABLATIONS = {"without pairs": dict(pairs=False), "rho 0.975": dict(rho=0.975)}


def case_data(name: str) -> FactorData:
    """Return the pictures of a case."""
    return Shapes3D(32) if name == "recogniser" else Glyphs()


def load_interpretation(name: str) -> tuple[Flow, list[int]]:
    """Return the shipped interpretation of a host (seed 0) and the length of its blocks, residual first.

    Args:
        name: of a case, or "autoencoder without pairs" for that ablation.
    """
    run = named_run(load_record(), name)
    schedule = Schedule(**run["schedule"])
    flow = Flow(sum(run["sizes"]), blocks=schedule.blocks, hidden=schedule.hidden)
    return INTERPRETATION.load(f"flow-{name}", flow), run["sizes"]


def load_record() -> dict:
    """Return the record of every run."""
    return INTERPRETATION.read()


def judged(name: str, host, judge: Judge | None):
    """Return the function from hidden codes to factors `[n, K]`: a judge's verdict, or the classifier's own."""
    if name == "classifier":
        return lambda z: host.decode(z).argmax(dim=1, keepdim=True)
    return lambda z: torch.cat([judge.verdict(host.decode(part)) for part in z.split(256)])


@torch.no_grad()
def measure(name: str, host, judge: Judge | None, flow: Flow, sizes: list[int], tested: Latents,
            factors: Tensor, seed: int = 0) -> dict:  # fmt: skip
    """Return every measure of one interpretation on pictures that it has not seen.

    Args:
        name: of the case.
        host, judge: frozen; the classifier needs no judge.
        flow, sizes: the interpretation.
        tested: codes of pictures, none of which was learned from.
        factors: all of their factors.
        seed: of noise and draws.
    """
    random = torch.Generator().manual_seed(seed)
    noisy = tested.draw(torch.arange(len(tested.mean)), random)
    v = flow(noisy)[0]
    verdict = judged(name, host, judge)
    known = factors[:, :1] if name == "classifier" else tested.factors
    z, known = tested.mean[:600], known[:600]
    follows, stays = swap_scores(flow, lambda z: z, verdict, sizes, z, known)
    table = probe_r2(v, tested.factors, sizes, train=2 * len(v) // 3)
    scores = dict(
        inverse_error=float((flow.inverse(flow(tested.mean)[0]) - tested.mean).abs().max()),
        largest_mean=float(v.mean(dim=0).abs().max()),
        std=[float(v.std(dim=0).min()), float(v.std(dim=0).max())],
        untouched=(verdict(z) == known).float().mean(dim=0).tolist(),
        follows=follows.tolist(),
        stays=stays.tolist(),
        probe=table.tolist(),
        probe_gap=probe_gaps(table).tolist(),
    )
    if name == "autoencoder":
        scores["frechet"] = sample_distances(host, judge, flow, noisy, random)
    if name == "recogniser":
        scores["copied"] = copied_codes(verdict, z, known)
    if name == "classifier":
        scores["response"] = block_response(flow, host.decode, sizes, tested.mean[:300], random).tolist()
    return scores


@torch.no_grad()
def copied_codes(verdict: Callable, z: Tensor, known: Tensor) -> list[float]:
    """Return how often a hue follows when the one code with most votes for it is copied, as lesson 06 does.

    Args:
        verdict: codes to factors.
        z: codes that Q reads, `[n, d]`.
        known: the three hues `[n, 3]`.
    """
    votes = torch.tensor(shipped_record(MODEL)["scores"]["votes"])
    source, shares = known.roll(1, dims=0), []
    for k, code in enumerate(votes[: known.shape[1]].argmax(dim=1).tolist()):
        mixed = copy_codes(z, z.roll(1, dims=0), [code])
        differ = known[:, k] != source[:, k]
        shares.append(float((verdict(mixed)[differ, k] == source[differ, k]).float().mean()))
    return shares


@torch.no_grad()
def sample_distances(host, judge: Judge, flow: Flow, z: Tensor, random: torch.Generator) -> dict[str, float]:
    """Return the Frechet distance of samples to real pictures in the judge's features, by where codes come from.

    Args:
        host, judge, flow: frozen.
        z: codes of real pictures, noise included.
        random: of the draws.
    """
    n, data = len(z), case_data("autoencoder")
    features = lambda images: torch.cat([judge.features(part) for part in images.split(256)])  # noqa: E731
    real, again = (features(data.sample_images(n, random)) for _ in range(2))
    noise = torch.randn(z.shape, generator=random)
    root = torch.linalg.cholesky(z.t().cov())
    codes = {
        "rebuilt pictures": z,
        "AE + IIN": flow.inverse(noise),
        "AE + fitted Gaussian": z.mean(dim=0) + noise @ root.t(),
        "AE + N(0, I)": noise,
    }
    found = {name: frechet_distance(real, features(host.decode(code))) for name, code in codes.items()}
    return {"other real pictures": frechet_distance(real, again), **found}


@lru_cache(maxsize=1)
def case_latents(name: str) -> tuple[Latents, Latents, Tensor]:
    """Return codes to learn from, codes of other pictures, and all factors of the latter, for one case."""
    case, host, data = CASES[name], load_host(name), case_data(name)
    latents, learned = encode_pictures(host, data, case.pictures, case.shared, seed=100)
    return latents, *encode_pictures(host, data, case.tested, case.shared, seed=200, without=learned)


def run_case(name: str, seed: int, ablation: str = "", keep: bool = False) -> dict:
    """Train and measure one interpretation of a shipped host; return its run record.

    Args:
        name: of the case.
        seed: of the flow, its batches and its measures.
        ablation: one of `ABLATIONS`, or none.
        keep: write the flow into `data/`.
    """
    case, host = CASES[name], load_host(name)
    judge = None if name == "classifier" else load_judge("rooms" if name == "recogniser" else "digits")
    latents, tested, factors = case_latents(name)
    sizes, shares = sizes_from(latents, torch.Generator().manual_seed(300))
    schedule = replace(case.schedule, seed=seed, **(ABLATIONS[ablation] if ablation else {}))
    start = time.perf_counter()
    flow, losses = train_interpretation(latents, sizes, schedule)
    seconds = round(time.perf_counter() - start, 1)
    label = f"{name} {ablation}".rstrip()
    if keep:
        INTERPRETATION.keep({f"flow-{label}": flow}, half=False)
    return dict(
        case=label,
        seed=seed,
        schedule=asdict(schedule),
        shared=list(case.shared),
        sizes=sizes,
        shares=[round(float(s), 4) for s in shares],
        seconds=seconds,
        losses=[round(loss, 3) for loss in losses],
        scores=measure(name, host, judge, flow, sizes, tested, factors, seed),
    )


def interpret(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: names of `HOSTS` as "host-NAME", of `CASES`, or "ablations"; all when empty.
        seeds: of the interpretations; 0 to 4 if left out.

    Raises:
        ValueError: for an unknown part.
    """
    hosts = {f"host-{name}": name for name in HOSTS}
    known = (*hosts, *CASES, "ablations")
    if unknown := sorted(set(parts) - set(known)):
        raise ValueError(f"parts must be among {known}, got {unknown}")
    for part in known:
        if parts and part not in parts:
            continue
        if part in hosts:
            seconds = make_host(hosts[part])
            INTERPRETATION.note_host(hosts[part], seconds)
            print(f"{hosts[part]}: {seconds:.0f} s", flush=True)
            continue
        variants = [("autoencoder", ablation) for ablation in ABLATIONS] if part == "ablations" else [(part, "")]
        for name, ablation in variants:
            for seed in seeds or range(5):
                run = run_case(name, seed, ablation, keep=seed == 0 and "rho" not in ABLATIONS.get(ablation, {}))
                INTERPRETATION.note_run(run)
                gaps = ", ".join(f"{gap:.2f}" for gap in run["scores"]["probe_gap"])
                print(f"{run['case']}, seed {seed}: {run['seconds']:.0f} s, probe gaps {gaps}", flush=True)
