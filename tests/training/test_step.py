"""Training: one step teaches, a run resumes to the bit, whatever stops it."""

import copy
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.tiny import CPU, MORTAL, PRELOAD, TINY, Noise, curve, live
from wwlib.base.device import Compute, choose_compute, choose_threads
from wwlib.base.files import load_about, load_tensors, save_tensors
from wwlib.datasets.shapes3d import SmallRooms
from wwlib.experiments.perturbation.runs import pair_config
from wwlib.models.config import Config, replace_config
from wwlib.models.losses import OBJECTIVES
from wwlib.training.batch import loss_of_generator
from wwlib.training.checkpoint import load_checkpoint, save_checkpoint
from wwlib.training.loop import train
from wwlib.training.recipes import recipe
from wwlib.training.run_record import run_record
from wwlib.training.step import Training, ema_decay, learning_rate_share, update_average


def weights(state):
    return [p for network in state.networks().values() for p in network.state_dict().values()]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("share_noise", [False, True])
def test_one_step_moves_every_network_that_has_a_loss(objective, share_noise):
    state = Training(replace_config(TINY, objective=objective, share_noise=share_noise), Noise(), CPU)
    before = {name: copy.deepcopy(n.state_dict()) for name, n in state.networks().items()}
    losses = state.step()
    assert all(torch.isfinite(value) for value in losses.values())
    for name, network in state.networks().items():
        moved = any(not torch.equal(before[name][k], v) for k, v in network.state_dict().items())
        assert moved, name


def test_the_recogniser_of_a_plain_gan_is_a_bystander():
    """It learns to read the codes, but G's gradient is the adversarial loss's alone, whatever C_lambda is."""
    gradients = []
    for C_lambda in (0.0, 10.0):
        state = Training(replace_config(TINY, objective="gan", C_lambda=C_lambda), Noise(), CPU)
        state.step()
        gradients.append(torch.cat([p.grad.flatten() for p in state.generator.parameters()]))
        heard = any(p.grad is not None and p.grad.abs().sum() > 0 for p in state.recogniser.parameters())
        assert heard == (C_lambda > 0)
    assert torch.equal(*gradients)


def test_the_discriminator_never_sees_the_perturbed_images():
    state = Training(TINY, Noise(), CPU)
    batches = []
    state.discriminator.register_forward_hook(lambda module, inputs, output: batches.append(len(inputs[0])))
    state.step()
    assert batches == [4, 8, 4]  # G's step: x alone; D's step: real and x; R1: real


def test_ps_loss_starts_near_d_plus_18_over_many_samples():
    state = Training(replace_config(TINY, batch=64), Noise(), CPU)
    state.recogniser.head.weight.data.zero_()
    networks = state.generator, state.discriminator, state.recogniser
    values = [loss_of_generator(networks, state.draw(), state.config)[2]["what"].item() for _ in range(60)]
    assert sum(values) / len(values) == pytest.approx(5 + 18, rel=0.1)


def test_resuming_continues_to_the_bit(tmp_path):
    whole = Training(TINY, Noise(), CPU)
    for _ in range(9):
        whole.step()
    first = Training(TINY, Noise(), CPU)
    for _ in range(4):
        first.step()
    save_checkpoint(first, tmp_path / "c.safetensors")
    second = Training(TINY, Noise(), CPU)
    load_checkpoint(second, tmp_path / "c.safetensors")
    for _ in range(5):
        second.step()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))
    assert torch.equal(whole.random.get_state(), second.random.get_state())


def test_a_checkpoint_of_another_config_is_refused(tmp_path):
    save_checkpoint(Training(TINY, Noise(), CPU), tmp_path / "c.safetensors")
    other = Training(replace_config(TINY, gamma=2.0), Noise(), CPU)
    with pytest.raises(ValueError, match=r"differs in \['gamma'\]"):
        load_checkpoint(other, tmp_path / "c.safetensors")


def test_building_networks_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    Training(TINY, Noise(), CPU)
    assert torch.equal(expected, torch.randn(3))


def test_train_writes_record_and_checkpoint_and_resumes(tmp_path):
    state = train(TINY, Noise(), tmp_path, CPU, log_every=5, progress=False)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["finished"]
    assert record["steps"] == 20 == state.step_number
    assert [entry["images"] for entry in record["log"]] == [20, 40, 60, 80]
    again = train(TINY, Noise(), tmp_path, CPU, progress=False)
    assert again.step_number == 20
    assert Config.from_json(record["config"]) == TINY


def test_resume_true_demands_a_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError):
        train(TINY, Noise(), tmp_path / "none", CPU, resume=True, progress=False)


