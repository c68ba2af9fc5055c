"""Lesson 19's translations and their record: the criteria of the specification, on what was recorded and live."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from wwlib.datasets.captions import STATED
from wwlib.datasets.glyphs import Glyphs
from wwlib.experiments.criteria import threshold
from wwlib.experiments.hosts import load_host, load_pose_judge
from wwlib.experiments.translation import tables as translated
from wwlib.experiments.translation.depths import PICTURES, REMEDIES, distance_to_pictures
from wwlib.experiments.translation.runs import (
    CASES,
    FULL,
    SCHEDULE,
    SHIPPED,
    TRANSLATION,
    experts,
    fingerprint,
    load_record,
    load_regression,
    load_translation,
    translate,
)
from wwlib.flows.regression import train_regression
from wwlib.flows.text_to_image import (
    DEPTHS,
    agreement,
    at_depth,
    caption_pictures,
    edit_scores,
    transfer_scores,
    within_and_total,
)
from wwlib.flows.translation import TranslationSchedule, draws_of, train_translation


@pytest.fixture(scope="module")
def record():
    return load_record()


@pytest.fixture(scope="module")
def unseen():
    """Four hundred pictures with captions that are not among those of the training."""
    host, encoder, _ = experts()
    learned = Glyphs().sample_factors(PICTURES, torch.Generator().manual_seed(100))
    return caption_pictures(host, encoder, 400, 4000, without=learned)


@pytest.fixture(scope="module")
def pairs():
    """Pairs for short trainings."""
    host, encoder, _ = experts()
    return caption_pictures(host, encoder, 1500, 5000)


# the record


def test_every_case_was_run_over_five_seeds(record):
    for case in (*CASES, *DEPTHS, "reading"):
        assert [run["seed"] for run in record["runs"] if run["case"] == case] == [0, 1, 2, 3, 4]
    assert record["command"] == "python -m wwlib remake translation"
    assert {"encoder", "poses"} <= set(record["hosts"])


def test_the_translations_meet_the_criteria(record):
    found = {
        name: translated.translation_values(record, "captions", name)
        for name in ("inverse_error", "agreement", "pose_ratio")
    }
    assert found["inverse_error"].max() < 1e-4
    assert found["agreement"].min() >= translated.AGREEMENT
    assert found["pose_ratio"].min() >= translated.POSE[0]
    assert found["pose_ratio"].max() <= translated.POSE[1]
    assert translated.nats_gained(record).min() >= translated.NATS
    assert all(run["experts_unchanged"] for run in record["runs"] if run["case"] in CASES)


def test_a_wrong_caption_is_worse_than_none_and_to_learn_from_wrong_ones_teaches_nothing(record):
    none = translated.translation_values(record, "no caption", "nll")
    assert (translated.translation_values(record, "captions", "nll_shuffled") > none + 50).all()
    assert (translated.translation_values(record, "shuffled captions", "nll") > none).all()
    taught = translated.translation_values(record, "captions", "agreement").min(axis=0)
    assert (taught - translated.translation_values(record, "shuffled captions", "agreement").max(axis=0) > 0.6).all()


def test_the_residual_holds_the_pose_and_not_the_caption(record):
    with_captions = translated.translation_values(record, "captions", "probe")
    without = translated.translation_values(record, "no caption", "probe")
    assert with_captions[:, :3].max() < 0.05
    assert without[:, :3].min() > 0.05
    assert without[:, 0].min() > 0.25
    assert with_captions[:, 3:5].min() > 0.2
    assert with_captions[:, 5].min() > 0.03  # the tilt is hard to read from anything


def test_the_regression_has_no_spread_within_a_caption_and_too_little_altogether(record):
    within, _ = translated.translation_values(record, "regression", "spread").T
    assert (within == 0).all()
    total, data = (translated.translation_values(record, "regression", name) for name in ("total", "data_spread"))
    assert (total / data).max() < 0.8
    flow, mlp = (translated.translation_values(record, case, "frechet") for case in ("captions", "regression"))
    assert mlp.min() > 5 * flow.max()


def test_the_regression_collapses_with_depth_and_the_translation_gets_worse_by_far_less(record):
    """The specification wanted no rise of the translation's distance with depth: that is missed, as the lesson says."""
    flow, mlp = (
        np.array([translated.translation_values(record, depth, f"{model}/frechet") for depth in DEPTHS])
        for model in ("translation", "regression")
    )
    assert (mlp[1] > 3 * mlp[0]).all()
    assert (mlp[2] > 3 * mlp[1]).all()
    assert (mlp[2] > 100 * mlp[0]).all()
    assert (mlp[2] > 20 * flow[2]).all()
    assert (flow[2] > 2 * flow[0]).all()  # the miss
    assert (flow[2] < 6 * flow[0]).all()
    assert flow[2].mean() < flow[1].mean()


