"""Lesson 17's networks and their record: the criteria of the specification, on what was recorded and live."""

import json

import numpy as np
import pytest
import torch

from wwlib.experiments import criteria
from wwlib.experiments.hosts import JUDGES_TILTS, MODEL, RECORD, WEIGHTS, load_host, load_judge
from wwlib.experiments.interpretation import tables as interpreted
from wwlib.experiments.interpretation.runs import (
    ABLATIONS,
    CASES,
    case_data,
    interpret,
    judged,
    load_interpretation,
    load_record,
)
from wwlib.flows.flow import block_sizes
from wwlib.flows.hosts import RecogniserHost
from wwlib.flows.interpretation import Schedule, sizes_from, swap_scores, train_interpretation
from wwlib.flows.latents import encode_pictures
from wwlib.models.shipped import load_model


@pytest.fixture(scope="module")
def record():
    return load_record()


@pytest.fixture(scope="module")
def autoencoder():
    """Host, judge, 400 codes that the interpretation did not learn from, and their factors."""
    host, data, case = load_host("autoencoder"), case_data("autoencoder"), CASES["autoencoder"]
    learned = data.sample_factors(case.pictures, torch.Generator().manual_seed(100))
    return host, load_judge("digits"), encode_pictures(host, data, 400, case.shared, 77, without=learned)[0]


# the record


def test_every_case_was_run_over_seeds_and_says_with_what(record):
    for case in CASES:
        runs = interpreted.runs_of(record, case)
        assert len({run["seed"] for run in runs}) == len(runs) >= 5
        assert all(run["schedule"]["pairs"] and Schedule(**run["schedule"]) for run in runs)
        assert all(sum(run["sizes"]) % 2 == 0 and run["seconds"] > 0 for run in runs)
    assert all(len(interpreted.runs_of(record, f"autoencoder {ablation}")) >= 5 for ablation in ABLATIONS)
    assert record["command"] == "python -m wwlib remake interpretation"


def test_recorded_sizes_follow_from_recorded_shares(record):
    for run in record["runs"]:
        assert block_sizes(torch.tensor(run["shares"]), sum(run["sizes"])) == run["sizes"]


def test_the_autoencoders_interpretations_meet_the_criteria(record):
    runs = interpreted.runs_of(record, "autoencoder")
    assert interpreted.interpretation_values(runs, "inverse").max() < criteria.INVERSE
    assert interpreted.interpretation_values(runs, "follows").min() >= interpreted.SWAPPED
    assert interpreted.interpretation_values(runs, "stays").min() >= interpreted.SWAPPED
    assert interpreted.interpretation_values(runs, "mean").max() <= interpreted.LARGEST_MEAN
    assert interpreted.interpretation_values(runs, "std low").min() >= interpreted.STD[0]
    assert interpreted.interpretation_values(runs, "std high").max() <= interpreted.STD[1]
    assert interpreted.interpretation_values(runs, "probe gap").min() >= interpreted.PROBE_GAP


def test_samples_of_the_flow_without_pairs_are_nearer_to_real_pictures_than_direct_ones(record):
    for run in interpreted.runs_of(record, "autoencoder without pairs"):
        assert run["scores"]["frechet"]["AE + IIN"] < 0.7 * run["scores"]["frechet"]["AE + N(0, I)"]


def test_samples_of_the_interpretation_beat_direct_ones_and_a_fitted_gaussian(record):
    for run in interpreted.runs_of(record, "autoencoder"):
        found = run["scores"]["frechet"]
        assert found["AE + IIN"] < 0.5 * found["AE + N(0, I)"]
        assert found["AE + IIN"] < found["AE + fitted Gaussian"]


def test_pairs_that_are_believed_too_much_cost_samples(record):
    distances = [
        interpreted.distances_of(interpreted.runs_of(record, case), "AE + IIN")
        for case in ("autoencoder", "autoencoder rho 0.975")
    ]
    assert distances[0].max() < distances[1].min()


def test_without_pairs_no_seed_comes_near_the_seeds_with_pairs(record):
    with_pairs = interpreted.runs_of(record, "autoencoder")
    without = interpreted.runs_of(record, "autoencoder without pairs")
    for measure in ("follows", "probe gap"):
        gap = (
            interpreted.interpretation_values(with_pairs, measure).min()
            - interpreted.interpretation_values(without, measure).max()
        )
        assert gap > 0.4


def test_a_classifier_answers_to_its_digit_block_first(record):
    for run in interpreted.runs_of(record, "classifier"):
        residual, digit, ink = run["scores"]["response"]
        assert digit > 2 * max(residual, ink)
        assert run["scores"]["follows"][1][0] > 0.95


