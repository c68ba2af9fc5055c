"""Several processes: the same training, whatever their number and the micro-batch, and no hang when one is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.multiprocessing

from tests import tiny
from tests.tiny import CPU, PRELOAD, Noise, curve, flat
from wwlib.base.device import Compute, choose_threads
from wwlib.base.files import load_about
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.models.config import replace_config
from wwlib.models.losses import OBJECTIVES
from wwlib.training import distributed
from wwlib.training.checkpoint import load_checkpoint, save_checkpoint
from wwlib.training.distributed import ALONE, Team, team
from wwlib.training.loop import train
from wwlib.training.recipes import recipe
from wwlib.training.step import Training

TINY = replace_config(tiny.TINY, batch=12, images=240, recogniser_noise=0.1)
COMMANDED = replace_config(
    recipe("shapes3d-32"), batch=12, images=1200, widths={8: 8, 16: 8, 32: 4}, discriminator_widths={16: 4, 8: 4, 4: 8},
    recogniser_widths={16: 4, 8: 4, 4: 8}, discriminator_residual=(8,), features=8,
)  # fmt: skip
VARIANTS = {
    **{name: replace_config(TINY, objective=name) for name in OBJECTIVES},
    "ps, shared noise": replace_config(TINY, share_noise=True),
}


def trained(config, compute=CPU, steps=20, **options):
    state = Training(config, Noise(), compute, **options)
    for _ in range(steps):
        losses = state.step()
    return state, {name: value.item() for name, value in losses.items()}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_micro_batches_make_the_step_of_the_whole_batch(config, float64):
    whole, losses = trained(config)
    parts, same = trained(config, micro_batch=8)  # 8 and 4: unequal shares
    assert (flat(whole) - flat(parts)).abs().max() < 1e-10
    assert same == pytest.approx(losses, abs=1e-10)


def test_micro_batches_agree_in_float32_as_far_as_its_digits_go():
    whole, _ = trained(TINY)
    parts, _ = trained(TINY, micro_batch=4)
    assert (flat(whole) - flat(parts)).abs().max() < 1e-5


def test_a_run_continues_with_another_micro_batch(tmp_path, float64):
    whole, _ = trained(TINY, steps=6)
    first, _ = trained(TINY, steps=3, micro_batch=4)
    save_checkpoint(first, tmp_path / "c.safetensors")
    second = Training(TINY, Noise(), CPU, micro_batch=8)
    load_checkpoint(second, tmp_path / "c.safetensors")
    for _ in range(3):
        second.step()
    assert (flat(whole) - flat(second)).abs().max() < 1e-10


@pytest.mark.parametrize("wrong", [0, -4, 6])
def test_a_micro_batch_that_splits_a_group_is_refused(wrong):
    with pytest.raises(ValueError, match=f"micro_batch must be a multiple of 4, whole groups of images, got {wrong}"):
        Training(TINY, Noise(), CPU, micro_batch=wrong)


def test_shares_are_whole_groups_and_together_the_batch():
    for batch, size in [(32, 2), (12, 2), (28, 3)]:
        shares = [Team(rank, size).rows(batch) for rank in range(size)]
        assert [i for rows in shares for i in range(rows.start, rows.stop)] == list(range(batch))
        assert all(rows.start % 4 == 0 and rows.stop > rows.start for rows in shares)
    with pytest.raises(ValueError, match="batch must be at least 12 for 3 processes, got 8"):
        Team(0, 3).rows(8)


def test_alone_there_is_nobody_to_ask():
    x = torch.ones(2)
    ALONE.add_up([x])
    assert x.tolist() == [1, 1]
    assert ALONE.any(True, False) == [True, False]
    assert ALONE.gather({"a": 1}) == [{"a": 1}]
    assert ALONE.hear_leader(b"x") == b"x"


def join(rank, port, folder):
    """What each of two processes does: the same trainings as above, on its share of the batch."""
    os.environ |= dict(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    with team(torch.device("cpu")) as together:
        for name, config in VARIANTS.items():
            torch.set_default_dtype(torch.float64)
            state, losses = trained(config, team=together, micro_batch=4)
            torch.save((flat(state), losses, state.penalty), folder / f"{name}-{rank}.pt")
            torch.set_default_dtype(torch.float32)
        state, losses = trained(TINY, team=together)
        torch.save((flat(state), losses, state.penalty), folder / f"float32-{rank}.pt")
        half = Compute(torch.device("cpu"), torch.float16)
        state, losses = trained(TINY, half, team=together, steps=3)
        torch.save((flat(state), losses, state.scaler.get_scale()), folder / f"float16-{rank}.pt")
        # only the leader can see a checkpoint: the others get it through the team
        own = folder if rank == 0 else folder / "elsewhere"
        train(TINY, Noise(), own / "run", CPU, log_every=5, progress=False, team=together)
        state = train(replace_config(TINY), Noise(), own / "run", CPU, progress=False, team=together)
        assert state.step_number == TINY.steps
        train(COMMANDED, Shapes3D(32), folder / "undisturbed", CPU, progress=False, team=together)
        assert together.any(rank == 1, False) == [True, False]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Two processes that trained together, each on its share; what they came to is in the folder."""
    folder = tmp_path_factory.mktemp("together")
    port = free_port()
    torch.multiprocessing.set_forkserver_preload(PRELOAD)  # torch is imported once for both
    processes = torch.multiprocessing.start_processes(
        join, (port, folder), nprocs=2, join=False, start_method="forkserver"
    )
    deadline = time.monotonic() + 300
    while not processes.join(timeout=5):
        if time.monotonic() > deadline:
            for process in processes.processes:
                process.kill()
            pytest.fail("two processes did not come to an end in 300 s")
    return folder