def test_at_the_first_maps_the_regression_is_good_enough(record):
    """The paper's own table has the plain network ahead there."""
    names = ("regression/right", "translation/right", "regression/frechet", "rebuilt/frechet")
    mlp, flow, distance, floor = (translated.translation_values(record, "first maps", name) for name in names)
    assert (mlp >= flow).all()
    assert (distance < 2 * floor).all()


def test_an_edit_changes_its_word_and_a_transfer_divides_the_factors(record):
    edits, transfer = (translated.translation_values(record, "captions", name) for name in ("edits", "transfer"))
    assert edits[:, :, :3].min() >= 0.9
    caption, residual = transfer[:, 0], transfer[:, 1]
    assert caption[:, :3].min() >= 0.9
    assert residual[:, :3].max() < 0.05
    assert (residual[:, 3:] > caption[:, 3:] + 0.2).all()


def test_word_order_is_what_a_bag_cannot_know(record):
    ordered, bag = (
        translated.translation_values(record, "reading", f"{name}/clean") for name in ("in order", "bag of words")
    )
    assert ordered.min() > 0.99
    assert bag[:, 1:].max() < 0.95
    assert bag[:, 0].min() > 0.99


# the shipped networks, and short trainings


def test_what_is_shipped_is_small_and_holds_no_path():
    assert TRANSLATION.weights.stat().st_size + TRANSLATION.record.stat().st_size < 5e6
    assert "/tmp" not in TRANSLATION.record.read_text()
    assert json.loads(TRANSLATION.record.read_text())["runs"]


@torch.no_grad()
def test_the_shipped_translation_is_the_recorded_one(record, unseen, generator):
    _, encoder, read = experts()
    translation = load_translation("captions")
    z, said = unseen.latents.draw(torch.arange(len(unseen.factors)), generator), unseen.embeddings
    assert (translation.inverse(translation(z, said)[0], said) - z).abs().max() < 1e-4
    recorded = translated.translation_values(record, "captions", "agreement")
    found = agreement(read(translation.sample(said, generator)), unseen.stated)
    for k in range(len(STATED)):
        assert found[k] > threshold(recorded[:, k]) - 0.03  # four hundred pictures scatter by about 0.015
    assert translation.nll(z, said.roll(1, 0)).mean() > translation.nll(z, said).mean() + 50
    full = caption_pictures(load_host("autoencoder"), encoder, 100, 7000, FULL)
    assert edit_scores(translation, read, encoder, full, generator)[:, :3].min() > 0.85
    caption, residual = transfer_scores(translation, read, full)
    assert caption[:3].min() > 0.9
    assert (residual[3:] > caption[3:]).all()
    pose = read(draws_of(translation, full.embeddings[:20], 32, generator).flatten(0, 1)).view(20, 32, 6)[:, :, 3:]
    data = read(z)[:, 3:].float().std(dim=0)
    assert ((pose.float().var(dim=1).mean(dim=0).sqrt() / data - 1).abs() < 0.2).all()