def test_the_classifiers_residual_moves_more_than_colour_only_since_it_is_longer(record):
    runs = interpreted.runs_of(record, "classifier")
    residual, _, ink = np.mean([run["scores"]["response"] for run in runs], axis=0)
    sizes = runs[0]["sizes"]
    assert residual > ink
    assert residual / sizes[0] ** 0.5 < ink / sizes[2] ** 0.5


def test_in_rooms_a_block_carries_wall_and_object_hue_where_one_code_does_not_in_most_seeds(record):
    runs = interpreted.runs_of(record, "recogniser")
    swapped = np.median([np.diagonal(np.array(run["scores"]["follows"])[1:]) for run in runs], axis=0)
    floor, wall, thing = swapped - runs[0]["scores"]["copied"]
    assert min(wall, thing) > 0.3
    assert floor < 0


def test_the_judges_pictures_are_not_those_of_the_model_under_test():
    assert not set(JUDGES_TILTS) & set(case_data("autoencoder")._tilts.tolist())


# the shipped networks


def test_what_is_shipped_is_small_and_holds_no_path():
    assert WEIGHTS.stat().st_size < 5e6
    assert "/" not in json.dumps(load_record()["runs"][0])
    assert RECORD.stem != WEIGHTS.stem  # or it would pass for a model of Part I


def test_the_shipped_interpretation_is_the_recorded_one(autoencoder, record):
    host, judge, tested = autoencoder
    flow, sizes = load_interpretation("autoencoder")
    assert (flow.inverse(flow(tested.mean)[0]) - tested.mean).abs().max() < 1e-4
    verdict = judged("autoencoder", host, judge)
    follows, _ = swap_scores(flow, lambda z: z, verdict, sizes, tested.mean, tested.factors)
    recorded = np.array(interpreted.runs_of(record, "autoencoder")[0]["scores"]["follows"])
    assert np.abs(follows.numpy() - recorded).max() < 0.1


def test_a_short_training_with_pairs_already_beats_one_without(autoencoder):
    host, judge, tested = autoencoder
    latents = encode_pictures(host, case_data("autoencoder"), 1500, CASES["autoencoder"].shared, 5)[0]
    sizes, _ = sizes_from(latents, torch.Generator().manual_seed(0))
    verdict, worst = judged("autoencoder", host, judge), {}
    for pairs in (True, False):
        schedule = Schedule(blocks=4, hidden=48, steps=120, batch=24, rate=4e-3, pairs=pairs)
        flow, losses = train_interpretation(latents, sizes, schedule)
        follows, _ = swap_scores(flow, lambda z: z, verdict, sizes, tested.mean[:150], tested.factors[:150])
        worst[pairs] = follows[1:].diagonal().mean().item()
        assert losses[-1] < losses[0]
    assert worst[True] > worst[False] + 0.15


def test_an_odd_number_of_codes_gets_a_dimension_of_noise(shapes):
    host = RecogniserHost(load_model(MODEL))
    mean, spread = host.encode(shapes.sample_images(3, torch.Generator().manual_seed(0)))
    assert mean.shape == spread.shape == (3, 12)
    assert torch.equal(mean[:, 11], torch.zeros(3))
    assert torch.equal(spread[:, 11], torch.ones(3))
    moved = mean.clone()
    moved[:, 11] = 5
    assert torch.equal(host.decode(mean), host.decode(moved))


# the tables


def test_a_criterion_counts_the_seeds_that_meet_it(record):
    rows = interpreted.criteria_table(record).rows
    seeds = len(interpreted.runs_of(record, "autoencoder"))
    assert rows[0][-1] == f"{seeds} of {seeds}"
    assert criteria.threshold(np.array([1.0, 2.0, 3.0])) == pytest.approx(-1)
    assert criteria.threshold(np.array([1.0, 2.0, 3.0]), "high") == pytest.approx(5)


def test_every_table_is_made(record):
    assert len(interpreted.swap_table(record).rows) == 5
    assert len(interpreted.ablation_table(record).rows) == 3
    assert len(interpreted.distance_table(record).rows) == 7
    assert [row[0] for row in interpreted.response_table(record).rows] == ["digit", "colour", "residual"]
    assert len(interpreted.copied_table(record).rows) == 3
    assert len(interpreted.sizes_table(record).rows) == 3
    assert "6.4 ± 0.1" in interpreted.said_and_measured(record).markdown()


def test_unknown_names_are_refused(record):
    with pytest.raises(ValueError, match="case must be one of"):
        interpreted.runs_of(record, "oracle")
    with pytest.raises(ValueError, match="measure must be one of"):
        interpreted.interpretation_values(record["runs"], "beauty")
    with pytest.raises(ValueError, match="parts must be among"):
        interpret(["nothing"])
    with pytest.raises(ValueError, match="name must be one of"):
        load_host("nobody")
