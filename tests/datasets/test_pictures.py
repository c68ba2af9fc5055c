"""Pictures as a stream: the same at the same position however it is read, and a training that resumes to the bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import islice
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import CPU, TINY_32
from wwlib.__main__ import main
from wwlib.base.device import choose_compute
from wwlib.base.files import load_tensors
from wwlib.datasets.pictures import ImageFolder, PictureStream, in_order, order
from wwlib.models.config import replace_config
from wwlib.models.shipped import load_model
from wwlib.training.checkpoint import load_checkpoint, save_checkpoint
from wwlib.training.loop import train
from wwlib.training.recipes import recipe, training_data
from wwlib.training.step import Training

COUNT = 10


@pytest.fixture
def folder(tmp_path):
    """Ten pictures of 32 px, each of noise."""
    made = tmp_path / "pictures"
    made.mkdir()
    for n in range(COUNT):
        pixels = np.random.default_rng(n).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"{n}.png")
    return made


def stream(folder, **options):
    return PictureStream(ImageFolder(folder, 32), **options)


def tiny(**changes):
    modules = ("Const-8", "ResConv-up-1", "C_spgroup-2-2", "ResConv-up-1", "ResConv-up-1")
    return replace_config(TINY_32, **dict(modules=modules, dataset="folder", mirror=True, images=32) | changes)


def test_every_epoch_shows_every_picture_once_in_another_order():
    places = [index for index, _ in islice(order(COUNT, 0, False), 3 * COUNT)]
    epochs = [places[start : start + COUNT] for start in range(0, 3 * COUNT, COUNT)]
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert places != [index for index, _ in islice(order(COUNT, 1, False), 3 * COUNT)]


def test_a_position_has_its_picture_and_coin_wherever_reading_starts():
    whole = list(islice(order(COUNT, 3, True), 40))
    for position in (0, 1, 9, 10, 25):
        assert list(islice(order(COUNT, 3, True, position), 40 - position)) == whole[position:]


def test_half_of_the_pictures_are_mirrored_and_the_order_is_the_same_without():
    with_coin = list(islice(order(100, 0, True), 5_000))
    share = np.mean([mirrored for _, mirrored in with_coin])
    assert abs(share - 0.5) < 5 * 0.5 / 5_000**0.5
    without = list(islice(order(100, 0, False), 5_000))
    assert [index for index, _ in with_coin] == [index for index, _ in without]
    assert not any(mirrored for _, mirrored in without)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_worker_that_is_killed_is_one_sentence_and_the_stream_can_go_on(folder):
    shown = stream(folder, workers=1)
    first = shown.sample_images(2)
    (worker,) = torch.multiprocessing.active_children()

    def read_on():
        os.kill(worker.pid, signal.SIGKILL)
        return [shown.sample_images(2) for _ in range(20)]  # some batches were ready before

    with pytest.raises(OSError, match=r"a process that reads pictures ended .* use fewer workers, or 0") as told:
        read_on()
    assert "\n" not in str(told.value)
    signal.raise_signal(signal.SIGCHLD)  # it can come later than the end of what the worker sends
    shown.seek(0)
    assert torch.equal(shown.sample_images(2), first)


def test_a_mirrored_picture_is_turned_left_to_right(folder):
    pictures = ImageFolder(folder, 32)
    images = PictureStream(pictures, seed=0, mirror=True).sample_images(20)
    for image, (index, mirrored) in zip(images, order(COUNT, 0, True), strict=False):
        expected = pictures.image(index)
        assert torch.equal(image, expected.flip(-1) if mirrored else expected)


def test_the_stream_does_not_depend_on_batches_or_workers(folder):
    whole = stream(folder, seed=1, mirror=True).sample_images(24)
    parts = stream(folder, seed=1, mirror=True)
    assert torch.equal(torch.cat([parts.sample_images(n) for n in (4, 4, 7, 9)]), whole)
    for workers in (1, 2):
        several = stream(folder, seed=1, mirror=True, workers=workers)
        assert torch.equal(torch.cat([several.sample_images(4) for _ in range(6)]), whole)
        several.seek(8)
        assert torch.equal(several.sample_images(4), whole[8:12])
        several.close()


def test_two_processes_read_the_two_halves_of_each_batch(folder):
    whole = stream(folder, seed=1, mirror=True).sample_images(24).split(8)
    for rows in (slice(0, 4), slice(4, 8)):
        share = stream(folder, seed=1, mirror=True)
        assert all(torch.equal(share.sample_rows(8, None, rows), batch[rows]) for batch in whole)
        assert share.position == 24


def test_pictures_of_the_right_size_are_not_touched(folder):
    image = ImageFolder(folder, 32).pixels(3)
    assert np.array_equal(image.permute(1, 2, 0), Image.open(folder / "3.png"))


def test_a_damaged_picture_is_named_with_and_without_workers(folder):
    (folder / "7.png").write_bytes(b"no picture")
    for workers in (0, 1):
        with pytest.raises(ValueError, match=r"^[^\n]*7\.png is not a readable picture[^\n]*$"):
            stream(folder, workers=workers).sample_images(COUNT)


def test_no_more_pictures_are_kept_than_asked_for(folder):
    pictures = ImageFolder(folder, 32, cache_bytes=2 * 3 * 32 * 32)
    for n in range(COUNT):
        pictures.image(n)
    assert len(pictures._cache) == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_training_sees_what_an_unbroken_one_sees(folder, tmp_path, workers):
    config = tiny()
    unbroken = train(config, training_data(config, pictures=folder, workers=workers), tmp_path / "a", CPU)
    stopped = Training(config, training_data(config, pictures=folder, workers=workers), CPU)
    for _ in range(3):
        stopped.step()
    save_checkpoint(stopped, tmp_path / "b" / "checkpoint.safetensors")
    resumed = train(config, training_data(config, pictures=folder, workers=workers), tmp_path / "b", CPU)
    assert resumed.step_number == unbroken.step_number == config.steps
    ours, theirs = (load_tensors(tmp_path / place / "checkpoint.safetensors")[0] for place in "ab")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_stays_with_its_pictures(folder, tmp_path):
    """The folder may move; other pictures under the same command would spoil the run unseen."""
    cpu, config = choose_compute("cpu"), tiny()
    save_checkpoint(Training(config, stream(folder), cpu), tmp_path / "c.safetensors")
    moved = folder.rename(tmp_path / "moved")
    load_checkpoint(Training(config, stream(moved), cpu), tmp_path / "c.safetensors")
    first = next(moved.rglob("*.png"))
    first.rename(first.with_name("another.png"))
    other = Training(config, stream(moved), cpu)
    with pytest.raises(ValueError, match="belongs to a run on other pictures"):
        load_checkpoint(other, tmp_path / "c.safetensors")


def test_hidden_folders_are_passed_over(folder):
    hidden = folder / ".thumbnails"
    hidden.mkdir()
    before = len(ImageFolder(folder))
    shutil.copy(next(folder.rglob("*.png")), hidden / "small.png")
    assert len(ImageFolder(folder)) == before


def test_folder_and_config_must_go_together(folder):
    with pytest.raises(ValueError, match="dataset 'folder' and a folder of pictures go together, got 'shapes3d'"):
        training_data(recipe("shapes3d-32"), pictures=folder)
    with pytest.raises(ValueError, match="go together, got 'folder', None"):
        training_data(tiny())
    with pytest.raises(ValueError, match="mirror is for folders of pictures, got dataset 'shapes3d'"):
        training_data(replace_config(recipe("shapes3d-32"), mirror=True))
    with pytest.raises(ValueError, match="workers must be 0 or more, got -1"):
        training_data(tiny(), pictures=folder, workers=-1)


def command(folder, out, *more):
    config = tiny(images=10_000_000)
    options = [
        f"--{name.replace('_', '-')}={text}"
        for name, text in dict(
            modules=",".join(config.modules),
            widths="8:8,16:4,32:4",
            discriminator_widths="16:4,8:8,4:8",
            recogniser_widths="16:4,8:8,4:8",
            discriminator_residual="",
            recogniser_residual="",
            features=8,
            mirror="true",
            batch=4,
            images=config.images,
        ).items()
    ]
    return [sys.executable, "-m", "wwlib", "train", f"--pictures={folder}", "--workers=2", f"--folder={out}",
            "--snapshot-every=0", *options, *more]  # fmt: skip


def children(process):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True)
    return [int(word) for word in listing.stdout.split()]


def alive(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes as Linux shows them")
READER = """
import sys, time
from wwlib.datasets.pictures import ImageFolder, PictureStream
stream = PictureStream(ImageFolder(sys.argv[1], 32), workers=2)
stream.sample_images(4)
time.sleep(600)
"""
LATE = """
import os, time
os.register_at_fork(after_in_child=lambda: time.sleep(2))  # the workers begin when their parent is gone
"""


@pytest.fixture
def started(eventually):
    """A function that starts a process of its own group, and returns it with the numbers of its two workers."""

    def start(*arguments):
        process = subprocess.Popen(arguments, start_new_session=True, stdout=subprocess.PIPE, text=True)
        return process, eventually(lambda: len(children(process.pid)) == 2 and children(process.pid))

    return start


def nobody_left(processes):
    return not any(alive(process) for process in processes)


class Pixels(torch.nn.Module):
    provenance = "pixels"

    def embed(self, images):
        return images.flatten(1)


def test_the_train_command_takes_pictures_to_the_end_and_names_no_place(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("wwlib.training.watch.PerceptualDistance", lambda net: Pixels())
    out = tmp_path / "run"
    watched = ["--snapshot-every=8", "--tpl=alex", "--active=1"]
    assert main([*command(folder, out)[3:], "--images=16", "--workers=0", "--threads=1", *watched]) == 0
    assert load_model(out / "best.safetensors").config.mirror
    record = json.loads((out / "run.json").read_text())
    assert (record["images"], record["config"]["dataset"], record["config"]["mirror"]) == (16, "folder", True)
    assert str(tmp_path) not in (out / "run.json").read_text()
    assert str(tmp_path).encode() not in (out / "checkpoint.safetensors").read_bytes()


@LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "scheduler"])
@pytest.mark.slow
def test_a_signal_reaches_the_workers_too_and_still_the_state_is_saved(folder, tmp_path, started, eventually, number):
    process, workers = started(*command(folder, tmp_path / "run"), "--snapshot-every=40")
    eventually(lambda: list((tmp_path / "run").glob("snapshots/*.png")))  # by then both workers have delivered
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert "the same command continues" in output
    assert process.returncode == 130
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    eventually(lambda: nobody_left(workers))


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("before", ["", LATE], ids=["at work", "not begun"])
def test_workers_of_a_killed_process_end_by_themselves(folder, started, eventually, before):
    process, workers = started(sys.executable, "-c", before + READER, str(folder))
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: nobody_left(workers))


def test_pictures_come_in_one_order_on_every_system():
    """The report: python/cpython#76221 and others, paths of Windows are sorted without regard to case."""
    names = ["a/B.png", "B.png", "a-1/x.png", "a/a.png", "b.png"]
    for kind in (PurePosixPath, PureWindowsPath):
        assert [path.as_posix() for path in in_order(kind(name) for name in names)] == [
            "B.png", "a/B.png", "a/a.png", "a-1/x.png", "b.png"
        ]  # fmt: skip


STRANGER = """
import multiprocessing, subprocess, sys, time
from wwlib.datasets.pictures import ImageFolder, PictureStream
multiprocessing.set_start_method("forkserver")
stream = PictureStream(ImageFolder(sys.argv[1], 32), workers=1)
stream.sample_images(4)
(worker,) = multiprocessing.active_children()
subprocess.run(["kill", "-TERM", str(worker.pid)], check=True)
time.sleep(1)
print(sum(len(stream.sample_images(4)) for _ in range(8)))
"""


@LINUX
@pytest.mark.slow
def test_a_schedulers_signal_is_ignored_by_workers_also_where_python_does_not_fork(folder):
    """The report: pytorch/pytorch#169252, Python 3.14 starts workers by a fork server."""
    result = subprocess.run([sys.executable, "-c", STRANGER, str(folder)], capture_output=True, text=True, check=False)
    assert result.stdout == "32\n", result.stderr
