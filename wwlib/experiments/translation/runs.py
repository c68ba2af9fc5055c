"""Lesson 19's trainings and their record: encoder of captions, judge of poses, translations and rivals over seeds."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from wwlib.base.files import tensor_digest
from wwlib.base.shelf import named_run, rounded
from wwlib.datasets.captions import SIZES, STATED, UNSAID, distort, distorted_captions, random_stated, tokens, write_all
from wwlib.experiments.hosts import TRANSLATION, load_host, load_judge, load_pose_judge, train_pose_judge
from wwlib.experiments.parts import SEEDS, chosen_parts, record_runs
from wwlib.experiments.translation.depths import PICTURES, REGRESSION_STEPS, REMEDIES, distance_to_pictures, run_depth
from wwlib.flows.caption_encoder import LEARNED, CaptionEncoder, train_caption_encoder
from wwlib.flows.interpretation import probe_r2
from wwlib.flows.invariances import value_entropy
from wwlib.flows.regression import Regression, train_regression
from wwlib.flows.text_to_image import (
    DEPTHS,
    Captioned,
    agreement,
    caption_pictures,
    edit_scores,
    reader,
    transfer_scores,
    within_and_total,
)
from wwlib.flows.translation import Translation, TranslationSchedule, draws_of, train_translation

TESTED = 1_000  # pictures, others than those to learn from
SCHEDULE = TranslationSchedule(32, (48,), embedding=64, steps=2_400)
SHIPPED = ("captions", "first maps", "logits")  # what the lesson draws with
CASES = ("captions", "no caption", "shuffled captions", "regression")
PARTS = ("reading", *CASES, *DEPTHS, "remedies")
FULL = (0.0, 0.0, 0.0)  # nothing is left out


def load_encoder() -> CaptionEncoder:
    """Return the shipped encoder of captions."""
    return TRANSLATION.load("encoder", CaptionEncoder())


def load_translation(name: str) -> Translation:
    """Return a shipped translation (seed 0): from "captions", "first maps" or "logits"."""
    run = named_run(load_record(), name)
    return TRANSLATION.load(f"translation-{name}", Translation(TranslationSchedule(**run["schedule"])))


def load_regression(depth: str) -> Regression:
    """Return a shipped rival (seed 0): from "first maps" or "logits"."""
    run = named_run(load_record(), depth)
    return TRANSLATION.load(f"regression-{depth}", Regression(TranslationSchedule(**run["schedule"])))


def load_record() -> dict:
    """Return the record of every run."""
    return TRANSLATION.read()


@lru_cache(maxsize=1)
def experts() -> tuple:
    """Return the frozen networks and judges: autoencoder, encoder of captions, and what reads codes to factors."""
    host = load_host("autoencoder")
    return host, load_encoder(), reader(host.decode, load_judge("digits"), load_pose_judge())


@lru_cache(maxsize=1)
def captioned() -> tuple[Captioned, Captioned]:
    """Return pictures with captions to learn from, and others, none of which is among the first, to test on."""
    host, encoder, _ = experts()
    learned = caption_pictures(host, encoder, PICTURES, seed=100)
    return learned, caption_pictures(host, encoder, TESTED, seed=200, without=learned.factors)


@lru_cache(maxsize=1)
def captioned_fully() -> Captioned:
    """Return more such others, 400 whose captions leave nothing out."""
    host, encoder, _ = experts()
    return caption_pictures(host, encoder, 400, 300, FULL, without=captioned()[0].factors)


def fingerprint(*networks: nn.Module) -> str:
    """Return a digest of every tensor that networks hold."""
    return " ".join(tensor_digest(network.state_dict()) for network in networks)


@torch.no_grad()
def measure_captions(translation: Translation, tested: Captioned, seed: int) -> dict:
    """Return every measure of one translation from captions, on pictures that it has not seen."""
    _, encoder, read = experts()
    g = torch.Generator().manual_seed(seed)
    z, embeddings = tested.latents.draw(torch.arange(len(tested.factors)), g), tested.embeddings
    v, drawn = translation(z, embeddings)[0], translation.sample(embeddings, g)
    mean = tested.latents.mean
    full = captioned_fully()
    draws = draws_of(translation, full.embeddings[:100], 32, g)
    pose = read(draws.flatten(0, 1)).view(100, 32, 6)[:, :, 3:].float()
    return dict(
        inverse_error=float((translation.inverse(translation(mean, embeddings)[0], embeddings) - mean).abs().max()),
        nll=float(translation.nll(z, embeddings).mean()),
        nll_shuffled=float(translation.nll(z, embeddings.roll(1, dims=0)).mean()),
        said_nats=float((torch.tensor(SIZES).log() * (tested.stated != UNSAID)).sum(dim=1).mean()),
        agreement=agreement(read(drawn), tested.stated).tolist(),
        rebuilt=(read(mean) == tested.factors).float().mean(dim=0).tolist(),
        rebuilt_with_noise=(read(z) == tested.factors).float().mean(dim=0).tolist(),
        pose_ratio=(pose.var(dim=1).mean(dim=0).sqrt() / read(z)[:, 3:].float().std(dim=0)).tolist(),
        openness=[openness(translation, k, g) for k in range(len(STATED))],
        spread=within_and_total(draws),
        data_spread=float(z.var(dim=0).mean().sqrt()),
        probe=probe_r2(v[:900], tested.factors[:900], [v.shape[1]], train=600)[0].tolist(),
        edits=edit_scores(translation, read, encoder, full, g).tolist(),
        transfer=transfer_scores(translation, read, full).tolist(),
        frechet=distance_to_pictures(drawn, tested.factors),
        frechet_rebuilt=distance_to_pictures(z, tested.factors),
    )


@torch.no_grad()
def openness(translation: Translation, attribute: int, generator: torch.Generator) -> float:
    """Return how freely an attribute varies where a caption leaves it out: 1 if every value is as likely.

    The entropy of the judged values of 200 draws for one caption, over that of ten equal shares; mean of 10 captions.
    """
    _, encoder, read = experts()
    stated = random_stated(10, generator, FULL)
    stated[:, attribute] = UNSAID
    draws = draws_of(translation, encoder.embed(write_all(stated, seed=attribute)), 200, generator)
    values = read(draws.flatten(0, 1)).view(10, 200, 6)[:, :, attribute]
    entropies = torch.stack([value_entropy(row, SIZES[attribute]) for row in values])
    return float(entropies.mean() / torch.tensor(SIZES[attribute]).log())


@torch.no_grad()
def measure_regression(network: Regression, tested: Captioned, seed: int) -> dict:
    """Return the measures of the rival on the captions of pictures that it has not seen."""
    read, full = experts()[2], captioned_fully()
    codes = network(tested.embeddings)
    draws = torch.stack([network(full.embeddings[:100]) for _ in range(4)], dim=1)  # it has nothing to draw: all equal
    z = tested.latents.draw(torch.arange(len(codes)), torch.Generator().manual_seed(seed))
    return dict(
        agreement=agreement(read(codes), tested.stated).tolist(),
        pose_ratio=read_spread(read, draws),
        spread=within_and_total(draws),
        total=float(codes.std(dim=0, correction=0).square().mean().sqrt()),
        data_spread=float(z.var(dim=0).mean().sqrt()),
        frechet=distance_to_pictures(codes, tested.factors),
    )


def read_spread(read, draws: Tensor) -> list[float]:
    """Return the spread of judged position and tilt within a condition, `[3]`, for draws `[conditions, n, d]`."""
    pose = read(draws.flatten(0, 1)).view(*draws.shape[:2], 6)[:, :, 3:].float()
    return pose.var(dim=1, correction=0).mean(dim=0).sqrt().tolist()


def run_captions(case: str, seed: int, keep: bool) -> dict:
    """Train and measure one translation, or the rival, on captions; return its run record.

    Args:
        case: of `CASES`; the ablation "shuffled captions" learns from captions of other pictures.
        seed: of weights, batches and measures.
        keep: write the network into `data/`.
    """
    learned, tested = captioned()
    host, encoder, read = experts()
    before, start = fingerprint(host, encoder), time.perf_counter()
    if case == "regression":
        network, losses = train_regression(
            learned.latents, learned.embeddings, replace(SCHEDULE, steps=REGRESSION_STEPS, seed=seed)
        )
        schedule = dict(steps=REGRESSION_STEPS)
    else:
        spoilt = {"no caption": None, "shuffled captions": learned.embeddings.roll(1, dims=0)}
        conditions = spoilt.get(case, learned.embeddings)
        schedule = dict(asdict(SCHEDULE), seed=seed, shape=() if conditions is None else SCHEDULE.shape)
        network, losses = train_translation(learned.latents, conditions, TranslationSchedule(**schedule))
    seconds = round(time.perf_counter() - start, 1)
    unchanged, network = fingerprint(host, encoder) == before, rounded(network)
    if keep:
        TRANSLATION.keep({f"translation-{case}": network}, half=True)
    with torch.no_grad():
        g = torch.Generator().manual_seed(seed)
        z = tested.latents.draw(torch.arange(len(tested.factors)), g)
        if case == "captions":
            scores = measure_captions(network, tested, seed)
        elif case == "regression":
            scores = measure_regression(network, tested, seed)
        elif case == "no caption":
            v = network(z)[0]
            probe = probe_r2(v[:900], tested.factors[:900], [v.shape[1]], train=600)[0].tolist()
            drawn = network.inverse(torch.randn(z.shape, generator=g))
            scores = dict(
                nll=float(network.nll(z).mean()), probe=probe, frechet=distance_to_pictures(drawn, tested.factors)
            )
        else:
            drawn = network.sample(tested.embeddings, g)
            scores = dict(
                nll=float(network.nll(z, tested.embeddings).mean()),
                agreement=agreement(read(drawn), tested.stated).tolist(),
            )
    return dict(case=case, seed=seed, schedule=schedule, pictures=len(learned.factors), tested=len(tested.factors),
                seconds=seconds, losses=[round(loss, 3) for loss in losses], experts_unchanged=unchanged,
                scores=scores)  # fmt: skip


def run_reading(seed: int) -> dict:
    """Train an encoder that reads in order and a bag of words; return how often each reads new captions right."""
    stated = random_stated(4_000, torch.Generator().manual_seed(10_000 + seed))
    captions, words = write_all(stated, 20_000 + seed), random.Random(30_000 + seed)
    texts = dict(clean=captions, distorted=[distort(caption, words) for caption in captions])
    learned = set(distorted_captions(LEARNED, torch.Generator().manual_seed(100 + seed), 100 + seed)[1])
    new = {
        wording: [k for k, caption in enumerate(written) if caption not in learned]
        for wording, written in texts.items()
    }
    scores, start = {}, time.perf_counter()
    for name, ordered in (("in order", True), ("bag of words", False)):
        encoder = train_caption_encoder(seed=100 + seed, ordered=ordered)
        scores[name] = {}
        for wording, rows in new.items():
            right = encoder.read(tokens([texts[wording][k] for k in rows])) == stated[rows]
            scores[name][wording] = right.float().mean(dim=0).tolist()
    return dict(case="reading", seed=seed, seconds=round(time.perf_counter() - start, 1), scores=scores)


def translate(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: of `PARTS`, "host-encoder" or "host-poses"; all when empty.
        seeds: of the trainings; 0 to 4 if left out, of remedies 0 alone. Seed 0 of what the lesson draws with is
            stored.

    Raises:
        ValueError: for an unknown part.
    """
    hosts = {"host-encoder": ("encoder", train_caption_encoder), "host-poses": ("poses", train_pose_judge)}
    chosen = chosen_parts(parts, (*hosts, *PARTS))
    for name, train in (hosts[part] for part in chosen if part in hosts):
        TRANSLATION.keep_host(name, train)
    trainings = [part for part in chosen if part not in hosts]
    seeds_of = lambda part: seeds or (range(1) if part == "remedies" else SEEDS)  # noqa: E731
    record_runs(TRANSLATION, trainings, seeds_of, _runs, lambda run: f"{run['seconds']:.0f} s, {run['scores']}")


def _runs(part: str, seed: int) -> Iterator[dict]:
    """Give the run records of a part that is not a host; ship what is shipped of seed 0."""
    if part == "reading":
        yield run_reading(seed)
    elif part in CASES:
        yield run_captions(part, seed, keep=seed == 0 and part in SHIPPED)
    elif part in DEPTHS:
        run, networks = run_depth(part, seed)
        if seed == 0 and part in SHIPPED:
            TRANSLATION.keep({f"{name}-{part}": network for name, network in networks.items()}, half=True)
        yield run
    else:
        for remedy in REMEDIES:
            yield from (run_depth(depth, seed, remedy)[0] for depth in DEPTHS)
