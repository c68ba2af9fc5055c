"""Examining a model of pictures that people made: path lengths, projection of unseen pictures, transfer, recorded.

Lesson 11 shows what `python -m wwlib remake examination` measured and wrote to `data/lesson11.json`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from wwlib.base.files import save_json
from wwlib.base.paths import DATA
from wwlib.datasets.factors import FactorData
from wwlib.metrics.lengths import PRESETS, tpl
from wwlib.metrics.perceptual import PerceptualDistance
from wwlib.models.editing import project, share_explained, transfer
from wwlib.models.shipped import load_model, shipped_record
from wwlib.training.recipes import make_data

RECORD = DATA / "lesson11.json"
POINTS, TRAVERSALS, THRESHOLD = PRESETS["tpl_small_0.1"]


def examine(name: str, images: int = 32, steps: int = 150, starts: int = 4, path: Path = RECORD) -> dict:
    """Measure a shipped model on pictures it was not trained on and write the record; return it.

    Args:
        name: of the shipped model.
        images: unseen pictures to project and to transfer between.
        steps, starts: of each projection (`editing.project`).
        path: of the record.
    """
    model = load_model(name)
    data = make_data(model.config.dataset, model.config.resolution)
    distance = PerceptualDistance("vgg")
    lengths = tpl(model.generator, distance, TRAVERSALS, POINTS, THRESHOLD)
    record = dict(
        command=f"python -m wwlib remake examination {name}",
        model=name,
        tpl=dict(
            score=round(lengths.score, 4),
            active_codes=lengths.active_codes,
            lengths=[round(value, 4) for value in lengths.lengths.tolist()],
            preset="tpl_small_0.1",
            distance=lengths.provenance,
        ),
        projection=projection_errors(model, data, distance, images, steps, starts),
        transfer=transfer_errors(model, data, images, shipped_record(name)["scores"]["votes"]),
    )
    save_json(path, record)
    return record


def unseen(data: FactorData, n: int, seed: int = 1_000_003) -> Tensor:
    """Draw factors `[n, K]` with a seed no training uses; of millions of pictures a run has met one in a hundred."""
    return data.sample_factors(n, torch.Generator().manual_seed(seed))


def projection_errors(model, data: FactorData, distance, images: int, steps: int, starts: int) -> dict:
    """Return mean errors of reading, of searching, and of two answers that look at no picture or at one of the set.

    `mean picture` answers every picture with the average of them, `nearest of 2,000` with the closest of 2,000 others.
    """
    wanted = data.images(unseen(data, images))
    others = data.images(unseen(data, 2_000, seed=1_000_004))
    nearest = others[torch.cdist(wanted.flatten(1), others.flatten(1)).argmin(dim=1)]
    noise = model.generator.sample_noise(images, torch.Generator().manual_seed(0))
    with torch.no_grad():
        guess = model.generator(model.recogniser(wanted), noise)
    codes, _ = project(model.generator, model.recogniser, wanted, steps=steps, starts=starts)
    with torch.no_grad():
        searched = model.generator(codes, noise)
    answers = {
        "mean picture": wanted.mean(dim=0, keepdim=True).expand_as(wanted),
        "nearest of 2,000": nearest,
        "recogniser's guess": guess,
        "search": searched,
    }
    return dict(
        images=images,
        steps=steps,
        starts=starts,
        errors={
            what: dict(
                squared=round((drawn - wanted).square().mean().item(), 5),
                explained=round(share_explained(drawn, wanted), 4),
                lpips=round(float(distance(drawn.clamp(-1, 1), wanted).mean()), 4),
            )
            for what, drawn in answers.items()
        },
    )


@torch.no_grad()
def transfer_errors(model, data: FactorData, images: int, votes: list[list[int]]) -> list[dict]:
    """Return for each factor the mean error per pixel of taking it from another picture by copying its code.

    Since the factors are known, the wanted picture can be drawn. `none` transfers nothing, `rebuilt` reads and draws
    the wanted picture itself: a perfect transfer would cost as much.
    """
    target, source = unseen(data, images), unseen(data, images, seed=1_000_005)
    before, from_ = data.images(target), data.images(source)
    noise = model.generator.sample_noise(images, torch.Generator().manual_seed(0))
    untouched = model.generator(model.recogniser(before), noise)
    rows = []
    for k, factor in enumerate(data.factor_names):
        code = max(range(model.codes), key=lambda j, k=k: votes[k][j])
        mixed = target.clone()
        mixed[:, k] = source[:, k]
        wanted = data.images(mixed)
        drawn = {
            "none": untouched,
            "transfer": transfer(model.generator, model.recogniser, before, from_, [code]),
            "rebuilt": model.generator(model.recogniser(wanted), noise),
        }
        place = data.footprint(target, factor)[:, None].expand_as(wanted)
        errors = {what: round(((x - wanted).abs()[place].mean() / 2).item(), 4) for what, x in drawn.items()}
        rows.append(dict(factor=factor, code=code, share_of_votes=round(votes[k][code] / sum(votes[k]), 3), **errors))
    return rows
