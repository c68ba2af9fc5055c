"""Lesson 18's trainings and their record: a classifier at four moments, and a translation for each of its layers."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.descent import descend
from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf, named_run, rounded
from wwlib.datasets.glyphs import Glyphs
from wwlib.experiments.hosts import load_host, load_judge
from wwlib.experiments.interpretation.runs import load_interpretation
from wwlib.experiments.invariances.attacks import ATTACKED, DRAWS, LARGE, SURE, THOROUGH, attacked
from wwlib.flows.invariances import concept_shares, cut, value_entropy
from wwlib.flows.latents import Latents, encode_pictures
from wwlib.flows.translation import Translation, TranslationSchedule, draws_of, train_translation
from wwlib.models.judges import Judge, new_judge

SHELF = Shelf(DATA / "invariances-weights.safetensors", DATA / "invariances.json", "python -m wwlib remake invariances")
SHARED = ("digit", "ink", "paper")
BLOCKS = ("residual", *SHARED)  # of lesson 17's interpretation
LAYERS = ("conv1", "conv2", "features", "logits")
MOMENTS = (5, 40, 80, 400)  # steps of the classifier's training at which it is kept
EXAMPLES = 256  # pictures that the classifier learns from
SCHEDULE = dict(blocks=6, hidden=128, embedding=32, steps=700, batch=128)
PICTURES, TESTED = 12_288, 600
SHIPPED = ((400, "conv1"), (400, "conv2"), (400, "logits"), (5, "logits"))


@dataclass(frozen=True)
class LayerCase:
    """What a translation explains: a layer of the classifier at one moment of training, and how it is spoilt, if so.

    Args:
        moment: steps of training, one of `MOMENTS`.
        layer: one of `LAYERS`.
        spoilt: "" as it is; "shuffled" gives every picture another's condition; "softmax" takes the probabilities.
    """

    moment: int
    layer: str
    spoilt: str = ""

    def __post_init__(self):
        if self.moment not in MOMENTS or self.layer not in LAYERS or self.spoilt not in ("", "shuffled", "softmax"):
            raise ValueError(f"moment, layer and spoilt must be among {MOMENTS}, {LAYERS} and ('', 'shuffled', "
                             f"'softmax'), got {self.moment}, {self.layer!r} and {self.spoilt!r}")  # fmt: skip

    @property
    def case(self) -> str:
        """The name under which it is recorded."""
        return f"{self.moment} {self.layer}" + (f" {self.spoilt}" if self.spoilt else "")


OVER_LAYERS = tuple(LayerCase(MOMENTS[-1], layer) for layer in reversed(LAYERS))
OVER_TIME = tuple(LayerCase(moment, "logits") for moment in MOMENTS[:-1])
ABLATIONS = tuple(LayerCase(MOMENTS[-1], "logits", spoilt) for spoilt in ("shuffled", "softmax"))
BEFORE = tuple(LayerCase(MOMENTS[0], layer) for layer in LAYERS[:-1])
PARTS = {"layers": OVER_LAYERS, "time": OVER_TIME, "ablations": ABLATIONS, "first": BEFORE}


def taught_digits(random: torch.Generator) -> Tensor:
    """Draw the factors of the digits that a classifier learns from; `random` is fresh, with the classifier's seed."""
    return Glyphs().sample_factors(EXAMPLES, random)


def train_classifiers(seed: int = 0, steps: tuple[int, ...] = MOMENTS) -> dict[int, Judge]:
    """Train a classifier of digits on few pictures, and return it as it was after each of some numbers of steps.

    Few pictures make a classifier as one meets them: good on new pictures, and easy to attack.

    Args:
        seed: of weights, pictures and batches.
        steps: ascending.
    """
    classifier, random, kept = new_judge((10,), seed, features=32), torch.Generator().manual_seed(seed), {}
    factors = taught_digits(random)
    images, labels = Glyphs().images(factors), factors[:, 0]

    def loss_at(step: int) -> Tensor:
        if step in steps:
            kept[step] = copy.deepcopy(classifier).eval().requires_grad_(False)
        rows = torch.randint(EXAMPLES, (64,), generator=random)
        return F.cross_entropy(classifier(images[rows])[0], labels[rows])

    descend(classifier, loss_at, steps[-1], 1e-3)
    return kept | {steps[-1]: classifier}


@lru_cache(maxsize=1)
def learned_codes(n: int | None = None) -> tuple[Latents, Tensor]:
    """Return the autoencoder's codes of the digits to learn from, `n` or as many as were recorded, and all factors."""
    return encode_pictures(load_host("autoencoder"), Glyphs(), n or PICTURES, SHARED, seed=100)


@lru_cache(maxsize=1)
def unseen_codes(seed: int) -> tuple[Latents, Tensor]:
    """Return codes of other digits, which neither translations nor the classifier of a seed have seen, and factors."""
    learned = Glyphs().sample_factors(PICTURES, torch.Generator().manual_seed(100))
    seen = torch.cat([learned, taught_digits(torch.Generator().manual_seed(seed))])
    return encode_pictures(load_host("autoencoder"), Glyphs(), TESTED, SHARED, seed=200, without=seen)


