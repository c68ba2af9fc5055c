"""A process's folder lives as long as the process does, whichever way that ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from wwlib.base.paths import ROOT
from wwlib.base.scratch import sweep

PREFIX = "ww-test-"
HOLD = f"from wwlib.base.scratch import scratch; import time; print(scratch({PREFIX!r}), flush=True); time.sleep(600)"
END = f"from wwlib.base.scratch import scratch; print(scratch({PREFIX!r}))"


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def holder():
    process = subprocess.Popen([sys.executable, "-c", HOLD], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    folder = Path(process.stdout.readline().strip())
    (folder / "home").mkdir()
    yield process, folder
    process.kill()
    process.wait()


def test_the_folder_of_a_living_process_stays(holder):
    assert sweep(PREFIX) == []
    assert (holder[1] / "home").is_dir()


def test_the_folder_of_a_killed_process_goes_at_the_next_start(holder):
    process, folder = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.is_dir()
    ended = subprocess.run([sys.executable, "-c", END], cwd=ROOT, capture_output=True, text=True, check=True)
    later = Path(ended.stdout.strip())
    assert not folder.exists()
    assert later != folder
    assert not later.exists()  # which ended by itself


def test_no_link_and_no_file_and_no_other_name_is_touched(tmp_path):
    other = tmp_path / "mine"
    other.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    (tmp_path / f"{PREFIX}file").write_text("x")
    assert sweep(PREFIX) == []
    assert sorted(os.listdir(tmp_path)) == ["mine", f"{PREFIX}file", f"{PREFIX}link"]


def test_the_folder_of_another_account_is_not_touched(tmp_path, monkeypatch):
    (tmp_path / f"{PREFIX}other").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    assert sweep(PREFIX) == []
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert sweep(PREFIX) == [str(tmp_path / f"{PREFIX}other")]
