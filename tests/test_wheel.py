"""A wheel installed elsewhere, without `data/`: it imports, scores points, trains, and says where shipped files are."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from wwlib.base.paths import ROOT
from wwlib.metrics.scores import score_points
from wwlib.models.shipped import load_model

pytestmark = pytest.mark.slow

ADDRESS = "git clone https://github.com/where-and-what/course, or set WW_ROOT to a clone"
TRAIN = [
    *("train", "--threads", "1", "--device", "cpu", "--batch", "4", "--images", "16", "--snapshot-every", "0"),
    *("--widths", "8:8,16:8,32:4", "--discriminator-widths", "16:4,8:4,4:8", "--recogniser-widths", "16:4,8:4,4:8"),
    *("--discriminator-residual", "8", "--features", "8"),
]
IMPORT_ALL = """
import importlib, pathlib, sys, wwlib
root = pathlib.Path(wwlib.__file__).parent
assert str(root.parent) == sys.argv[1], root
names = [".".join(file.relative_to(root.parent).with_suffix("").parts) for file in sorted(root.rglob("*.py"))]
for name in names:
    importlib.import_module(name.removesuffix(".__init__"))
print(len(names))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that holds what pip would install of the wheel, and nothing of the clone."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "wwlib", source / "wwlib", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder)]
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", str(source), *options], capture_output=True, text=True
    )
    if built.returncode and "No module named" in built.stderr:
        pytest.skip(f"a wheel needs pip and setuptools in this environment: {built.stderr.strip().splitlines()[-1]}")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    wheel.unlink()
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """A function that runs Python with the installed library, in an empty folder, as a user without a clone."""
    (tmp_path / "work").mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("WW_", "XDG_", "PYTHON"))}
    environment |= {"PYTHONPATH": str(installed), "HOME": str(tmp_path / "home"), "WW_HEADLESS": "1"}
    environment |= {"WW_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(tmp_path / "numba")}

    def call(*arguments):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True)

    return call


def test_the_wheel_holds_the_library_and_nothing_else(installed):
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "wwlib").rglob("*.py")}
    files = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    assert {name for name in files if ".dist-info/" not in name} == ours


def test_every_module_can_be_imported(installed, run):
    result = run("-c", IMPORT_ALL, installed)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == len(list((ROOT / "wwlib").rglob("*.py")))


def test_points_are_scored(run, tmp_path):
    random = np.random.default_rng(0)
    factors = random.integers(0, 4, (200, 2))
    codes = factors + 0.1 * random.normal(size=(200, 2))
    np.savez(tmp_path / "work" / "points.npz", codes=codes, factors=factors)
    result = run("-m", "wwlib", "score", "points.npz", "--scores", "mig", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["scores"]["mig"]["score"] == score_points(codes, factors, ("mig",))["mig"].score


def test_a_model_trains_into_the_current_folder_and_caches_in_the_users(installed, run, tmp_path):
    before = {path for path in installed.rglob("*") if path.is_file()}
    result = run("-m", "wwlib", *TRAIN)
    assert result.returncode == 0, result.stderr
    assert "finished at step 4 of 4" in result.stdout
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["runs"]
    (cached,) = (tmp_path / "home").rglob("shapes3d-32-*.safetensors")
    assert "cache" in str(cached.relative_to(tmp_path / "home")).lower()
    assert {path for path in installed.rglob("*") if path.is_file()} == before
    assert load_model(tmp_path / "work" / "runs" / "shapes3d-32-seed0" / "checkpoint.safetensors").step == 4


CALLS = {
    "a model": "from wwlib.models.shipped import load_model; load_model('shapes3d-32-seed0')",
    "avatars": "from wwlib.datasets.avatars import Avatars; Avatars()",
    "portraits": "from wwlib.datasets.portraits import Portraits; Portraits()",
    "artists": "from wwlib.datasets.styles.artists import Drawings; Drawings()",
    "photographs": "from wwlib.datasets.fashion import load_held_out; load_held_out()",
    "a record": "from wwlib.experiments.population.tables import load_population; load_population()",
    "an interpretation": "from wwlib.experiments.interpretation.runs import load_record; load_record()",
    "a network": "from wwlib.experiments.fusion.runs import load_image_model; load_image_model()",
}


def test_what_needs_shipped_files_says_where_they_are(run):
    """One process tries them all: loading torch takes longer than the rest."""
    code = f"for call in {list(CALLS.values())!r}:\n try: exec(call)\n except FileNotFoundError as e: print(e)"
    result = run("-c", code)
    lines = result.stdout.splitlines()
    assert len(lines) == len(CALLS), result.stderr
    for line in lines:
        assert line.endswith(ADDRESS)
        assert "part of the repository" in line


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("remake tables", 1), ("release", 1), ("grade . --out out", 3), ("train --recipe portraits-64 --images 8", 1)],
)
def test_commands_that_need_the_clone_say_so_and_write_nothing(arguments, code, run, tmp_path):
    result = run("-m", "wwlib", *arguments.split())
    assert result.returncode == code
    assert result.stderr.strip().endswith(ADDRESS)
    assert result.stderr.count("\n") == 1
    assert [path for path in (tmp_path / "work").rglob("*") if path.is_file()] == []