@torch.no_grad()
def test_the_judge_of_poses_reads_real_pictures():
    factors = Glyphs().sample_factors(600, torch.Generator().manual_seed(9))
    right = (load_pose_judge().verdict(Glyphs().images(factors)) == factors).float().mean(dim=0)
    assert right[[0, 1, 2, 3, 4]].min() > 0.97
    assert right[5] > 0.85


@torch.no_grad()
def test_from_logits_the_shipped_regression_is_far_from_pictures_and_the_translation_near(generator):
    classifier = load_host("classifier").classifier
    factors = Glyphs().sample_factors(400, generator)
    found = {}
    for depth in ("first maps", "logits"):
        heard = at_depth(classifier, Glyphs().images(factors), depth)
        codes = load_translation(depth).sample(heard, generator), load_regression(depth)(heard)
        found[depth] = [distance_to_pictures(code, factors) for code in codes]
    assert found["logits"][1] > 10 * found["logits"][0]
    assert found["first maps"][1] < 0.05 * found["logits"][1]


def test_a_short_training_already_hears_its_captions_and_touches_no_expert(pairs, unseen):
    host, encoder, _ = experts()
    before = fingerprint(host, encoder)
    short = TranslationSchedule(32, (48,), blocks=4, hidden=64, steps=150, rate=4e-3)
    told, losses = train_translation(pairs.latents, pairs.embeddings, short)
    mistold, _ = train_translation(pairs.latents, pairs.embeddings.roll(1, dims=0), short)
    assert fingerprint(host, encoder) == before
    assert losses[-1] < losses[0]
    with torch.no_grad():
        z = unseen.latents.draw(torch.arange(len(unseen.factors)), torch.Generator().manual_seed(0))
        gap = mistold.nll(z, unseen.embeddings).mean() - told.nll(z, unseen.embeddings).mean()
    assert gap > 3


@torch.no_grad()
def test_a_regression_has_one_answer_for_a_caption(pairs, unseen):
    with torch.enable_grad():
        network, _ = train_regression(pairs.latents, pairs.embeddings, replace(SCHEDULE, steps=200))
    draws = torch.stack([network(unseen.embeddings) for _ in range(3)], dim=1)
    within, total = within_and_total(draws)
    assert within == 0
    assert 0.4 < total / unseen.latents.mean.std(dim=0).square().mean().sqrt() < 0.85


# the tables


def test_every_table_is_made(record):
    rows = translated.criteria_table(record).rows
    assert [row[-1] for row in rows[:10]] == ["5 of 5"] * 10
    assert [row[-1] for row in rows[10:]] == ["0 of 5", *["0 of 1"] * len(REMEDIES)]  # the miss, and its remedies
    assert "nan" not in translated.criteria_table(record).markdown()
    assert len(translated.agreement_table(record).rows) == 5
    assert len(translated.likelihood_table(record).rows) == 4
    assert len(translated.probe_table(record).rows) == 2
    assert len(translated.spread_table(record).rows) == 2
    assert len(translated.openness_table(record).rows) == 3
    assert len(translated.edit_table(record).rows) == 4
    assert len(translated.transfer_table(record).rows) == 2
    assert [row[0] for row in translated.depth_table(record).rows][:3] == list(DEPTHS)
    assert len(translated.remedies_table(record).rows) == len(DEPTHS) * len(REMEDIES)
    assert len(translated.depth_reading_table(record).rows) == 6
    assert len(translated.reading_table(record).rows) == 4
    assert "264.0" in translated.paper_table(record).markdown()


def test_unknown_names_are_refused(record):
    with pytest.raises(ValueError, match="case must be one of"):
        translated.translation_values(record, "oracle", "nll")
    with pytest.raises(ValueError, match="measure must be among"):
        translated.translation_values(record, "captions", "beauty")
    with pytest.raises(ValueError, match="parts must be among"):
        translate(["nothing"])
    assert set(SHIPPED) <= {"captions", *DEPTHS}
