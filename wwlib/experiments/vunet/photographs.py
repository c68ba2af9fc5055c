"""Lesson 12 on real photographs: shoes and bags of Fashion-MNIST, drawn from their edges and a code of appearance."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from wwlib.appearance.vunet import Schedule, VUNet, train_vunet
from wwlib.base.shelf import rounded
from wwlib.datasets.domains import edges
from wwlib.datasets.fashion import FOLDER, SHOES, load_fashion, load_held_out
from wwlib.experiments.vunet.runs import VUNET, load_vunet

CASE = "photographs"
SCHEDULE = Schedule()


def outlines(images: Tensor) -> Tensor:
    """Return the edges of grey pictures `[n, 1, 32, 32]` as black and white lines, `[n, 3, 32, 32]`, three times alike.

    Lines are on or off: how strong an edge is would tell the tone of the product.
    """
    return (edges(images) > 0).float().expand(-1, 3, -1, -1)


def held_out(shoes: int = 8, bags: int = 8) -> Tensor:
    """Return photographs that no network learned from, the shoes first, `[shoes + bags, 3, 32, 32]` in [-1, 1]."""
    kept = load_held_out()
    pictures = [kept.of(classes).images(slice(n)) for classes, n in ((SHOES, shoes), (("bag",), bags))]
    return torch.cat(pictures).expand(-1, 3, -1, -1)


def load_photographs_model() -> VUNet:
    """Return the shipped Variational U-Net of shoes and bags."""
    return load_vunet(CASE)


def run_photographs(folder: str | Path = FOLDER) -> dict:
    """Train on the photographs of the published training split; ship the network and return the run record.

    Args:
        folder: holds the published files.

    Raises:
        FileNotFoundError: where Fashion-MNIST is not installed.
    """
    photographs = load_fashion(folder, "train", (*SHOES, "bag"))

    def batch_of(schedule: Schedule, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = photographs.sample_images(schedule.batch, generator)
        return x.expand(-1, 3, -1, -1), outlines(x)

    start = time.perf_counter()
    model, history = train_vunet(SCHEDULE, batch_of)
    seconds, model = round(time.perf_counter() - start, 1), rounded(model)
    VUNET.keep({CASE: model}, half=True)
    return dict(case=CASE, seed=SCHEDULE.seed, schedule=asdict(SCHEDULE), pictures=len(photographs), seconds=seconds,
                history=history[::4] + history[-1:], scores=tone_scores(model))  # fmt: skip


@torch.no_grad()
def tone_scores(model: VUNet) -> dict:
    """Return how well a transfer takes over the tone of the product on photographs that were not learned from.

    `tone` is the correlation of mean brightness inside the outline between the picture whose appearance is asked for
    and the drawn one; `tone_of_outline` is that with the picture whose edges were given.
    """
    g, images = torch.Generator().manual_seed(0), held_out(200, 200)
    lines, other = outlines(images[:, :1]), torch.randperm(400, generator=g)
    drawn = model.transfer(images[other], lines[other], lines, g)
    inside = (images[:, :1] > -0.9).float()
    tone = lambda x, mask: (x.mean(dim=1, keepdim=True) * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))  # noqa: E731
    shown, asked, given = tone(drawn, inside), tone(images, inside)[other], tone(images, inside)
    correlation = lambda a, b: float(torch.corrcoef(torch.stack([a, b]))[0, 1])  # noqa: E731
    return dict(tone=correlation(shown, asked), tone_of_outline=correlation(shown, given))
