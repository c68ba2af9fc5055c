"""Lesson 20's trainings and their record: one image model, its judge, the experts, and a fusion of each over seeds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from wwlib.autoencoder import Autoencoder, train_autoencoder
from wwlib.domains import STYLE, Domains, other_domain
from wwlib.experts import Expert, LayoutNetwork, make_experts, other_label, train_layout
from wwlib.files import digest
from wwlib.fusion import guessing, within_variance
from wwlib.hosts import collect
from wwlib.interpretation import Latents
from wwlib.judges import Judge, frechet_distance, new_judge, train_judge
from wwlib.paths import DATA
from wwlib.regression import Regression, train_regression
from wwlib.shelf import Shelf
from wwlib.translation import Translation, TranslationSchedule, carry, train_translation

SHELF = Shelf(DATA / "fusion-weights.safetensors", DATA / "fusion.json", "python -m wwlib fuse")
JUDGES_TILTS = (-9, -3, 3, 9)  # degrees; the image model sees -12, 0 and 12
JUDGED = (10, 10, 10, 3, 3, 2)  # values of digit, ink, paper, across, down and style
FACTORS = Domains.factor_names[: len(JUDGED)]
PICTURES, TESTED = 16_384, 2_000
STEPS = 7_000  # of the image model's training
PARTS = ("image-model", "judge", "layout")
_MAPS = dict(blocks=6, hidden=96, steps=1000, rate=3e-3)
CASES = {
    "domain": TranslationSchedule(32, (2,), blocks=12, hidden=64, embedding=10),
    "argmax": TranslationSchedule(32, (2, 32, 32), **_MAPS),
    "logits": TranslationSchedule(32, (2, 32, 32), **_MAPS),
    "edges": TranslationSchedule(32, (1, 32, 32), **_MAPS),
    "attributes": TranslationSchedule(32, (30,), blocks=6, hidden=96),
    "both": TranslationSchedule(32, (4, 32, 32), **_MAPS),
}
REMEDIES = {
    # against content that the label alone loses
    "domain, few blocks": replace(CASES["domain"], blocks=3),
    "domain, wide and long": replace(CASES["domain"], blocks=8, hidden=128, steps=1600),
    "domain, few slow blocks": replace(CASES["domain"], blocks=4, hidden=64, rate=5e-4),
    # against an exemplar's ink that is lost, and layouts that leave too little open
    "argmax, long": replace(CASES["argmax"], steps=3000),
    "logits, long": replace(CASES["logits"], steps=3000),
}
SHUFFLED, REGRESSION = "domain, shuffled labels", "argmax, regression"


@dataclass(frozen=True)
class World:
    """Everything frozen, and what the image model made of pictures to learn from and of others."""

    image_model: Autoencoder
    judge: Judge
    experts: dict[str, Expert]
    latents: Latents
    factors: Tensor
    tested: Latents
    tested_factors: Tensor

    def conditions(self, name: str, unseen: bool = False) -> Tensor:
        """Return what an expert says of the pictures to learn from, or of the others, `[n, ...]`."""
        factors = self.tested_factors if unseen else self.factors
        images = torch.cat([Domains().images(part) for part in factors.split(512)])
        return self.experts[name](images, factors)

    @torch.no_grad()
    def verdict(self, z: Tensor) -> Tensor:
        """Return the factors `[n, 6]` that the judge reads from drawings of codes `[n, 32]`."""
        return torch.cat([self.judge.verdict(self.image_model.decode(part)) for part in z.split(256)])

    @torch.no_grad()
    def features(self, z: Tensor) -> Tensor:
        """Return the judge's features `[n, 64]` of drawings of codes `[n, 32]`."""
        return torch.cat([self.judge.features(self.image_model.decode(part)) for part in z.split(256)])


def make_world(
    image_model: Autoencoder, judge: Judge, layout: LayoutNetwork, pictures: int = PICTURES, tested: int = TESTED
) -> World:
    """Encode pictures once; after this no fusion needs the image model's encoder.

    Args:
        image_model, judge, layout: frozen.
        pictures, tested: how many to learn from, and how many to test on; about a quarter of the latter
            occur among the former, since the grid of factors is small.
    """
    data, experts = Domains(), make_experts(layout)
    latents, factors = collect(image_model, data, pictures, ("style",), seed=100)
    unseen, unseen_factors = collect(image_model, data, tested, ("style",), seed=200)
    return World(image_model, judge, experts, latents, factors, unseen, unseen_factors)