@pytest.mark.parametrize("name", VARIANTS)
def test_two_processes_train_what_one_does(name, together, float64):
    alone, losses = trained(VARIANTS[name])
    for rank in range(2):
        gradients, reported, penalty = torch.load(together / f"{name}-{rank}.pt")
        assert (flat(alone) - gradients).abs().max() < 1e-10
        assert reported == pytest.approx(losses, abs=1e-10)
        assert penalty.item() == pytest.approx(alone.penalty.item(), abs=1e-10)


def test_two_processes_agree_with_one_to_1e_5_in_float32_after_20_steps(together):
    alone, _ = trained(TINY)
    first, second = (torch.load(together / f"float32-{rank}.pt")[0] for rank in range(2))
    assert torch.equal(first, second)
    assert (flat(alone) - first).abs().max() < 1e-5


def test_two_processes_scale_float16_alike(together):
    (first, _, scale), (second, _, same) = (torch.load(together / f"float16-{rank}.pt") for rank in range(2))
    assert scale == same
    assert torch.equal(first, second)


def test_the_record_holds_what_every_process_measured(together):
    record = json.loads((together / "run" / "run.json").read_text())
    assert not (together / "elsewhere").exists()
    (session,) = record["sessions"]
    assert (session["from_step"], session["to_step"]) == (0, TINY.steps)
    assert [process["device"] for process in session["processes"]] == ["cpu, float32, 1 threads"] * 2
    assert all(process["peak_gigabytes"] > 0 for process in session["processes"])
    slow, fast = (process["images_per_second"] for process in session["processes"])
    assert 0 < slow < fast  # 4 and 8 of 12 images
    assert len(record["log"]) == 4


