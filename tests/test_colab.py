"""Colab and Kaggle: the setup cell on a machine like Colab's, what it leaves alone, Drive, widgets that never hang."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from wwlib import __version__
from wwlib import colab as bootstrap
from wwlib.base.device import choose_compute
from wwlib.base.paths import ROOT
from wwlib.course.lessons.notebooks import GPU_LESSONS, choose_lessons, clean_notebook, setup_cell, write_notebook
from wwlib.models.config import replace_config
from wwlib.training.loop import train
from wwlib.training.recipes import recipe

pytestmark = pytest.mark.slow

VERSIONS = """
import importlib.metadata, json
found = {}
for package in importlib.metadata.distributions():
    found.setdefault(package.name.lower(), package.version)
print(json.dumps(found))
"""
NOT_COLAB = "import sys; del sys.modules['google.colab']\n"


@pytest.fixture
def fresh(colab, colab_packages, tmp_path):
    """A session of its own on a machine like Colab's."""
    from tests.colab.machine import Machine

    return Machine(tmp_path / "session", colab_packages[0], colab.repository)


@pytest.fixture(scope="module")
def furnished(colab):
    """The module's machine with every package there."""
    colab.run(setup_cell())
    return colab


@pytest.fixture
def emptied(furnished):
    """That machine with an empty /content, as it is again for the next test."""
    shutil.rmtree(furnished.content / "ww", ignore_errors=True)
    yield furnished
    shutil.rmtree(furnished.content / "ww", ignore_errors=True)


def versions(machine):
    return json.loads(machine.run(VERSIONS).stdout)


def test_elsewhere_the_setup_cell_does_nothing(tmp_path):
    source = f"{setup_cell()}\nassert 'wwlib' not in sys.modules"
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("KAGGLE")}
    result = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, env=quiet, capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr, list(tmp_path.iterdir())) == ("", "", [])


def test_on_colab_the_setup_cell_installs_what_is_missing_and_changes_nothing_else(colab):
    before = versions(colab)
    assert not {"lpips", "optuna", "wwlib"} & set(before)
    first = colab.run(f"{setup_cell()}\nprint(wwlib.__path__[0], wwlib.colab.missing_packages())")
    assert first.stdout.splitlines() == [
        "installing lpips>=0.1.4, optuna>=4.9; this happens once a session",
        f"{colab.content / 'ww' / 'wwlib'} []",
    ], first.stderr
    after = versions(colab)
    assert set(after) - set(before) >= {"lpips", "optuna"}
    assert {name: after[name] for name in before} == before


def test_run_again_the_setup_cell_asks_neither_git_nor_pip(colab):
    colab.run(setup_cell())
    again = colab.run(setup_cell(), WW_REPOSITORY="file:///gone", PIP_FIND_LINKS=os.devnull)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_lesson_fetches_the_tag_of_its_own_version_when_the_course_has_moved_on(emptied, tmp_path):
    """The newest state has lost its library, as a house that was moved: the copy of the lesson does not meet it."""
    from tests.colab.machine import commit

    repository = tmp_path / "moved"
    address = commit(repository, f"v{__version__}")
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["rm", "-q", "-r", "wwlib"], [*who, "commit", "-q", "-m", "moved on"]):
        subprocess.run(["git", *command], cwd=repository, check=True, capture_output=True)
    result = emptied.run(f"{setup_cell()}\nprint(wwlib.__version__)", WW_REPOSITORY=address)
    assert (result.stdout.split(), result.stderr) == ([__version__], "")


def test_where_the_tag_does_not_exist_yet_the_newest_state_is_fetched_and_that_is_said(emptied, tmp_path):
    from tests.colab.machine import commit

    result = emptied.run(setup_cell(), WW_REPOSITORY=commit(tmp_path / "untagged"))
    said = f"The course has no tag v{__version__} yet; its newest state was fetched, version {__version__}."
    assert (result.returncode, result.stdout.splitlines(), result.stderr) == (0, [said], "")


