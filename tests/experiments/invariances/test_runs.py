"""Lesson 18: cutting, sampling and measuring against slow or closed forms, live on little, and on the recorded runs."""

import json
import math

import numpy as np
import pytest
import torch

from wwlib.datasets.glyphs import Glyphs
from wwlib.experiments.hosts import load_host, load_judge
from wwlib.experiments.interpretation.runs import load_interpretation
from wwlib.experiments.invariances import tables
from wwlib.experiments.invariances.attacks import EPSILON, attacked
from wwlib.experiments.invariances.runs import (
    BLOCKS,
    LAYERS,
    MOMENTS,
    PICTURES,
    SHARED,
    SHELF,
    SHIPPED,
    LayerCase,
    conditions_of,
    invariances,
    load_classifiers,
    load_explanation,
    load_record,
    train_classifiers,
)
from wwlib.flows.invariances import attack, concept_shares, cut, fgsm_step, pooled_share, stages, value_entropy
from wwlib.flows.latents import encode_pictures
from wwlib.flows.translation import TranslationSchedule, carry, draws_of, train_translation
from wwlib.models.judges import new_judge

FIRST, LAST = MOMENTS[0], MOMENTS[-1]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def record():
    return load_record()


@pytest.fixture(scope="module")
def classifiers():
    return load_classifiers()


@pytest.fixture(scope="module")
def tested():
    """300 codes that no translation learned from, and all factors of these pictures."""
    learned = Glyphs().sample_factors(PICTURES, seeded(100))
    return encode_pictures(load_host("autoencoder"), Glyphs(), 300, SHARED, 77, without=learned)


# cutting


def test_both_parts_of_every_cut_are_exactly_the_classifier():
    classifier, images = new_judge((10,), 5, features=32), Glyphs().sample_images(7, seeded())
    for layer in stages(classifier):
        phi, psi = cut(classifier, layer)
        assert torch.equal(psi(phi(images)), classifier(images)[0])


def test_a_cut_lies_behind_its_layer_and_not_a_step_off():
    classifier, images = new_judge((10,), 5, features=32), Glyphs().sample_images(7, seeded())
    x = torch.nn.functional.pixel_unshuffle(images, 2)
    assert torch.equal(cut(classifier, "conv1")[0](images), classifier.convolutions[0](x).relu())
    assert torch.equal(cut(classifier, "features")[0](images), classifier.features(images))
    assert torch.equal(cut(classifier, "logits")[0](images), classifier(images)[0])
    z = torch.randn(3, 10)
    assert torch.equal(cut(classifier, "logits")[1](z), z)
    with pytest.raises(ValueError, match=r"layer must be one of .*'conv1'.* got 'conv9'"):
        cut(classifier, "conv9")


# measuring


def test_the_pooled_share_is_that_of_a_slow_loop():
    concepts = torch.randn(5, 1, 3, generator=seeded()) + torch.randn(5, 4, 3, generator=seeded(1))
    within = total = 0.0
    for k in range(3):
        column = concepts[:, :, k].numpy().astype(float)
        within += np.mean([np.var(row, ddof=1) for row in column])
        total += np.var(column.ravel())
    assert pooled_share(concepts) == pytest.approx(1 - within / total, abs=1e-5)


@pytest.mark.parametrize(("a", "b", "draws"), [(1.0, 1.0, 2), (0.6, 0.8, 8), (0.0, 1.0, 3), (1.0, 0.0, 4)])
def test_the_pooled_share_of_a_linear_gaussian_is_exact_with_few_draws(a, b, draws):
    z, noise = torch.randn(20_000, 1, 1, generator=seeded()), torch.randn(20_000, draws, 1, generator=seeded(1))
    assert pooled_share(a * z + b * noise) == pytest.approx(a**2 / (a**2 + b**2), abs=0.02)


def test_a_share_needs_two_conditions_and_two_draws():
    for shape in ((1, 4, 2), (4, 1, 2), (4, 2)):
        with pytest.raises(ValueError, match="concepts must be"):
            pooled_share(torch.zeros(shape))


def test_entropy_is_log_n_for_equal_counts_and_0_for_one_value():
    assert float(value_entropy(torch.arange(10).repeat(3), 10)) == pytest.approx(math.log(10), abs=1e-6)
    assert float(value_entropy(torch.full((2, 4), 3), 10)) == 0
    assert float(value_entropy(torch.tensor([[0, 1], [1, 1]]), 5)) == pytest.approx(0.5623, abs=1e-4)