def train_part(name: str) -> nn.Module:
    """Train the image model, the judge or the layout network from nothing."""
    if name == "image-model":
        return train_autoencoder(Domains(), steps=STEPS)
    if name == "layout":
        return train_layout(Domains())
    return train_judge(new_judge(JUDGED, 1234), Domains(JUDGES_TILTS), 1_800, seed=4321)


def load_image_model() -> Autoencoder:
    """Return the shipped image model g, frozen."""
    return SHELF.load("image-model", Autoencoder())


def load_judge() -> Judge:
    """Return the shipped judge of both domains, frozen."""
    return SHELF.load("judge", new_judge(JUDGED, 0))


def load_world(pictures: int = PICTURES, tested: int = TESTED) -> World:
    """Return the shipped image model, judge and experts with freshly encoded pictures."""
    return make_world(load_image_model(), load_judge(), SHELF.load("layout", LayoutNetwork()), pictures, tested)


def load_fusion(name: str, schedule: TranslationSchedule | None = None) -> Translation:
    """Return the shipped fusion of an expert (seed 0).

    Args:
        name: of an expert.
        schedule: its sizes, if other than today's.

    Raises:
        ValueError: for an unknown expert.
    """
    if name not in CASES:
        raise ValueError(f"name must be one of {tuple(CASES)}, got {name!r}")
    return SHELF.load(f"fusion-{name}", Translation(schedule or CASES[name]))


def load_record() -> dict:
    """Return the record of every run."""
    return SHELF.read()


def shares(found: Tensor, wanted: Tensor, among: Tensor) -> list[float]:
    """Return for each factor how often it is the wanted one, among the pairs that count.

    Args:
        found, wanted: factors `[n, K]`.
        among: which pairs count, bool `[n, K]`.
    """
    return (((found == wanted) & among).sum(dim=0) / among.sum(dim=0).clamp(min=1)).tolist()


def guidance(found: Tensor, own: Tensor) -> dict[str, list[float]]:
    """Return whose factors drawings show: the content picture's (row i) or the exemplar's (row i - 1).

    Args:
        found: factors that the judge read from the drawings, `[n, K]`.
        own: factors of the content pictures, `[n, K]`.
    """
    exemplar = own.roll(1, dims=0)
    differ = own != exemplar
    return dict(content=shares(found, own, differ), exemplar=shares(found, exemplar, differ))


@torch.no_grad()
def target_error(world: World, codes: Tensor, factors: Tensor) -> float:
    """Return the mean absolute difference per colour value, in [0, 2], between drawings and their true targets.

    Args:
        world: everything frozen.
        codes: of the drawings, `[n, 32]`.
        factors: of the targets, `[n, 7]`.
    """
    parts = zip(codes.split(256), factors.split(256), strict=True)
    errors = [(world.image_model.decode(z) - Domains().images(f)).abs().mean(dim=(1, 2, 3)) for z, f in parts]
    return float(torch.cat(errors).mean())


def measure_domain(world: World, fusion: Translation, conditions: Tensor, noisy: Tensor, seed: int) -> dict:
    """Return what the label's fusion does: flips, keeps, comes back, and what of the label is left in v.

    Args:
        world: everything frozen.
        fusion: of the label.
        conditions: the expert's words on the pictures to test on `[n, ...]`, the true label first.
        noisy: their codes with noise `[n, 32]`.
        seed: of the classifier on v.
    """
    z, truth, other = world.tested.mean, world.tested_factors, other_label(conditions)
    turned = carry(fusion, z, conditions, other)
    found, everywhere = world.verdict(turned), torch.ones(len(z), len(JUDGED), dtype=torch.bool)
    target = other_domain(truth)
    data = Domains()
    counterpart = torch.cat([world.image_model.encode(data.images(part))[0] for part in target.split(256)])
    return dict(
        rebuilt=shares(world.verdict(counterpart), target[:, : len(JUDGED)], everywhere),
        turned=shares(found, target[:, : len(JUDGED)], everywhere),
        round_trip=float((carry(fusion, turned, other, conditions) - z).abs().max()),
        target_error=target_error(world, turned, target),
        target_floor=target_error(world, counterpart, target),
        unturned_error=target_error(world, z, target),
        guessing=guessing(fusion(noisy, conditions)[0], truth[:, STYLE], seed),
    )