@pytest.mark.parametrize("rest", ["ww/.git/HEAD", "ww/wwlib/__init__.py", "ww.part/.git/HEAD"])
def test_half_a_clone_is_fetched_again(emptied, rest):
    """What an interrupted session leaves, of this setup cell or of an older one."""
    left = emptied.content / rest
    left.parent.mkdir(parents=True)
    left.write_text("")
    result = emptied.run(f"{setup_cell()}\nprint(wwlib.colab.missing_packages())")
    assert result.stdout.splitlines()[-1] == "[]", result.stderr
    assert (emptied.content / "ww" / "data" / "README.md").is_file()
    assert not (emptied.content / "ww.part").exists()


def test_an_old_lesson_ends_in_one_sentence_there_too(colab, tmp_path):
    """Its setup cell fetches the newest state and gives no version."""
    from papermill import PapermillExecutionError

    from tests.course.lessons.test_begin import old_lesson

    notebook = old_lesson()
    colab.run(setup_cell())
    old_setup = 'import os, sys; sys.path.insert(0, os.path.abspath("ww")); import wwlib.colab; wwlib.colab.prepare()'
    notebook.cells[0].source += f"\n{old_setup}"
    notebook.cells[0].metadata.tags = ["parameters"]
    notebook.metadata.kernelspec = dict(name="colab", display_name="Colab", language="python")
    write_notebook(tmp_path / "old.ipynb", notebook)
    with pytest.raises(PapermillExecutionError):
        colab.execute(tmp_path / "old.ipynb", tmp_path / "out.ipynb")
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    (error,) = [o for cell in cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    assert error["traceback"] == [error["evalue"]]
    assert error["evalue"].startswith("This lesson was written for the course before version 0.2.0")


def test_kaggle_is_recognised_by_its_environment(colab):
    source = f"{NOT_COLAB}{setup_cell()}\nprint(bool(hosted), wwlib.colab.missing_packages())"
    result = colab.run(source, KAGGLE_KERNEL_RUN_TYPE="Interactive")
    assert result.stdout.splitlines()[-1] == "True []", result.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WW_REPOSITORY": "file:///no/such/repository"}, "ConnectionError: The course could not be fetched. Check"),
        ({"PIP_FIND_LINKS": os.devnull}, "ConnectionError: The course needs lpips>=0.1.4, optuna>=4.9, which"),
    ],
)
def test_without_a_connection_one_paragraph_says_what_to_do(fresh, environment, message):
    result = fresh.run(setup_cell(), **environment)
    assert result.returncode == 1
    said = result.stderr.strip().splitlines()[-1]
    assert said.startswith(message)
    assert said.endswith("run this cell again.")


def wheel(folder, name, version, requires=()):
    """Write the smallest wheel that pip installs."""
    about = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": metadata + "".join(f"Requires-Dist: {line}\n" for line in requires),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def test_a_package_that_wants_a_newer_numpy_does_not_get_it(fresh, tmp_path):
    wheel(tmp_path, "greedy", "1.0", ["numpy>=90"])
    wheel(tmp_path, "numpy", "99.0")
    before = versions(fresh)
    alone = fresh.run(
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'install', '--dry-run', 'greedy'])",
        PIP_FIND_LINKS=str(tmp_path),
    )
    assert "Would install greedy-1.0 numpy-99.0" in alone.stdout
    source = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport wwlib.colab; wwlib.colab.install(['greedy'])"
    result = fresh.run(source, PIP_FIND_LINKS=str(tmp_path))
    assert "ConnectionError: The course needs greedy" in result.stderr
    assert versions(fresh) == before


def test_what_is_missing_is_read_from_pyproject(monkeypatch):
    assert bootstrap.missing_packages() == []
    seen = []
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: seen.append(name))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert bootstrap.missing_packages() == project["dependencies"]
    assert {"PIL", "sklearn", "torch"} <= set(seen)
    assert not any("jax" in line for line in project["dependencies"])  # 64 MB that a connection makes needless