# attacking


def test_an_attack_climbs_the_known_gradient_of_a_linear_classifier():
    weights = torch.randn(2, 3 * 4 * 4, generator=seeded())
    images = 0.5 * torch.rand(5, 3, 4, 4, generator=seeded(1))
    labels = torch.tensor([0, 1, 0, 1, 1])
    with torch.no_grad():  # an attack needs a gradient wherever it is called
        moved = attack(lambda x: x.flatten(1) @ weights.t(), images, labels, 0.1)
    away = (weights[1 - labels] - weights[labels]).sign().view_as(images)  # to the other class
    assert torch.allclose(moved - images, 0.1 * away, atol=1e-6)
    assert not images.requires_grad


def test_an_attack_stays_small_and_inside_the_range_of_images():
    images = torch.rand(2, 3, 4, 4, generator=seeded()) * 2 - 1
    moved = fgsm_step(images, torch.randn(2, 3, 4, 4, generator=seeded(1)), 0.3)
    assert moved.abs().max() <= 1
    assert (moved - images).abs().max() <= 0.3 + 1e-6
    with pytest.raises(ValueError, match="epsilon must be positive, got 0"):
        attack(lambda x: x.flatten(1), images, torch.tensor([0, 1]), 0)


# translations, live


@pytest.fixture(scope="module")
def short(classifiers):
    """A short translation of the last logits, and the same with the conditions of other pictures."""
    latents, factors = encode_pictures(load_host("autoencoder"), Glyphs(), 2_000, SHARED, 5)
    found = {}
    for spoilt in ("", "shuffled"):
        conditions = conditions_of(classifiers[LAST], LayerCase(LAST, "logits", spoilt), factors)
        schedule = TranslationSchedule(32, (10,), blocks=4, hidden=64, steps=150)
        found[spoilt] = train_translation(latents, conditions, schedule)[0]
    return found


def test_logits_explain_the_digit_and_shuffled_logits_explain_nothing(short, classifiers, tested):
    interpretation, sizes = load_interpretation("autoencoder")
    conditions = conditions_of(classifiers[LAST], LayerCase(LAST, "logits"), tested[1])
    shares = {
        spoilt: concept_shares(draws_of(translation, conditions, 8, seeded()), interpretation, sizes, BLOCKS)
        for spoilt, translation in short.items()
    }
    assert all(abs(share) < 0.05 for share in shares["shuffled"].values())
    assert shares[""]["digit"] > 0.15
    assert shares[""]["digit"] > shares[""]["paper"] + 0.1
    assert shares[""]["code"] > shares["shuffled"]["code"] + 0.1


def test_draws_differ_repeat_and_come_one_condition_after_the_other(short, classifiers, tested):
    conditions = conditions_of(classifiers[LAST], LayerCase(LAST, "logits"), tested[1][:5])
    drawn = draws_of(short[""], conditions, 3, seeded(4))
    assert drawn.shape == (5, 3, 32)
    assert not torch.equal(drawn[:, 0], drawn[:, 1])
    noise = torch.randn(15, 32, generator=seeded(4))
    assert torch.allclose(drawn[2, 1], short[""].inverse(noise[7:8], conditions[2:3])[0], atol=1e-4)


def test_a_residual_under_its_own_condition_is_the_picture_again_and_a_swap_can_be_undone(short, classifiers, tested):
    conditions = conditions_of(classifiers[LAST], LayerCase(LAST, "logits"), tested[1][:20])
    z, others = tested[0].mean[:20], conditions.roll(1, dims=0)
    assert torch.allclose(carry(short[""], z, conditions, conditions), z, atol=1e-4)
    mixed = carry(short[""], z, conditions, others)
    assert not torch.allclose(mixed, z, atol=0.1)
    assert torch.allclose(carry(short[""], mixed, others, conditions), z, atol=1e-3)