def workers(launcher):
    """Process ids of what a launcher started, in the order of ranks."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    if not children.parent.is_dir():
        pytest.skip("finding the processes that torchrun started needs Linux's /proc")
    return [int(number) for number in children.read_text().split()]


def launch(folder, until, number, rank):
    """Start the command on two processes, send one of them a signal once a checkpoint has come to step `until`."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "wwlib"]
    widths = ["--widths", "8:8,16:8,32:4", "--discriminator-widths", "16:4,8:4,4:8"]
    widths += ["--recogniser-widths", "16:4,8:4,4:8", "--discriminator-residual", "8", "--features", "8"]
    options = ["--batch", "12", "--images", "1200", "--save-seconds", "0.1", "--snapshot-every", "0", "--threads", "1"]
    command += ["train", "--recipe", "shapes3d-32", "--device", "cpu", "--folder", str(folder), *widths, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 300
        checkpoint = folder / "checkpoint.safetensors"
        while not checkpoint.exists() or load_about(checkpoint)["step"] < until:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        processes = workers(process)
        os.kill(processes[rank], number)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert not any(Path(f"/proc/{one}").exists() for one in processes)
    return process.returncode, output


def test_a_job_that_loses_a_process_ends_and_the_same_command_continues_to_the_same_curve(together, tmp_path):
    code, output = launch(tmp_path, 20, signal.SIGKILL, 1)
    assert code != 0
    assert "another process of this training ended or hangs" in output
    killed_at = load_about(tmp_path / "checkpoint.safetensors")["step"]
    code, output = launch(tmp_path, 50, signal.SIGTERM, 1)  # told to one, heard by both
    assert output.count(f"continued at step {killed_at} of 100 from {tmp_path}") == 1
    about = load_about(tmp_path / "checkpoint.safetensors")
    assert f"stopped at step {about['step']} of 100" in output
    # the rest on one process: the record keeps who did what
    state = train(COMMANDED, Shapes3D(32), tmp_path, CPU, progress=False)
    spans = [(len(s["processes"]), s["from_step"], s["to_step"]) for s in state.sessions]
    assert spans == [(2, 0, killed_at), (2, killed_at, about["step"]), (1, about["step"], 100)]
    whole = json.loads((together / "undisturbed" / "run.json").read_text())
    (own_curve, last), (whole_curve, expected) = curve(state.log), curve(whole["log"])
    assert own_curve == whole_curve  # two processes throughout: to the bit
    assert last == pytest.approx(expected, rel=0.05)  # the last steps were summed in another order


@pytest.fixture
def variables(monkeypatch):
    """A function that sets what a launcher other than torchrun sets."""

    def put(**values):
        for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return put


@pytest.mark.parametrize(("rank", "whom"), [(0, "1 of 2 processes"), (1, "the first of 2 processes")])
def test_a_process_without_its_peer_says_whom_it_waits_for_and_gives_up(rank, whom, variables, monkeypatch, capsys):
    port = free_port()
    variables(WORLD_SIZE=2, RANK=rank, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    monkeypatch.setattr(distributed, "JOINING", 1.0)
    monkeypatch.setattr(distributed, "SILENCE", 0.2)
    in_vain = pytest.raises(ConnectionError, match=f"waited 0 minutes for {whom} at 127.0.0.1:{port}")
    with in_vain, team(torch.device("cpu")):
        pass
    assert capsys.readouterr().out == f"waiting for {whom} at 127.0.0.1:{port}\n"


WRONG = {
    "an empty size": (dict(WORLD_SIZE=""), "WORLD_SIZE must be a whole number of at least 1, or not be set, got ''"),
    "a size of 0": (dict(WORLD_SIZE="0"), "WORLD_SIZE must be a whole number"),
    "a size in words": (dict(WORLD_SIZE="two"), "WORLD_SIZE must be a whole number"),
    "no rank": (dict(WORLD_SIZE="2", MASTER_ADDR="localhost", MASTER_PORT="29500"), "needs RANK below it"),
    "a rank too high": (
        dict(WORLD_SIZE="2", RANK="2", MASTER_ADDR="localhost", MASTER_PORT="1"),
        "needs RANK below it",
    ),
    "no address": (dict(WORLD_SIZE="2", RANK="0"), "MASTER_ADDR and MASTER_PORT"),
    "a port in words": (dict(WORLD_SIZE="2", RANK="0", MASTER_PORT="http"), "MASTER_PORT must be a whole number"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_variables_are_one_sentence(kind, variables):
    values, words = WRONG[kind]
    variables(**values)
    with pytest.raises(ValueError, match=words) as told, team(torch.device("cpu")):
        pass
    assert "\n" not in str(told.value)


def test_a_port_that_is_taken_is_one_sentence(variables):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        variables(WORLD_SIZE=2, RANK=0, MASTER_ADDR="127.0.0.1", MASTER_PORT=taken.getsockname()[1])
        with pytest.raises(ConnectionError, match="cannot meet at 127") as told, team(torch.device("cpu")):
            pass
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("name", "text"), [("WW_THREADS", "auto"), ("WW_THREADS", ""), ("WW_THREADS", "-1"),
                                            ("LOCAL_WORLD_SIZE", "0"), ("LOCAL_WORLD_SIZE", "")])  # fmt: skip
def test_wrong_numbers_of_threads_are_one_sentence(name, text, monkeypatch):
    monkeypatch.delenv("WW_THREADS", raising=False)
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least ., or not be set, got '{text}'"):
        choose_threads()