@torch.no_grad()
def conditions_of(classifier: Judge, layer_case: LayerCase, factors: Tensor, noise: float = 0.0) -> Tensor:
    """Return what a layer says of the digits with some factors, `[n, ...]`; once, for the classifier is frozen.

    Args:
        classifier, layer_case: the layer.
        factors: `[n, 6]`.
        noise: largest amplitude of a pattern of plus and minus that is added, another for each picture.
    """
    data, (phi, _), random = Glyphs(), cut(classifier, layer_case.layer), torch.Generator().manual_seed(0)

    def seen(part: Tensor) -> Tensor:
        images = data.images(part)
        if not noise:
            return images
        signs = torch.randint(2, images.shape, generator=random) * 2 - 1
        return images + signs * noise * torch.rand(len(images), 1, 1, 1, generator=random)

    found = torch.cat([phi(seen(part)) for part in factors.split(512)])
    if layer_case.spoilt == "shuffled":
        return found[torch.randperm(len(found), generator=torch.Generator().manual_seed(0))]
    return found.softmax(dim=1) if layer_case.spoilt == "softmax" else found


def accuracy(classifier: Judge, seed: int, n: int = 2_000) -> float:
    """Return how many digits that it has not seen a classifier of a seed reads rightly."""
    random = torch.Generator()
    taught = taught_digits(random.manual_seed(seed))
    factors = Glyphs().sample_unseen(n, random.manual_seed(400), taught)
    return float((classifier.verdict(Glyphs().images(factors))[:, 0] == factors[:, 0]).float().mean())


@torch.no_grad()
def measure(classifier: Judge, layer_case: LayerCase, translation: Translation, seed: int = 0) -> dict:
    """Return every measure of one translation on pictures that neither it nor the classifier has seen.

    Args:
        classifier: at the moment of the layer case.
        layer_case: what was translated.
        translation: trained.
        seed: of the classifier, noise and draws.
    """
    host, judge, (interpretation, sizes) = (
        load_host("autoencoder"),
        load_judge("digits"),
        load_interpretation("autoencoder"),
    )
    latents, factors = unseen_codes(seed)
    random = torch.Generator().manual_seed(seed)
    conditions = conditions_of(classifier, layer_case, factors)
    drawn = draws_of(translation, conditions, DRAWS, random)
    pictures = host.decode(drawn.flatten(0, 1))
    seen = torch.cat([judge.verdict(part) for part in pictures.split(512)]).unflatten(0, (TESTED, DRAWS))
    again = torch.cat([classifier.verdict(part) for part in pictures.split(512)])[:, 0].unflatten(0, (TESTED, DRAWS))
    images = Glyphs().images(factors)
    said = classifier.verdict(images)
    noisy = latents.draw(torch.arange(TESTED), random)
    residual = translation(noisy, conditions)[0]
    z = latents.mean
    scores = dict(
        shares=concept_shares(drawn, interpretation, sizes, BLOCKS),
        nll=float(translation.nll(noisy, conditions).mean()),
        residual_std=float(residual.std(dim=0).mean()),
        inverse_error=float((translation.inverse(translation(z, conditions)[0], conditions) - z).abs().max()),
        prediction_kept=float((again == said).float().mean()),
        rebuilt_kept=float((classifier.verdict(host.decode(noisy)) == said).float().mean()),
        factor_kept=(seen == latents.factors[:, None]).float().mean(dim=(0, 1)).tolist(),
        entropy={name: float(value_entropy(seen[..., k], 10)) for k, name in enumerate(SHARED)},
        data_entropy={name: float(value_entropy(latents.factors[:, k], 10)) for k, name in enumerate(SHARED)},
    )
    if layer_case.moment == MOMENTS[-1] and not layer_case.spoilt:
        scores["attack"] = attacked(classifier, layer_case.layer, translation, images, factors[:, 0], random)
    return scores


def explain(classifier: Judge, layer_case: LayerCase, seed: int, thorough: bool = False) -> tuple[Translation, dict]:
    """Train and measure one translation; return it and its run record.

    Args:
        classifier: at the moment of the layer case.
        layer_case: what is translated.
        seed: of the classifier, the translation and its measures.
        thorough: train as for the second attack.
    """
    latents, factors = learned_codes()
    conditions = conditions_of(classifier, layer_case, factors)
    if thorough:
        conditions = torch.cat([conditions, conditions_of(classifier, layer_case, factors, THOROUGH["noise"])])
        latents = Latents(*(torch.cat([x, x]) for x in (latents.mean, latents.std, latents.factors)))
    sizes = SCHEDULE | (dict(steps=THOROUGH["steps"]) if thorough else {})
    plan = TranslationSchedule(latents.mean.shape[1], tuple(conditions.shape[1:]), **sizes, seed=seed)
    start = time.perf_counter()
    translation, losses = train_translation(latents, conditions, plan)
    seconds = round(time.perf_counter() - start, 1)
    translation = rounded(translation)
    return translation, dict(
        case=layer_case.case,
        seed=seed,
        moment=layer_case.moment,
        layer=layer_case.layer,
        spoilt=layer_case.spoilt,
        schedule=asdict(plan),
        accuracy=accuracy(classifier, seed),
        seconds=seconds,
        losses=[round(loss, 3) for loss in losses],
        scores=measure(classifier, layer_case, translation, seed),
    )