def test_what_is_older_than_a_floor_of_pyproject_is_named_and_left_alone(monkeypatch, capsys):
    assert bootstrap.older_packages() == []
    installed = dict(torch="2.3.1+cu121", numpy="1.26.0", pillow="9.5", optuna="4.10.0rc1", scipy="1.9.3")
    real = importlib.metadata.version
    monkeypatch.setattr(bootstrap.importlib.metadata, "version", lambda name: installed.get(name) or real(name))
    assert bootstrap.older_packages() == [
        "pillow 9.5 (pillow>=10)", "scipy 1.9.3 (scipy>=1.11)", "torch 2.3.1+cu121 (torch>=2.5)"
    ]  # fmt: skip
    monkeypatch.setattr(bootstrap, "check_numpy", lambda: None)
    monkeypatch.setattr(bootstrap, "install", lambda missing: pytest.fail("nothing is missing"))
    bootstrap.prepare()
    said = capsys.readouterr().out
    assert "older here than what the course is tested with: pillow 9.5 (pillow>=10), scipy" in said
    assert said.count("\n") == 1


def test_on_colab_the_setup_cell_names_what_is_older_and_leaves_it_alone(fresh):
    fresh.run(setup_cell())
    (site,) = (fresh.folder / "env" / "lib").glob("python*/site-packages")
    old = site / "tqdm-4.60.0.dist-info"  # comes before the newer one on the path
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: tqdm\nVersion: 4.60.0\n")
    before = versions(fresh)
    result = fresh.run(setup_cell())
    said = "older here than what the course is tested with: tqdm 4.60.0 (tqdm>=4.66); what fails may come from that"
    assert (result.returncode, result.stdout.splitlines(), result.stderr) == (0, [said], "")
    assert versions(fresh) == before


