"""Files are whole or absent, and damage is named."""

import os
import subprocess
import sys

import pytest
import torch

from wwlib.base.files import half_floats, load_tensors, prefixed, save_json, save_tensors, unprefixed, write_whole


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