def explain_attack(classifier: Judge, layer: str, seed: int) -> dict:
    """Train thoroughly at a layer and attack with the large step; return the run record.

    Its scores hold "attack", with the small step, "attack_large", with the large one, "attack_sure", of those only
    after which the classifier is sure of its wrong answer, and "attack_seen", of those among them in which another
    network, lesson 19's judge of poses, still sees the true digit.

    Raises:
        FileNotFoundError: if that judge was not made yet (`python -m wwlib remake translation host-poses`).
    """
    from wwlib.experiments.hosts import load_pose_judge  # lesson 19's; what lesson 18 itself shows needs nothing of it

    layer_case, kinds = LayerCase(MOMENTS[-1], layer), {"attack_large": (0.0, None), "attack_sure": (SURE, None)}
    kinds["attack_seen"] = (SURE, load_pose_judge())
    translation, run = explain(classifier, layer_case, seed, thorough=True)
    factors = unseen_codes(seed)[1]
    images, random = Glyphs().images(factors), torch.Generator().manual_seed(seed)
    for name, (sure, witness) in kinds.items():
        run["scores"][name] = attacked(
            classifier, layer, translation, images, factors[:, 0], random, LARGE, sure, witness
        )
    return run | dict(case=f"attack {layer}")


def ceiling() -> dict[str, float]:
    """Return S if a condition told the autoencoder's whole code: below 1, since every code carries noise of its own."""
    interpretation, sizes = load_interpretation("autoencoder")
    latents, random = unseen_codes(0)[0], torch.Generator()
    drawn = [latents.draw(torch.arange(TESTED), random.manual_seed(draw)) for draw in range(DRAWS)]
    return concept_shares(torch.stack(drawn, dim=1), interpretation, sizes, BLOCKS)


def load_classifiers() -> dict[int, Judge]:
    """Return the shipped classifier (seed 0) at its four moments."""
    return {moment: SHELF.load(f"classifier-{moment}", new_judge((10,), 0, features=32)) for moment in MOMENTS}


def load_explanation(moment: int, layer: str) -> Translation:
    """Return the shipped translation of a layer at a moment (seed 0).

    Raises:
        ValueError: if it is not among `SHIPPED`.
    """
    if (moment, layer) not in SHIPPED:
        raise ValueError(f"moment and layer must be among {SHIPPED}, got {moment} and {layer!r}")
    case = LayerCase(moment, layer).case
    run = named_run(load_record(), case)
    return SHELF.load(f"explain-{case}", Translation(TranslationSchedule(**run["schedule"])))


def load_record() -> dict:
    """Return the record of every run."""
    return SHELF.read()


def invariances(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date; every seed has its own classifier.

    Args:
        parts: names of `PARTS`, or "attack"; all when empty.
        seeds: of classifiers and translations; 0 to 4 if left out.

    Raises:
        ValueError: for an unknown part.
    """
    known = (*PARTS, "attack")
    if unknown := sorted(set(parts) - set(known)):
        raise ValueError(f"parts must be among {known}, got {unknown}")
    SHELF.note(lambda record: record.update(ceiling=ceiling()))
    parts = parts or [*known]
    for seed in seeds or range(5):
        asked = [layer_case for part in PARTS if part in parts for layer_case in PARTS[part]]
        _explain_all(asked, seed, "attack" in parts)


def _explain_all(asked: list[LayerCase], seed: int, attacks: bool) -> None:
    """Record a translation for every layer case, and the second attack if wanted; ship what is shipped of seed 0."""
    start = time.perf_counter()
    classifiers = {moment: rounded(classifier) for moment, classifier in train_classifiers(seed).items()}
    SHELF.note_host(f"classifier, seed {seed}", time.perf_counter() - start)
    kept: dict[str, nn.Module] = {f"classifier-{moment}": classifier for moment, classifier in classifiers.items()}
    for layer_case in asked:
        translation, run = explain(classifiers[layer_case.moment], layer_case, seed)
        SHELF.note_run(run)
        if not layer_case.spoilt and (layer_case.moment, layer_case.layer) in SHIPPED:
            kept[f"explain-{layer_case.case}"] = translation
        shares = ", ".join(f"{name} {share:.2f}" for name, share in run["scores"]["shares"].items())
        print(f"{run['case']}, seed {seed}: {run['seconds']:.0f} s, {shares}", flush=True)
    if seed == 0 and asked:
        SHELF.keep(kept, half=True)
    for layer in ATTACKED if attacks else ():
        run = explain_attack(classifiers[MOMENTS[-1]], layer, seed)
        SHELF.note_run(run)
        found = run["scores"]["attack_seen"]
        print(f"{run['case']}, seed {seed}: true {found['true']:.2f}, wrong {found['wrong']:.2f}", flush=True)