def test_a_package_that_is_missing_is_not_called_old(monkeypatch):
    def gone(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(bootstrap.importlib.metadata, "version", gone)
    assert bootstrap.older_packages() == []


def test_versions_held_are_those_that_are_imported():
    held = dict(line.split("==", 1) for line in bootstrap.installed_versions())
    assert held["numpy"] == np.__version__
    assert held["torch"] == importlib.metadata.version("torch")


def test_a_numpy_replaced_on_disk_asks_for_a_restart_and_ends_nothing(tmp_path, monkeypatch):
    bootstrap.check_numpy()
    newer = tmp_path / "numpy-99.0.dist-info"
    newer.mkdir()
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 99.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(bootstrap.RestartNeeded, match=rf"numpy 99.0 is installed.*loaded {np.__version__}.*restart"):
        bootstrap.prepare()


def test_drive_is_mounted_on_colab_only(colab):
    with pytest.raises(ValueError, match="drive must be False elsewhere than on Colab"):
        bootstrap.drive_folder()
    result = colab.run(f"{setup_cell()}\nprint(wwlib.colab.drive_folder())")
    assert result.stdout.splitlines()[-1] == str(colab.drive / "MyDrive" / "where-and-what"), result.stderr
    assert (colab.drive / "MyDrive" / "where-and-what").is_dir()


def test_after_a_disconnect_lesson_05_continues_from_drive_and_says_so(colab, shapes, tmp_path):
    """The first session trains 22 of 24 steps and is gone without a word; the lesson is opened anew and run."""
    config = replace_config(recipe("shapes3d-32"), images=192)
    folder = colab.drive / "MyDrive" / "where-and-what" / "lesson05-shapes3d-32-seed0"

    def vanish(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, shapes, folder, choose_compute("cpu"), save_seconds=0, snapshot_every=23 * 8, on_snapshot=vanish)

    (lesson,) = choose_lessons(["05"])
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    training = next(i for i, source in enumerate(sources) if "drive_folder() if drive" in source)
    notebook["cells"] = notebook["cells"][: training + 1]
    write_notebook(tmp_path / "lesson.ipynb", notebook)
    outputs = colab.execute(
        tmp_path / "lesson.ipynb", tmp_path / "out.ipynb", profile="full", drive=True, full_images=192, more_steps=10
    )
    said = "".join("".join(o["text"]) for o in outputs if o.get("name") == "stdout")
    assert "continued at step 22 of 24" in said
    record = json.loads((folder / "run.json").read_text())
    assert (record["finished"], record["steps"]) == (True, 24)


def test_only_lessons_that_train_long_ask_for_a_gpu_and_cleaning_keeps_that():
    for lesson in choose_lessons():
        notebook = json.loads(lesson.read_text(encoding="utf-8"))
        asked = clean_notebook(notebook)["metadata"].get("accelerator")
        assert asked == ("GPU" if lesson.name[:2] in GPU_LESSONS else None)


def test_every_kind_of_widget_runs_twenty_times_without_a_front_end_and_never_hangs(colab):
    """Ten runs in this environment's ipywidgets, ten in Colab's 7.7.1; the outer timeout is what a hang would meet."""
    result = subprocess.run(
        [sys.executable, Path(__file__).parent / "colab" / "widgets.py", str(colab.content)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_PATH": str(colab.folder / "jupyter"), "WW_HEADLESS": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    runs = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted(run["ipywidgets"].split(".")[0] for run in runs) == ["7"] * 10 + ["8"] * 10
    assert {run["ipywidgets"] for run in runs if run["kernel"] == "colab"} == {"7.7.1"}
    for run in runs:
        assert set(run["models"]) >= {"FloatSliderModel", "HTMLModel", "ButtonModel", "ImageModel", "BoxModel",
                                      "VBoxModel", "FloatProgressModel"}  # fmt: skip
        assert run["printed"] == "the picture follows the slider: True"
        assert {"image/png", "text/html", "application/vnd.jupyter.widget-view+json"} <= set(run["kinds"])


def test_where_colabs_packages_cannot_be_fetched_the_reason_is_told(monkeypatch, tmp_path):
    """Then the tests of this file skip with it, and lessons run in the ordinary environment."""
    from tests.colab import machine

    (tmp_path / "preinstalled.txt").write_text("numpy==2.1.3\nno-such-package==1.0\n")
    monkeypatch.setattr(machine, "PREINSTALLED", tmp_path / "preinstalled.txt")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder, reason = machine.packages.__wrapped__()
    assert folder is None
    assert reason.startswith("Colab's packages cannot be fetched here: ERROR: No matching distribution found for")
    assert [path.name for path in (tmp_path / "data" / "cache").iterdir() if path.is_dir()] == []


def test_where_colabs_machine_cannot_be_built_the_reason_is_printed_and_nothing_is_done(monkeypatch, capsys, tmp_path):
    from tests.colab import real

    monkeypatch.setattr(real, "build", lambda folder: pytest.fail("nothing may be built"))
    monkeypatch.setattr(sys, "argv", ["real.py", "--folder", str(tmp_path / "machine")])
    lacks = [("geteuid", lambda: 1000, "it needs root"), ("geteuid", lambda: 0, "it needs debootstrap")]
    for name, answer, reason in lacks:
        monkeypatch.setattr(os, name, answer, raising=False)
        monkeypatch.setattr(shutil, "which", lambda command: command == "chroot")
        monkeypatch.setattr(sys, "platform", "linux")
        assert real.main() == 0
        assert f"make colab is skipped: {reason}" in capsys.readouterr().out
    monkeypatch.setattr(sys, "platform", "win32")
    assert real.main() == 0
    assert "it needs Linux" in capsys.readouterr().out


def test_the_recorded_run_on_colabs_versions_had_those_versions_every_lesson_and_no_failure():
    from tests.colab import machine, real

    record = json.loads(real.RECORD.read_text())
    asked = dict(line.split("==") for line in real.image() if "==" in line)
    assert {name: record["versions"][name].split("+")[0] for name in asked} == asked
    assert [line["lesson"] for line in record["lessons"]] == [lesson.stem for lesson in choose_lessons()]
    assert {line["outcome"] for line in record["lessons"]} == {"passed"}
    *before, installing = record["setup_cell"].splitlines()
    assert installing.startswith("installing lpips")
    assert all(line.startswith("The course has no tag v") for line in before)  # a state that is not released
    assert record["tests"]["failures"] == []
    assert record["tests"]["passed"] > 3_000
    shared = set(asked) & set(machine.pinned())
    assert {name: asked[name] for name in shared} == {name: machine.pinned()[name] for name in shared}
