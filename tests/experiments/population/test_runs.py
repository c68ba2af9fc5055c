"""The population and what is chosen from it: who is in it, how workers share it, statistics against known cases."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
import torch

import wwlib.experiments.population.runs as population
from wwlib.__main__ import main
from wwlib.base.device import choose_compute
from wwlib.base.files import save_json, save_tensors
from wwlib.experiments.population.longer import MEASURES
from wwlib.experiments.population.runs import (
    family_of,
    gather_members,
    load_member,
    members,
    other_lengths,
    train_member,
    work,
)
from wwlib.experiments.population.search import Budget, chosen_trial, ended, record_of, reveal, search
from wwlib.experiments.population.work_queue import open_study
from wwlib.metrics.lengths import tpl
from wwlib.metrics.ranking import (
    by_family,
    choose,
    column,
    enough_active,
    partial_correlation,
    rank_correlation,
    standing,
)
from wwlib.models.vaes import VAE, VAEConfig

CPU = choose_compute("cpu")


class Pixels:
    provenance = "pixels"

    def embed(self, images):
        return images.flatten(1)


def record(name, **scores):
    return dict(name=name, family=family_of(name), scores=dict(active_codes=6, tpl=1.0) | scores)


def test_sixty_autoencoders_and_twenty_gans_each_with_a_family():
    everyone = members()
    vaes = [name for name, config in everyone.items() if isinstance(config, VAEConfig)]
    assert (len(vaes), len(everyone) - len(vaes)) == (60, 20)
    assert family_of("beta-tcvae-6-seed1") == "beta-tcvae"
    assert family_of("ps-sc-lambda0.5-seed0") == "ps-sc"
    assert family_of("ps-seed2") == "ps"
    assert len(members(seeds=3)) == 110


def test_gans_are_trained_alike_but_for_what_their_name_says():
    everyone = members()
    changed = {
        name: {
            f.name
            for f in dataclasses.fields(config)
            if getattr(config, f.name) != getattr(everyone["ps-sc-seed0"], f.name)
        }
        for name, config in everyone.items()
        if not isinstance(config, VAEConfig)
    }
    kinds = {
        "ps-sc": set(),
        "ps": {"modules"},
        "gan": {"modules", "objective"},
        "sc": {"objective"},
        "infogan": {"modules", "objective"},
    }
    expected = {f"{kind}-seed{k}": parts | ({"seed"} if k else set())
                for kind, parts in kinds.items() for k in range(3)}  # fmt: skip
    expected |= {
        "ps-sc-lambda0.02-seed0": {"C_lambda"},
        "ps-sc-lambda0.5-seed0": {"C_lambda"},
        "ps-sc-no-average-seed0": {"average"},
        "ps-sc-small-steps-seed0": {"perturbation"},
        "ps-sc-one-rectangle-seed0": {"modules"},
    }
    assert changed == expected


def test_workers_share_a_study_and_do_every_member_once(monkeypatch, tmp_path):
    tiny = {f"beta-vae-{s}-seed{k}": VAEConfig("beta-vae", s, images=128, seed=k) for s in (1.0, 2.0) for k in (0, 1)}
    monkeypatch.setattr(population, "members", lambda seeds=2: tiny)
    monkeypatch.setattr(population, "PerceptualDistance", lambda net: Pixels())
    storage = f"sqlite:///{tmp_path}/s.db"
    assert work(storage, tmp_path, limit=1, images=300, training_images=64) == 1
    assert work(storage, tmp_path, images=300, training_images=64) == 3
    assert work(storage, tmp_path) == 0
    assert sorted(p.stem for p in tmp_path.glob("*.json")) == sorted(tiny)
    one = json.loads((tmp_path / "beta-vae-1.0-seed0.json").read_text())
    assert {"factor_vae", "mig", "where", "tpl", "active_codes"} <= set(one["scores"])
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    found = gather_members(tmp_path, "population-tiny", shipped)
    assert [r["config"]["images"] for r in found] == [64] * 4
    assert all(0 <= r["scores"]["udr"] <= 1 for r in found)
    assert sorted(path.name for path in shipped.iterdir()) == [
        "population-tiny-arrays.safetensors",
        "population-tiny.json",
    ]
    command = json.loads((shipped / "population-tiny.json").read_text())["command"]
    assert "population --images 64 --folder runs/population-tiny --storage sqlite:///runs/population-tiny.db" in command
    with pytest.raises(ValueError, match="only must begin"):
        work(storage, tmp_path, only="zeta")
    with pytest.raises(ValueError, match="must begin with 'population'"):
        gather_members(tmp_path, "select", shipped)
    one["config"]["images"] = 65
    save_json(tmp_path / "beta-vae-1.0-seed0.json", one)
    with pytest.raises(ValueError, match=r"as many images, got \[64, 65\]"):
        gather_members(tmp_path, "population-tiny", shipped)


def test_a_record_cannot_claim_a_training_that_its_weights_never_had(monkeypatch, tmp_path):
    monkeypatch.setattr(population, "members", lambda seeds=2: {"beta-vae-1.0-seed0": VAEConfig(images=64)})
    monkeypatch.setattr(population, "PerceptualDistance", lambda net: Pixels())
    assert work(f"sqlite:///{tmp_path}/a.db", tmp_path, images=300) == 1
    with pytest.raises(ValueError, match="must hold a training of 128 images, got 64"):
        work(f"sqlite:///{tmp_path}/b.db", tmp_path, images=300, training_images=128)


def test_the_other_lengths_are_measured_with_the_distance_that_their_name_says():
    class Scaled(Pixels):
        def __init__(self, factor):
            self.factor = factor

        def embed(self, images):
            return images.flatten(1) * self.factor

    model = SimpleNamespace(generator=VAE(VAEConfig()).generator)
    found = other_lengths(model, alex=Scaled(10.0), vgg=Scaled(20.0))
    assert set(found) == {name for name in MEASURES if "64" in name or "fast" in name}
    assert found["tpl_fast_narrow"] < found["tpl_fast"] < found["tpl_64"]
    assert found["tpl_64_root"] == pytest.approx(2 * found["tpl_fast_root"], rel=0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "0"], "--images must be at least 1"),
        (["--images", "9"], "of its own"),
        (["--gan-images", "9"], "of its own"),
    ],
)
def test_a_population_trained_longer_needs_a_place_of_its_own(options, message, capsys):
    assert main(["population", *options]) == 1
    assert message in capsys.readouterr().err


def test_a_gan_member_trains_and_loads(shapes, tmp_path):
    config = dataclasses.replace(members()["sc-seed0"], images=16)
    train_member(config, tmp_path / "sc.safetensors", shapes)
    model = load_member(tmp_path / "sc.safetensors")
    assert model.recogniser(model.generator(model.sample_codes(2))).shape == (2, 11)


def test_a_correlation_of_known_cases():
    rising = np.arange(30.0)
    found = rank_correlation(rising, rising**3)
    assert (found.value, found.high, found.models) == (1, 1, 30)
    assert found.low == pytest.approx(1)
    assert rank_correlation(rising, -rising).value == -1
    noise = rank_correlation(rising, np.random.default_rng(0).normal(size=30))
    assert noise.low < 0 < noise.high
    assert rank_correlation([*rising, np.nan], [*rising, 1]).models == 30
    with pytest.raises(ValueError, match="at least 4"):
        rank_correlation([1, 2], [1, 2])


def test_a_correlation_given_a_third_is_that_of_what_a_line_through_it_leaves():
    random = np.random.default_rng(0)
    given = random.permutation(40.0 + np.arange(40))
    first, second = given + 9 * random.normal(size=40), -given + 9 * random.normal(size=40)
    table = np.stack([values.argsort().argsort() for values in (first, second, given)]).astype(float)
    line = np.stack([table[2], np.ones(40)], axis=1)
    left = [rank - line @ np.linalg.lstsq(line, rank, rcond=None)[0] for rank in table[:2]]
    assert partial_correlation(first, second, given) == pytest.approx(np.corrcoef(left)[0, 1], abs=1e-9)
    assert rank_correlation(first, second).value < -0.6 < partial_correlation(first, second, given)
    assert np.isnan(partial_correlation(given, second, given))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random, covered = np.random.default_rng(1), 0
    for _ in range(60):
        pair = random.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=60)
        found = rank_correlation(*pair.T, draws=300)
        covered += found.low <= 6 / np.pi * np.arcsin(0.3) <= found.high
    assert covered >= 50


def test_the_choice_is_the_shortest_among_those_with_enough_codes():
    models = [
        record("gan-seed0", tpl=0.0, active_codes=0, dci=0.0),
        record("ps-seed0", tpl=2.0, dci=0.8, udr=0.3),
        record("ps-seed1", tpl=3.0, dci=0.2, udr=0.7),
    ]
    assert choose(models)["name"] == "ps-seed0"
    assert choose(models, "udr")["name"] == "ps-seed1"
    assert len(enough_active(models, 1)) == 2
    assert standing(models, models[1], "dci") == 0
    assert standing(models, models[2], "dci") == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="no model has at least 9"):
        choose(models, least=9)
    assert np.isnan(column(models, "udr")[0])
    assert list(by_family([record("ps-seed0"), record("gan-seed0"), record("ps-seed1")])) == ["ps", "gan"]


def test_the_search_looks_at_no_label_until_the_end(shapes, tmp_path, monkeypatch):
    class Blind:
        resolution, channels, sample_images = 32, 3, shapes.sample_images

    budget = Budget(images=128, looks=2, traversals=1, points=3, threshold=0.0)
    storage = f"sqlite:///{tmp_path}/s.db"
    study = search(storage, tmp_path, Blind(), Pixels(), trials=3, least=1, budget=budget)
    assert len(study.trials) == 3
    again = search(storage, tmp_path, Blind(), Pixels(), trials=3, least=1, budget=budget)
    assert len(again.trials) == 3
    best = chosen_trial(study)
    assert best.value == min(t.value for t in study.trials if t.state.name == "COMPLETE")
    monkeypatch.setattr("wwlib.experiments.population.search.score_representation", few_scores)
    assert set(reveal(tmp_path, best, shapes)) == {"mig"}


SMALL_BUDGET = Budget(images=64, looks=1, traversals=1, points=3, threshold=0.0)


def test_a_search_that_was_stopped_is_not_done(shapes, tmp_path, monkeypatch):
    """Ctrl-C in the second trial: the same call runs the one that is missing, and a third call none."""
    options = dict(trials=2, least=1, budget=SMALL_BUDGET)
    place = f"sqlite:///{tmp_path}/s.db", tmp_path, shapes, Pixels()
    measured = []

    def stopping(*arguments):
        measured.append(arguments)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return tpl(*arguments)

    monkeypatch.setattr("wwlib.experiments.population.search.tpl", stopping)
    with pytest.raises(KeyboardInterrupt):
        search(*place, **options)
    study = search(*place, **options)
    assert len(ended(study)) == 2
    assert chosen_trial(study).number in (0, 2)
    assert len(search(*place, **options).trials) == len(study.trials) == 3
    assert len(measured) == 3
    assert [trial["number"] for trial in record_of(study, tmp_path / "none", shapes, "")["trials"]] == [0, 2]


def test_a_trial_whose_process_was_killed_is_run_again_and_not_waited_for_in_vain(shapes, tmp_path, capsys):
    storage = f"sqlite:///{tmp_path}/s.db"
    dead = open_study(storage, "select", heartbeat=1)
    dead._storage.record_heartbeat(dead.ask()._trial_id)  # and never again
    study = search(storage, tmp_path, shapes, Pixels(), 1, 1, SMALL_BUDGET, heartbeat=1)
    assert len(ended(study)) == 1
    assert "waiting for 1 trials of other processes, or of ones that were killed" in capsys.readouterr().out


@pytest.mark.parametrize("at_the_end", [True, False])
def test_a_process_that_slept_loses_its_trial_and_goes_on(at_the_end, shapes, tmp_path, monkeypatch, capsys):
    """Another process takes the first trial for dead while its TPL is measured; the search still has two at the end."""
    study, slept = open_study(f"sqlite:///{tmp_path}/s.db", "select"), []

    def sleeping(*arguments):
        found = tpl(*arguments)
        if not slept:
            slept.append(study.trials[0]._trial_id)
            study._storage.set_trial_state_values(slept[0], optuna.trial.TrialState.FAIL)
            if at_the_end:  # nothing is written to the trial before it ends
                raise optuna.TrialPruned
        return found

    monkeypatch.setattr("wwlib.experiments.population.search.tpl", sleeping)
    study = search(f"sqlite:///{tmp_path}/s.db", tmp_path, shapes, Pixels(), 2, 1, SMALL_BUDGET)
    assert len(ended(study)) == 2
    assert "trial 0 was given to another process while this one slept" in capsys.readouterr().out


def test_an_error_of_the_work_itself_is_not_taken_for_sleep(shapes, tmp_path, monkeypatch):
    monkeypatch.setattr("wwlib.experiments.population.search.tpl", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        search(f"sqlite:///{tmp_path}/s.db", tmp_path, shapes, Pixels(), 2, 1, SMALL_BUDGET)


def few_scores(represent, data, names):
    from wwlib.metrics.scores import score_representation

    return score_representation(represent, data, ("mig",), n=300, progress=False)


def test_a_search_in_which_every_model_collapses_says_so(shapes, tmp_path):
    budget = Budget(images=64, looks=1, traversals=1, points=3, threshold=1e9)
    study = search(f"sqlite:///{tmp_path}/s.db", tmp_path, shapes, Pixels(), trials=2, budget=budget)
    with pytest.raises(ValueError, match="ended with enough active codes"):
        chosen_trial(study)


def test_a_file_that_is_no_member_is_refused(tmp_path):
    save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, dict(kind="training plan"))
    with pytest.raises(ValueError, match="must hold a model"):
        load_member(tmp_path / "x.safetensors")