def test_a_residual_says_little_about_the_digit_that_the_code_says_much_about(classifiers, tested):
    """Chance is 0.1; nearest class mean in whitened codes, learnt on one half and read on the other."""
    translation, (latents, factors) = load_explanation(LAST, "logits"), tested
    conditions = conditions_of(classifiers[LAST], LayerCase(LAST, "logits"), factors)
    residual = translation(latents.mean, conditions)[0]

    def read(codes):
        codes = (codes - codes.mean(dim=0)) / codes.std(dim=0)
        means = torch.stack([codes[:150][factors[:150, 0] == digit].mean(dim=0) for digit in range(10)])
        return (torch.cdist(codes[150:], means).argmin(dim=1) == factors[150:, 0]).float().mean()

    assert read(latents.mean) > read(residual) + 0.2


def test_a_short_training_of_the_classifier_learns_and_is_kept_at_each_moment():
    early, late = train_classifiers(7, (1, 150)).values()
    factors = Glyphs().sample_factors(200, seeded())
    right = [(c.verdict(Glyphs().images(factors))[:, 0] == factors[:, 0]).float().mean() for c in (early, late)]
    assert right[1] > right[0] + 0.2
    assert not any(p.requires_grad for p in (*early.parameters(), *late.parameters()))


# the record


def test_every_question_was_asked_with_five_seeds(record):
    asked = [LayerCase(LAST, layer) for layer in LAYERS] + [LayerCase(moment, "logits") for moment in MOMENTS]
    asked += [LayerCase(FIRST, layer) for layer in LAYERS]
    asked += [LayerCase(LAST, "logits", spoilt) for spoilt in ("shuffled", "softmax")]
    for case in (*(layer_case.case for layer_case in asked), "attack conv1", "attack logits"):
        assert {run["seed"] for run in tables.runs_of(record, case)} == set(range(5))
    assert record["command"] == "python -m wwlib remake invariances"


def test_accuracy_goes_from_chance_to_nearly_always(record):
    for seed in range(5):
        found = [r["accuracy"] for m in MOMENTS for r in tables.runs_of(record, f"{m} logits") if r["seed"] == seed]
        assert found[0] < 0.3
        assert found[-1] > 0.93
        assert found == sorted(found)


def test_the_digit_comes_and_the_paper_goes(record):
    found = tables.measures(record)
    assert found["logits: rise of S of the digit during training"][0].min() >= tables.RISE
    fall = found["logits: fall of S of the paper during training"][0]
    assert (fall >= tables.FALL).sum() == 4
    assert fall.min() >= tables.FALL - 0.005  # one seed misses the bar by a hair


def test_a_spoilt_condition_explains_nothing_and_a_softmax_less_than_logits(record):
    for block in (*BLOCKS, "code"):
        assert np.abs(tables.shares_of(record, LAST, "logits", block, "shuffled")).max() < 0.05
    gap = tables.shares_of(record, LAST, "logits", "code") - tables.shares_of(record, LAST, "logits", "code", "softmax")
    assert gap.min() > 0.1


def test_the_whole_code_is_left_more_open_by_logits_than_by_conv1_and_predictions_and_colours_stay_free(record):
    found = tables.measures(record)
    assert found["1 − S of the whole code: increase from conv1 to logits"][0].min() > 0.3
    kept = found["samples from logits: predicted class unchanged"][0]
    assert kept.mean() >= tables.KEPT
    assert kept.min() >= tables.KEPT - 0.005
    assert found["samples from logits: entropy of the colours over that of the data"][0].min() >= 0.98


def test_between_neighbouring_layers_the_share_may_seem_to_grow_by_what_the_reader_misses(record):
    """It cannot: conv2 sees only conv1. The criterion between neighbours is missed by this much, in some seeds."""
    least = tables.measures(record)["1 − S of the whole code: least increase between neighbouring layers"][0]
    assert least.min() > -0.03


def test_an_attack_is_an_error_of_judgement_in_order_though_not_in_the_size_that_was_demanded(record):
    """The two criteria on FGSM are missed: the lesson says so, and why."""
    early = {what: tables.attacks_of(record, "conv1", what) for what in ("true", "wrong")}
    late = {what: tables.attacks_of(record, "logits", what) for what in ("true", "wrong")}
    assert (early["true"] - early["wrong"]).min() > 0.2
    assert (late["wrong"] - late["true"]).min() > 0
    assert (early["true"] - late["true"]).min() > 0.15
    assert max(early["true"].max(), late["wrong"].max()) < tables.FOOLED