@torch.no_grad()
def measure(world: World, name: str, fusion: Translation | Regression, seed: int, conditions: int = 100,
            draws: int = 16) -> dict:  # fmt: skip
    """Return every measure of one fusion on freshly drawn pictures.

    Args:
        world: everything frozen.
        name: of the expert.
        fusion: trained; the regression has no residual, and so draws the same code again and again.
        seed: of noise and draws.
        conditions, draws: how many for the variance within a condition.
    """
    random = torch.Generator().manual_seed(seed)
    said, z = world.conditions(name, unseen=True), world.tested.mean
    own = world.tested_factors[:, : len(JUDGED)]
    sample = (lambda x: fusion.sample(x, random)) if isinstance(fusion, Translation) else fusion
    many = sample(said[:conditions].repeat_interleave(draws, dim=0))
    fresh = sample(said)
    found = world.verdict(fresh)
    scores = dict(
        within=within_variance(world.features(many).unflatten(0, (-1, draws))),
        fresh=guidance(found, own),
        frechet=frechet_distance(world.features(z), world.features(fresh)),
        sampled=shares(found, own, torch.ones_like(own, dtype=torch.bool)),
    )
    if isinstance(fusion, Translation):
        noisy = world.tested.draw(torch.arange(len(z)), random)
        v, guided = fusion(noisy, said)[0], carry(fusion, z.roll(1, 0), said.roll(1, 0), said)
        scores |= dict(
            nll=float(fusion.nll(noisy, said).mean()),
            inverse_error=float((fusion.inverse(fusion(z, said)[0], said) - z).abs().max()),
            std=[float(v.std(dim=0).min()), float(v.std(dim=0).max())],
            guided=guidance(world.verdict(guided), own),
        )
        if name in ("domain", "both"):
            with torch.enable_grad():
                scores |= measure_domain(world, fusion, said, noisy, seed)
    return scores


def run_case(world: World, case: str, seed: int, keep: bool = False) -> dict:
    """Train and measure one fusion, one remedy or one ablation; return its run record.

    Args:
        world: everything frozen.
        case: of `CASES`, `REMEDIES`, or an ablation.
        seed: of the flow, its batches and its measures.
        keep: write it into `data/`.

    Raises:
        RuntimeError: if the image model changed.
    """
    expert = case.split(",")[0]
    schedule = replace(CASES.get(case) or REMEDIES.get(case) or CASES[expert], seed=seed)
    before, conditions = digest(world.image_model.state_dict()), world.conditions(expert)
    if case == SHUFFLED:
        conditions = conditions[torch.randperm(len(conditions), generator=torch.Generator().manual_seed(seed))]
    train = train_regression if case == REGRESSION else train_translation
    start = time.process_time()
    fusion, losses = train(world.latents, conditions, schedule)
    seconds = round(time.process_time() - start, 1)
    if keep:
        SHELF.keep({f"fusion-{case}": fusion}, half=True)
        fusion = load_fusion(case, schedule)
    scores = measure(world, expert, fusion, seed)
    if digest(world.image_model.state_dict()) != before:
        raise RuntimeError(f"the image model changed while {case!r} was trained or measured")
    return dict(
        case=case,
        seed=seed,
        schedule=asdict(schedule),
        seconds=seconds,
        parameters=count(fusion),
        image_model=before,
        losses=[round(loss, 3) for loss in losses],
        scores=scores,
    )


def count(network: nn.Module) -> int:
    """Return the number of a network's parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def fuse(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: of `PARTS`, `CASES`, `REMEDIES`, or an ablation; all when empty.
        seeds: of the fusions; 0 to 4 if left out.

    Raises:
        ValueError: for an unknown part.
    """
    cases = (*CASES, SHUFFLED, REGRESSION, *REMEDIES)
    if unknown := sorted(set(parts) - {*PARTS, *cases}):
        raise ValueError(f"parts must be among {(*PARTS, *cases)}, got {unknown}")
    for part in PARTS:
        if not parts or part in parts:
            start = time.process_time()
            SHELF.keep({part: train_part(part)}, half=True)
            SHELF.note_host(part, time.process_time() - start)
            print(f"{part}: {time.process_time() - start:.0f} CPU-seconds", flush=True)
    wanted = [case for case in cases if not parts or case in parts]
    world = load_world() if wanted else None
    for seed in seeds or range(5):
        for case in wanted:
            run = run_case(world, case, seed, keep=seed == 0 and case in CASES)
            SHELF.note_run(run)
            print(f"{case}, seed {seed}: {run['seconds']:.0f} CPU-seconds", flush=True)