def test_snapshots_join_the_log_and_do_not_change_the_run(tmp_path):
    calls = []

    def watch(state):
        calls.append(state.step_number)
        torch.randn(7)
        return {"score": 1.0}

    watched = train(TINY, Noise(), tmp_path / "a", CPU, snapshot_every=40, on_snapshot=watch, progress=False)
    plain = train(TINY, Noise(), tmp_path / "b", CPU, progress=False)
    assert calls == [10, 20]
    assert all(torch.equal(a, b) for a, b in zip(weights(watched), weights(plain), strict=True))
    assert sum("score" in entry for entry in run_record(watched)["log"]) == 2


def test_infinite_losses_stop_the_run(tmp_path):
    class Broken:
        def sample_images(self, n, generator):
            return torch.full((n, 3, 16, 16), torch.inf)

    with pytest.raises(FloatingPointError, match="not finite at step 5"):
        train(TINY, Broken(), tmp_path, CPU, log_every=5, progress=False)


def test_decay_halves_after_a_half_life_and_the_average_follows():
    assert ema_decay(8, 10_000) == pytest.approx(0.999446, abs=1e-6)
    assert ema_decay(128, 10_000) == pytest.approx(0.991167, abs=1e-6)
    average, current = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    expected = 0.9 * average.weight.detach() + 0.1 * current.weight.detach()
    update_average(average, current, 0.9)
    assert torch.allclose(average.weight, expected)


def test_learning_rate_is_constant_then_falls_in_a_line():
    assert [learning_rate_share(p, 0.5) for p in (0, 0.49, 0.75, 1.0)] == [1, 1, 0.5, 0]
    assert learning_rate_share(1.0, 1.0) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(objective="vae"), "objective must be one of"),
        (dict(batch=0), "batch must be positive, got 0"),
        (dict(decay_from=1.5), "decay_from must be in"),
        (dict(gama=1), r"config has no \['gama'\]; known are"),
    ],
)
def test_wrong_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace_config(TINY, **change)


def test_modules_that_miss_the_resolution_are_named():
    with pytest.raises(ValueError, match="modules end at 16 px, but resolution is 32"):
        Training(replace_config(TINY, resolution=32), Noise(), CPU)


def test_unknown_devices_and_formats_are_named():
    with pytest.raises(ValueError, match="device must be"):
        choose_compute("abacus")
    with pytest.raises(ValueError, match="precision must be"):
        choose_compute("cpu", "int3")


def test_threads_follow_the_argument_then_the_environment(monkeypatch):
    before = torch.get_num_threads()
    assert choose_threads(1) == 1
    monkeypatch.setenv("WW_THREADS", "1")
    assert choose_threads() == 1
    torch.set_num_threads(before)


def test_small_pairs_train_without_masks():
    state = Training(pair_config("ps", 64, 0), SmallRooms(), CPU)
    state.step()
    _, masks = state.generator(torch.randn(2, 8), return_masks=True)
    assert masks == []


COMMAND = [
    *(sys.executable, "-m", "wwlib", "train", "--recipe", "shapes3d-32", "--threads", "1", "--device", "cpu"),
    *("--batch", "4", "--images", "480", "--snapshot-every", "0", "--widths", "8:8,16:8,32:4"),
    *("--discriminator-widths", "16:4,8:4,4:8", "--recogniser-widths", "16:4,8:4,4:8"),
    *("--discriminator-residual", "8", "--features", "8"),
]
COMMANDED = replace_config(
    recipe("shapes3d-32"), batch=4, images=480, widths={8: 8, 16: 8, 32: 4}, discriminator_widths={16: 4, 8: 4, 4: 8},
    recogniser_widths={16: 4, 8: 4, 4: 8}, discriminator_residual=(8,), features=8,
)  # fmt: skip


def same_checkpoints(path, other_path):
    (tensors, about), (other_tensors, others) = load_tensors(path), load_tensors(other_path)
    same = all(torch.equal(tensors[key], other_tensors[key]) for key in other_tensors)
    return same and curve(about["log"]) == curve(others["log"])


