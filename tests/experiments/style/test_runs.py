"""Lesson 16's measures and cases, scaled down; no record is there yet."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.style import Schedule, StyleModel
from wwlib.appearance.styles.judges import HEADS, Verdict, mean_hue, new_style_judge
from wwlib.datasets.styles.paintings import paintings
from wwlib.experiments.style import runs
from wwlib.experiments.style.runs import CASES, SHIPPED, VARIANTS, baselines, draw_gallery, judged, make, measure


@pytest.fixture(scope="module")
def pictures():
    return draw_gallery(60, seed=1)


def test_a_gallery_holds_the_right_answers_and_relatives_of_another_hue(pictures):
    assert torch.equal(pictures.right, paintings(pictures.scene, pictures.style))
    assert torch.equal(pictures.right_relative, paintings(pictures.scene, pictures.relative))
    assert torch.equal(pictures.relative.family, pictures.style.family)
    assert (pictures.relative.hue != pictures.style.hue).all()
    assert (pictures.references - pictures.right).abs().mean() > 0.05  # of other scenes
    assert torch.equal(pictures.style.angle, torch.full((60,), torch.pi / 4))
    assert draw_gallery(60, seed=1, angles=True).style.angle.std() > 0.5


def test_every_measure_of_an_untrained_model_is_there_and_finite(pictures):
    scores = measure(StyleModel().eval(), new_style_judge(), pictures, 40, margin=0.5)
    flat = torch.tensor(
        [number for value in scores.values() for number in (value if hasattr(value, "__len__") else [value])]
    )
    assert flat.isfinite().all()
    assert 0.3 < scores["triplet"] < 0.7  # about its margin
    assert scores["variety"] < 0.1
    assert scores["drift_photo"] >= 0


def test_a_judge_is_asked_for_families_shapes_hues_and_the_angles_of_stripes_alone(pictures, monkeypatch):
    right = Verdict(pictures.style.family, pictures.scene.shape, pictures.style.hue, pictures.style.angle / torch.pi)
    wrong = Verdict((right.family + 1) % 3, (right.shape + 1) % 6, right.hue + 0.5, right.angle + 0.25)
    for seen, share, hue, angle in ((right, 1, 1, 1), (wrong, 0, -1, 0)):
        monkeypatch.setattr(runs, "verdict", lambda *_, seen=seen: seen)
        found = judged(new_style_judge(), pictures.right, pictures.scene, pictures.style)
        assert (found["family"], found["shape"]) == (share, share)
        assert found["hue"] == pytest.approx(hue, abs=1e-5)
        assert found["hue_by_family"] == pytest.approx([hue] * 3, abs=1e-5)
        assert found["angle"] == pytest.approx(angle, abs=1e-5)
        assert found["mean_hue"] > 0.99


def test_cheap_answers_are_judged_beside_the_right_one(pictures):
    found = baselines(new_style_judge(), pictures, 20)
    assert list(found) == [
        "right answer", "right answer of a relative", "the reference itself", "the photo itself",
    ]  # fmt: skip
    assert found["right answer"]["mean_hue"] > 0.99
    assert found["the reference itself"]["mean_hue"] > 0.99
    assert abs(found["right answer of a relative"]["mean_hue"]) < 0.5
    assert mean_hue(pictures.right).shape == (60,)


def test_every_case_changes_what_its_name_says():
    contrast = CASES["contrast"]
    assert CASES["paper"] == Schedule()
    assert replace(contrast, contrast=0.0) == CASES["paper"]
    assert replace(CASES["no triplet"], triplet=contrast.triplet) == contrast
    assert replace(CASES["no disentanglement"], disentangle=contrast.disentangle) == contrast
    assert replace(VARIANTS["family alone"], adversarial=1.0) == contrast
    assert replace(VARIANTS["critic features"], features=0.0) == contrast
    assert replace(CASES["contrast of two paintings"], siblings=False) == contrast
    two = CASES["contrast of two paintings"]
    plain = dict(angles=False, steered=0, more=0, apart=False, margin=two.margin, steps=two.steps)
    assert all(replace(schedule, **plain) == two for schedule in VARIANTS.values() if schedule.angles)
    assert [name for name, schedule in (CASES | VARIANTS).items() if schedule.angles] == [
        name for name in VARIANTS if name.startswith("angles vary")
    ]
    assert {case for case, _ in SHIPPED} <= set(CASES)


def test_shipped_networks_fit_into_five_megabytes():
    count = lambda network: sum(p.numel() for p in network.parameters())  # noqa: E731
    assert 2 * (len(SHIPPED) * count(StyleModel()) + count(new_style_judge())) < 5e6
    assert [head.out_features for head in new_style_judge().heads] == list(HEADS)


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="parts must be among"):
        make(["papers"])
