"""What the shipped models of rooms show: the judges are trained, the models scored, and both recorded."""

from __future__ import annotations

import time
from dataclasses import asdict

from wwlib.base.shelf import rounded
from wwlib.experiments.parts import chosen_parts, record_runs
from wwlib.metrics.seen.drawings import score_drawings
from wwlib.metrics.seen.judges import PLANS, SHELF, JudgePlan, PartOfRooms, fitness, train_room_judge
from wwlib.models.shipped import load_model, shipped_names, shipped_record

SEED = 0  # of base codes, pairs and pictures


def load_record() -> dict:
    """Return the record of the judges and of every model that they have looked at."""
    return SHELF.read()


def rooms_models() -> list[str]:
    """Return the names of the shipped models that draw rooms."""
    return [name for name in shipped_names() if shipped_record(name).get("config", {}).get("dataset") == "shapes3d"]


def remake_seen(parts: list[str], seeds: list[int] | None = None) -> None:
    """Make the parts that are named, and bring weights and record up to date.

    Args:
        parts: names of judges, such as "judge-32", and of shipped models of rooms; all when empty.
        seeds: of the measures; 0 if left out.

    Raises:
        ValueError: for an unknown part.
    """
    plans, models = {plan.name: plan for plan in PLANS}, rooms_models()
    chosen = chosen_parts(parts, (*plans, *models))
    for plan in (plans[part] for part in chosen if part in plans):
        make_judge(plan)
    record_runs(SHELF, [part for part in chosen if part in models], lambda _: seeds or [SEED], _runs, _text)


def make_judge(plan: JudgePlan) -> None:
    """Train a judge of rooms, write its weights, and record how it was made and how well it reads held-out rooms."""
    start = time.perf_counter()
    judge = rounded(train_room_judge(plan))
    seconds = round(time.perf_counter() - start, 1)
    SHELF.keep({plan.name: judge}, half=True)
    read = fitness(judge, PartOfRooms(plan.resolution, held_out=True))
    about = asdict(plan) | dict(seconds=seconds, factors=PartOfRooms.factor_names, **asdict(read))
    SHELF.note_host(plan.name, seconds)
    SHELF.note(lambda record: record.setdefault("judges", {}).update({plan.name: about}))
    print(f"judge {plan.name}: {seconds:.0f} s, right {min(read.accuracy):.3f} and more", flush=True)


def _runs(name: str, seed: int) -> list[dict]:
    model, start = load_model(name), time.perf_counter()
    scores = score_drawings(model.generator, model.config.resolution, seed).record()
    return [dict(case=name, seed=seed, seconds=round(time.perf_counter() - start, 1), scores=scores)]


def _text(run: dict) -> str:
    scores = run["scores"]
    figures = ", ".join(f"{name} {scores[name]:.2f}" for name in ("purity", "compactness", "vp", "distance", "real"))
    return f"{run['seconds']:.0f} s, {figures}"
