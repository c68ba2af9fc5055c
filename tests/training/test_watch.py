"""Watching a training: TPL in the log, the best model kept by its rule, and a run that does not notice."""

import pytest
import torch

from tests.tiny import CPU, TINY_32, Noise
from wwlib.base.files import load_about
from wwlib.metrics.lengths import tpl_from_lengths
from wwlib.models.config import replace_config
from wwlib.models.shipped import load_model
from wwlib.training.loop import train
from wwlib.training.step import Training
from wwlib.training.watch import BestByTPL, BestRule, watcher

RULE = BestRule("alex", "tpl_small_0.1", active=5)


class Pixels:
    provenance = "pixels"

    def embed(self, images):
        return images.flatten(1)


def scripted(path, values, **options):
    """A `BestByTPL` that measures what it is told: pairs of TPL and active codes."""
    best = BestByTPL(path, RULE, Pixels(), **options)
    measured = iter(values)

    def measure(state):
        score, active = next(measured)
        lengths = torch.zeros(1, 6)
        lengths[0, :active] = score / active if active else 0
        return tpl_from_lengths(lengths, 0.1)

    best.measure = measure
    return best


def kept(path):
    return round(load_about(path)["notes"]["tpl"], 3)


def test_the_lowest_tpl_wins_among_models_with_enough_codes_and_a_collapsed_one_never(tmp_path):
    state, path = Training(TINY_32, Noise(32), CPU), tmp_path / "best.safetensors"
    best = scripted(path, [(0.0, 0), (3.0, 5), (0.0, 0), (2.5, 4), (2.9, 6), (2.95, 6)])
    best(state)
    assert not path.exists(), "TPL 0 without an active code is no model"
    seen = []
    for _ in range(5):
        best(state)
        seen.append(kept(path))
    assert seen == [3.0, 3.0, 3.0, 2.9, 2.9]
    assert load_about(path)["notes"]["active_codes"] == 6
    assert load_model(path).config == TINY_32


def test_a_resumed_run_keeps_the_best_so_far_and_a_fresh_one_does_not(tmp_path):
    state, path = Training(TINY_32, Noise(32), CPU), tmp_path / "best.safetensors"
    scripted(path, [(2.0, 6)])(state)
    scripted(path, [(2.1, 6)])(state)
    assert kept(path) == 2.0
    again = scripted(path, [(2.2, 6), (2.3, 6)], fresh=True)
    again(state)
    again(state)
    assert kept(path) == 2.2
    other = Training(replace_config(TINY_32, seed=1), Noise(32), CPU)
    scripted(path, [(9.0, 6)])(other)
    assert kept(path) == 9.0, "what another config reached is no bar for this one"


def test_a_damaged_best_model_is_replaced(tmp_path):
    state, path = Training(TINY_32, Noise(32), CPU), tmp_path / "best.safetensors"
    path.write_bytes(b"no weights")
    scripted(path, [(2.0, 6)])(state)
    assert kept(path) == 2.0


def test_the_log_holds_tpl_and_the_run_does_not_notice(tmp_path):
    def run(place, **options):
        return train(TINY_32, Noise(32), tmp_path / place, CPU, snapshot_every=8, progress=False, **options)

    best = BestByTPL(tmp_path / "best.safetensors", BestRule(active=1), Pixels())
    watched = run("a", on_snapshot=watcher(tmp_path / "a", Noise(32), best=best))
    unwatched = run("b")
    entries = [entry for entry in watched.log if "tpl" in entry]
    assert [entry["images"] for entry in entries] == [8, 16]
    assert {entry["active_codes"] for entry in entries} <= set(range(7))
    assert kept(tmp_path / "best.safetensors") == round(min(entry["tpl"] for entry in entries), 3)
    for ours, theirs in zip(watched.average.parameters(), unwatched.average.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_fid_of_a_folders_pictures_joins_the_log(tmp_path, monkeypatch):
    asked = []

    def fid(generator, pictures, images, device):
        asked.append((generator, pictures, images, device.type))
        return 12.5

    monkeypatch.setattr("wwlib.training.watch.fid", fid)
    monkeypatch.setattr("wwlib.training.watch.check_ready", lambda: None)
    data = Noise(32)
    data.pictures = "the folder"
    state = Training(TINY_32, data, CPU)
    assert watcher(tmp_path, data, fid_images=100)(state) == {"fid": 12.5}
    assert asked == [(state.average, "the folder", 100, "cpu")]


def test_impossible_rules_are_refused():
    with pytest.raises(ValueError, match=r"preset must be one of .* got 'tiny'"):
        BestRule(preset="tiny")
    with pytest.raises(ValueError, match="active must be at least 1"):
        BestRule(active=0)
    with pytest.raises(ValueError, match="FID during training needs a folder of pictures"):
        watcher("x", Noise(32), fid_images=100)
