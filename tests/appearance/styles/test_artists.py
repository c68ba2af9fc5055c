"""Batches of drawings by artists, and the judge that reads them."""

from __future__ import annotations

from dataclasses import replace

import torch

from wwlib.appearance.style import Schedule
from wwlib.appearance.styles.artists import READ, artist_batch, learned_drawings, new_artist_judge, train_artist_judge
from wwlib.appearance.styles.training import train_style
from wwlib.datasets.styles.artists import ARTISTS, Drawings

SHORT = Schedule(steps=2, batch=4, warm_up=0, coloured=True, contrast=1.0, siblings=True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_second_reference_is_always_by_another_artist():
    batch = artist_batch(replace(SHORT, batch=60, siblings=False), seeded())
    assert batch.photos.shape == batch.references.shape == (120, 3, 32, 32)
    assert (batch.families[:60] != batch.families[60:]).all()
    assert set(batch.families.tolist()) == set(range(len(ARTISTS)))
    assert batch.partners is batch.references


def test_families_are_the_artists_of_references_and_partners_and_photos_are_by_any():
    """A judge that never fails stands in: the drawing is looked up among all that can be drawn."""
    factors = torch.cat([learned_drawings().every(artist) for artist in range(len(ARTISTS))])
    known = learned_drawings().images(factors)
    batch = artist_batch(replace(SHORT, batch=10), seeded(1))
    looked_up = lambda images: factors[torch.cdist(images.flatten(1), known.flatten(1)).argmin(dim=1)]  # noqa: E731
    photos, references, partners = map(looked_up, (batch.photos, batch.references, batch.partners))
    assert torch.equal(references[:, 0], batch.families)
    assert torch.equal(partners[:, 0], batch.families)
    assert set(photos[:, 0].tolist()) == set(range(len(ARTISTS)))
    differ = lambda one, other: (one[:, 1:READ] != other[:, 1:READ]).double().mean()  # noqa: E731
    assert differ(references, partners) > 0.4
    assert differ(photos, references) > 0.4


def test_content_and_style_train_on_drawings():
    model, history = train_style(SHORT, draw=artist_batch)
    assert [entry["step"] for entry in history] == [0, 1]
    assert "contrast" in history[0]
    batch = artist_batch(SHORT, seeded(2))
    assert model.transfer(batch.photos, batch.references).shape == (8, 3, 32, 32)


def test_a_judge_reads_artist_and_attributes_and_learns_the_artist_within_a_few_steps():
    judge = train_artist_judge(steps=40)
    drawings = Drawings(test=True)
    factors = drawings.sample_factors(200, seeded(3))
    read = judge.verdict(drawings.images(factors))
    assert read.shape == (200, READ)
    assert (read[:, 0] == factors[:, 0]).double().mean() > 0.8
    again = train_artist_judge(steps=40)
    assert torch.equal(again.verdict(drawings.images(factors)), read)
    assert [head.out_features for head in new_artist_judge().heads] == list(Drawings.factor_sizes[:READ])
