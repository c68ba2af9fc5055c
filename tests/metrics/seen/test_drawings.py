"""All measures of drawings in one call: each is what the measure itself gives, and the command prints them."""

import json

import numpy as np
import pytest
import torch

from tests.metrics.seen.small import SMALL, make_small
from tests.metrics.seen.worlds import Drawn, rooms_of
from wwlib.__main__ import main
from wwlib.base.files import save_tensors
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.metrics.seen.drawings import load_drawer, score_drawings, trust
from wwlib.metrics.seen.judges import new_room_judge
from wwlib.metrics.seen.observer import RoomObserver
from wwlib.metrics.seen.predictability import vp_score
from wwlib.metrics.seen.traversal import traversal_score
from wwlib.models.vaes import VAE, VAEConfig


def test_every_number_is_that_of_its_measure(monkeypatch):
    generator = Drawn(6, rooms_of)
    observed = traversal_score(generator, RoomObserver(32), Shapes3D.factor_names, bases=2, seed=3)
    vp = vp_score(generator, **SMALL["vp_score"], seed=3)
    make_small(monkeypatch)
    result = score_drawings(generator, 32, seed=3)
    assert np.array_equal(result.observed.matrix, observed.matrix)
    assert result.vp.every == vp.every
    record = json.loads(json.dumps(result.record(), allow_nan=False))
    assert record["observer_purity"] == pytest.approx(observed.purity, abs=1e-4)
    assert (record["vp"], record["pictures"]) == (pytest.approx(vp.score, abs=1e-4), 60)
    assert len(record["codes"]) == len(record["matrix"]) == len(record["observer_matrix"]) == 6
    assert len(record["confidence"]) == len(record["agreement"]) == len(record["shown"]) == 6
    assert f"{observed.purity:.4f}" in repr(result.table())
    assert len(result.code_table().rows) == 6


def test_trust_is_full_between_two_that_read_alike_and_are_sure():
    observer = RoomObserver(32)
    sure = trust(Drawn(6, rooms_of), observer, observer, n=10)
    assert sure.agreement == [1.0] * 6
    assert sure.confidence == sure.observer_confidence
    assert min(sure.confidence) > 0.95
    unsure = trust(Drawn(6, rooms_of), new_room_judge(32), observer, n=10)
    assert max(unsure.confidence) < 0.5, "a judge that is not trained is sure of nothing"
    assert min(unsure.agreement) < 0.5


def test_gans_and_autoencoders_of_rooms_are_loaded_and_other_models_refused(tmp_path):
    generator, resolution = load_drawer("shapes3d-64-seed0")
    assert (generator.codes, resolution) == (11, 64)
    config = VAEConfig(codes=4, features=8)
    with torch.random.fork_rng():
        weights = VAE(config).state_dict()
    save_tensors(tmp_path / "vae.safetensors", weights, dict(kind="vae", config=vars(config)))
    decoder, resolution = load_drawer(str(tmp_path / "vae.safetensors"))
    assert (decoder.codes, resolution) == (4, 32)
    with pytest.raises(ValueError, match=r"must draw rooms \(the data set shapes3d\), got one of 'avatars'"):
        load_drawer("avatars-32-seed0")


def test_the_command_prints_them_as_a_table_or_as_json_and_draws_the_matrix(monkeypatch, capsys, tmp_path):
    make_small(monkeypatch)
    monkeypatch.setattr("wwlib.metrics.seen.drawings.load_drawer", lambda name: (Drawn(6, rooms_of), 32))
    assert main(["score", "rooms", "--seen", "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rooms: 6 codes"
    assert [line.split()[0] for line in lines if line.startswith(("purity", "compactness", "VP"))] == [
        "purity",
        "compactness",
        "VP",
    ]
    assert max(map(len, lines)) < 110
    assert main(["score", "rooms", "--seen", "--json", "--plot", str(tmp_path / "out.png"), "--threads", "1"]) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"purity", "compactness", "vp", "distance", "real"}
    assert (tmp_path / "out.png").stat().st_size > 1_000


def test_seen_goes_with_one_model_alone(capsys):
    with pytest.raises(SystemExit):
        main(["score", "a", "b", "--seen"])
    assert "with --seen one model is given" in capsys.readouterr().err