def test_flows_that_trained_longer_see_the_true_digit_in_conv1_and_sure_logits_show_the_wrong_one(record):
    conv1, logits = (
        {kind: np.array([run["scores"][kind][what] for run in tables.runs_of(record, f"attack {layer}")])
         for kind in ("attack", "attack_large", "attack_sure", "attack_seen")}
        for layer, what in (("conv1", "true"), ("logits", "wrong"))
    )  # fmt: skip
    assert conv1["attack"].min() >= tables.FOOLED
    assert (logits["attack_sure"] >= tables.FOOLED).sum() == 4
    assert min(conv1["attack_seen"].mean(), logits["attack_seen"].mean()) >= tables.FOOLED
    assert (logits["attack_sure"] > logits["attack_large"]).all()
    for layer in ("conv1", "logits"):
        for run in tables.runs_of(record, f"attack {layer}"):
            counted = [run["scores"][kind]["succeeded"] for kind in ("attack_large", "attack_sure", "attack_seen")]
            assert counted == sorted(counted, reverse=True)
            assert counted[-1] > 20


def test_a_witness_and_being_sure_leave_fewer_attacks(classifiers):
    factors = Glyphs().sample_factors(200, seeded(9))
    images, translation = Glyphs().images(factors), load_explanation(LAST, "logits")
    count = lambda **more: attacked(  # noqa: E731
        classifiers[LAST], "logits", translation, images, factors[:, 0], seeded(), 0.08, **more
    )["succeeded"]
    assert count() > count(sure=0.9) > count(sure=0.9, witness=load_judge("digits")) > 0
    with pytest.raises(ValueError, match="must let at least one attack count"):
        count(witness=classifiers[LAST])  # it is fooled itself


def test_noise_before_a_condition_is_repeatable_and_changes_it(classifiers):
    factors, layer_case = Glyphs().sample_factors(20, seeded(3)), LayerCase(LAST, "conv1")
    clean, again = (conditions_of(classifiers[LAST], layer_case, factors, noise) for noise in (0.0, 0.0))
    noisy, repeated = (conditions_of(classifiers[LAST], layer_case, factors, noise) for noise in (0.2, 0.2))
    assert torch.equal(clean, again)
    assert torch.equal(noisy, repeated)
    assert 0.01 < (noisy - clean).abs().mean() < 1


def test_what_is_shipped_is_small_holds_no_path_and_is_the_record(classifiers, record, tested):
    assert SHELF.weights.stat().st_size + SHELF.record.stat().st_size < 5e6
    assert '": "/' not in json.dumps(record)
    assert set(classifiers) == set(MOMENTS)
    interpretation, sizes = load_interpretation("autoencoder")
    for moment, layer in SHIPPED:
        conditions = conditions_of(classifiers[moment], LayerCase(moment, layer), tested[1])
        drawn = draws_of(load_explanation(moment, layer), conditions, 4, seeded())
        shares = concept_shares(drawn, interpretation, sizes, BLOCKS)
        recorded = next(r for r in tables.runs_of(record, f"{moment} {layer}") if r["seed"] == 0)["scores"]["shares"]
        assert all(abs(shares[block] - recorded[block]) < 0.08 for block in shares)


def test_the_attack_on_the_shipped_classifier_is_the_recorded_one(classifiers, record):
    factors = Glyphs().sample_factors(200, seeded(9))
    images, layer_case = Glyphs().images(factors), LayerCase(LAST, "conv1")
    translation = load_explanation(LAST, "conv1")
    found = attacked(classifiers[LAST], "conv1", translation, images, factors[:, 0], seeded())
    recorded = next(r for r in tables.runs_of(record, layer_case.case) if r["seed"] == 0)["scores"]["attack"]
    assert found["epsilon"] == EPSILON
    assert abs(found["true"] - recorded["true"]) < 0.15
    assert found["true"] > found["wrong"] + 0.15  # the first layer still sees the digit


def test_unknown_names_are_refused(record):
    with pytest.raises(ValueError, match="moment, layer and spoilt must be among"):
        LayerCase(LAST, "conv9")
    with pytest.raises(ValueError, match="moment and layer must be among"):
        load_explanation(80, "logits")
    with pytest.raises(ValueError, match="parts must be among"):
        invariances(["nothing"])
    with pytest.raises(ValueError, match="block must be one of"):
        tables.shares_of(record, LAST, "logits", "beauty")
