"""Files are whole or absent, and damage is named."""

import os
import signal
import stat
import subprocess
import sys

import pytest
import torch

from wwlib.base import paths
from wwlib.base.files import (
    half_floats,
    keep_previous,
    load_json,
    load_tensors,
    prefixed,
    remove_unfinished,
    save_json,
    save_tensors,
    unprefixed,
    write_whole,
)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(file):
        file.write_text("half of the new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


FULL = """
import resource, signal, sys, torch
from wwlib.base.files import save_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a file that grows too long is an error, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    save_tensors(sys.argv[1], {"x": torch.zeros(100_000)}, {})
except OSError as error:
    print("named" if sys.argv[1] in str(error) else error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_a_full_disk_under_safetensors_is_an_oserror_that_names_the_file(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "t.safetensors")], capture_output=True, text=True
    )
    assert (result.stdout.strip(), result.returncode) == ("named", 0), result.stderr
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys, threading, torch
from pathlib import Path
from wwlib.base.files import save_tensors
folder = Path(sys.argv[1])
def kill():
    while not any(path.is_file() and path.stat().st_size for path in folder.rglob("*")):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
save_tensors(folder / "t.safetensors", {"x": torch.zeros(200_000_000)}, {})
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_what_a_killed_save_leaves_is_removed_at_the_next_start(tmp_path):
    code = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, check=False).returncode
    assert code == -signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert left, "the save ended before the kill"
    (tmp_path / ".tmpA1b2C3").write_bytes(b"safetensors' own, of a version that wrote it here")
    (tmp_path / ".other.safetensors.x1y2z3").mkdir()
    remove_unfinished(tmp_path / "t.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == [".other.safetensors.x1y2z3"]


def test_a_name_with_brackets_is_cleaned_up_too(tmp_path):
    (tmp_path / ".run[1].safetensors.abc").touch()
    (tmp_path / ".run1.safetensors.abc").touch()
    remove_unfinished(tmp_path / "run[1].safetensors")
    assert [path.name for path in tmp_path.iterdir()] == [".run1.safetensors.abc"]


def test_a_shipped_file_that_is_gone_or_damaged_says_how_to_restore_it(tmp_path, monkeypatch):
    restore = r": restore it with `git checkout -- data`$"
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    path = tmp_path / "data" / "model.safetensors"
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing" + restore):
        load_tensors(path)
    path.parent.mkdir()
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(ValueError, match=r"model\.safetensors.*Git LFS pointer.*" + restore):
        load_tensors(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"model\.safetensors.*" + restore):
        load_tensors(path)


def test_a_file_of_the_users_own_is_not_to_be_restored_from_the_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    for place in (tmp_path / "run", tmp_path / "data" / "cache"):
        with pytest.raises(FileNotFoundError) as told:
            load_tensors(place / "model.safetensors")
        assert "git" not in str(told.value)


def test_tensors_come_back_with_their_description(tmp_path):
    tensors = {"a.x": torch.arange(3), "b.y": torch.randn(2, 2)}
    save_tensors(tmp_path / "t.safetensors", tensors, {"kind": "test", "n": [1, 2]})
    back, about = load_tensors(tmp_path / "t.safetensors")
    assert about == {"kind": "test", "n": [1, 2]}
    assert all(torch.equal(back[k], v) for k, v in tensors.items())


def test_missing_truncated_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_tensors(tmp_path / "nowhere")
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"a": torch.zeros(100)}, {})
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"t\.safetensors is not a readable"):
        load_tensors(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match=r"t\.safetensors is not a readable"):
        load_tensors(path)


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        save_json(tmp_path / "a.json", {"score": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_prefixes_are_put_on_and_taken_off():
    tensors = {"w": torch.ones(1)}
    assert unprefixed("g", prefixed("g", tensors) | prefixed("gg", tensors)) == tensors
    large = half_floats({"scale": torch.tensor([1.0, 70_000.0]), "empty": torch.zeros(0)})
    assert (large["scale"].dtype, float(large["scale"].max())) == (torch.float32, 70_000.0)
    assert large["empty"].dtype == torch.float16
    halved = half_floats({"w": torch.ones(1), "n": torch.ones(1, dtype=torch.int64)})
    assert halved["w"].dtype == torch.float16
    assert halved["n"].dtype == torch.int64


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "rights"), [(0o077, 0o600), (0o027, 0o640), (0o002, 0o664)])
def test_the_umask_decides_who_may_read_what_is_written(tmp_path, umask, rights):
    """The report: ipython/ipython#7317, atomic writing that ignores the umask."""
    json_file, tensor_file = tmp_path / "a.json", tmp_path / "a.safetensors"
    before = os.umask(umask)
    try:
        save_json(json_file, {})
        save_tensors(tensor_file, {"x": torch.zeros(2)}, {})
    finally:
        os.umask(before)
    assert [stat.S_IMODE(file.stat().st_mode) for file in (json_file, tensor_file)] == [rights, rights]


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path):
    """The report: NousResearch/hermes-agent#16980, a save that turned a link to another disk into a file here."""
    disk, run = tmp_path / "disk", tmp_path / "run"
    disk.mkdir()
    run.mkdir()
    target, link = disk / "checkpoint.safetensors", run / "checkpoint.safetensors"
    link.symlink_to(target)
    save_tensors(link, {"x": torch.zeros(2)}, {})
    save_tensors(link, {"x": torch.ones(2)}, {})
    assert link.is_symlink()
    assert load_tensors(target)[0]["x"].tolist() == [1, 1]
    (disk / ".checkpoint.safetensors.killed").write_text("half")
    remove_unfinished(link)
    assert [file.name for file in disk.iterdir()] == [target.name]


def test_the_previous_of_a_linked_file_is_the_file_as_it_was(tmp_path):
    (tmp_path / "disk").mkdir()
    link, previous = tmp_path / "new.json", tmp_path / "previous.json"
    link.symlink_to(tmp_path / "disk" / "new.json")
    save_json(link, 1)
    keep_previous(link, previous)
    save_json(link, 2)
    assert (load_json(link), load_json(previous)) == (2, 1)


@pytest.mark.parametrize("content", ["", "{", "version https://git-lfs.github.com/spec/v1", "<<<<<<< HEAD", "\ufeff{}"])
def test_a_damaged_json_file_is_named(tmp_path, content):
    file = tmp_path / "lesson.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"lesson\.json is not a readable JSON file"):
        load_json(file)


def test_tied_weights_are_each_written(tmp_path):
    """The report: safetensors refuses tensors that share memory (safetensors/safetensors#17 and those after it)."""
    file, weight = tmp_path / "tied.safetensors", torch.arange(6.0)
    save_tensors(file, {"first": weight, "second": weight, "part": weight[2:4]}, {})
    loaded, _ = load_tensors(file)
    assert [loaded[name].tolist() for name in ("first", "second", "part")] == [[0, 1, 2, 3, 4, 5]] * 2 + [[2, 3]]