@pytest.mark.slow
def test_a_stopped_command_says_where_it_continues_and_comes_to_the_same_weights(shapes, tmp_path):
    train(COMMANDED, shapes, tmp_path / "undisturbed", CPU, progress=False)
    folder, checkpoint = tmp_path / "stopped", tmp_path / "stopped" / "checkpoint.safetensors"
    often = [*COMMAND, "--folder", str(folder), "--save-seconds", "0"]
    process = subprocess.Popen(often, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    step = load_about(checkpoint)["step"]
    assert 0 < step < 120
    assert f"stopped at step {step} of 120; the same command continues" in output
    again = subprocess.run([*COMMAND, "--folder", str(folder)], capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert f"continued at step {step} of 120 from {folder}" in again.stdout
    assert same_checkpoints(checkpoint, tmp_path / "undisturbed" / "checkpoint.safetensors")
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


@pytest.mark.slow
def test_a_run_killed_at_24_moments_comes_to_the_same_weights_and_curve(tmp_path):
    """Each is forked from a process that imported torch once; every third dies while a checkpoint is half written."""
    train(MORTAL, Noise(), tmp_path / "undisturbed", CPU, log_every=10, progress=False)
    folder, checkpoint = tmp_path / "killed", tmp_path / "killed" / "checkpoint.safetensors"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    moments, half_written, steps = random.Random(0), 0, [0]
    for life in range(24):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = context.Process(target=live, args=(folder, 0))
        process.start()
        deadline = time.monotonic() + 60

        def written(before=before):
            return checkpoint.exists() and checkpoint.stat().st_mtime_ns != before

        while not written() or (life % 3 == 0 and not unfinished(folder)):
            assert process.is_alive()
            assert time.monotonic() < deadline
        if life % 3:
            time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        half_written += bool(unfinished(folder))
        steps.append(load_about(checkpoint)["step"])
    assert half_written
    assert steps == sorted(steps)
    process = context.Process(target=live, args=(folder, 60))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert same_checkpoints(checkpoint, tmp_path / "undisturbed" / "checkpoint.safetensors")
    assert not unfinished(folder)
    sessions = json.loads((folder / "run.json").read_text())["sessions"]
    spans = [(session["from_step"], session["to_step"]) for session in sessions]
    assert [a for a, _ in spans] == [0, *(b for _, b in spans[:-1])]
    assert spans[-1][1] == MORTAL.steps


def unfinished(folder):
    return [name for name in os.listdir(folder) if name.startswith(".checkpoint.safetensors.")]


def test_half_precision_trains_where_images_agree_with_their_neighbours():
    class Black:
        def sample_images(self, n, generator):
            return torch.full((n, 3, 16, 16), -1.0)

    state = Training(TINY, Black(), Compute(torch.device("cpu"), torch.float16))
    before = [p.clone() for p in state.discriminator.parameters()]
    for _ in range(20):
        state.step()
    assert any(not torch.equal(a, b) for a, b in zip(before, state.discriminator.parameters(), strict=True))


def test_a_run_that_breaks_keeps_its_last_good_checkpoint(tmp_path):
    class Breaks(Noise):
        calls = 0

        def sample_images(self, n, generator):
            self.calls += 1
            images = super().sample_images(n, generator)
            return images * float("nan") if self.calls == 8 else images

    with pytest.raises(FloatingPointError, match="not finite"):
        train(TINY, Breaks(), tmp_path, CPU, save_seconds=0, progress=False)
    tensors, about = load_tensors(tmp_path / "checkpoint.safetensors")
    assert about["step"] == 7
    assert all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())


def test_the_latest_r1_penalty_is_in_the_log_and_survives_a_resume(tmp_path):
    state = train(TINY, Noise(), tmp_path, CPU, log_every=3, progress=False)
    assert all(entry["R1"] > 0 for entry in state.log)
    again = Training(TINY, Noise(), CPU)
    load_checkpoint(again, tmp_path / "checkpoint.safetensors")
    assert again.penalty == state.penalty


def test_files_that_are_no_whole_checkpoint_are_named(tmp_path):
    state = Training(TINY, Noise(), CPU)
    state.step()
    save_checkpoint(state, tmp_path / "whole.safetensors")
    tensors, about = load_tensors(tmp_path / "whole.safetensors")
    save_tensors(tmp_path / "model.safetensors", tensors, about | {"kind": "model"})
    with pytest.raises(ValueError, match="must be the checkpoint of a training, got kind 'model'"):
        load_checkpoint(state, tmp_path / "model.safetensors")
    for lost in ("random", "d_optimiser.0.exp_avg_sq", "average.const"):
        fewer = {name: t for name, t in tensors.items() if name != lost}
        save_tensors(tmp_path / "part.safetensors", fewer, about)
        with pytest.raises(ValueError, match=f"no whole checkpoint.*{lost}"):
            load_checkpoint(state, tmp_path / "part.safetensors")


def test_a_snapshots_numbers_join_the_log_as_plain_numbers(tmp_path):
    noted = {"score": torch.tensor(0.5)}
    state = train(TINY, Noise(), tmp_path, CPU, snapshot_every=40, on_snapshot=lambda s: noted, progress=False)
    assert [entry["score"] for entry in state.log if "score" in entry] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (dict(batch=6), "batch must be a multiple of 4"),
        (dict(features=0), "features must be positive"),
        (dict(perturbation=float("nan")), "perturbation must be positive"),
        (dict(gamma=float("inf")), "gamma must be 0 or more"),
        (dict(seed=-1), "seed must be from 0"),
        (dict(modules=("Const-8", "ResConv-up-1", "ResConv-up-1")), "modules must hold codes"),
    ],
)
def test_a_config_that_cannot_train_is_refused(change, named):
    with pytest.raises(ValueError, match=named):
        replace_config(TINY, **change)


def test_a_config_for_images_of_another_kind_is_refused():
    class Grey(Noise):
        channels = 1

    with pytest.raises(ValueError, match="channels of the config must be those of the images, 1, got 3"):
        Training(TINY, Grey(), CPU)
