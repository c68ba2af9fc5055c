"""Where files are looked for and written: in a clone, below `WW_ROOT`, and for a package installed elsewhere."""

import tempfile
from pathlib import Path

import pytest

from wwlib.base import paths
from wwlib.base.files import load_json, load_tensors
from wwlib.base.paths import find_root, is_clone, require_own_clone, user_cache
from wwlib.models.shipped import load_model

ADDRESS = "https://github.com/where-and-what/course"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The library as if installed without a clone; returns the folder in which it then looks for `data/`."""
    for module in ("wwlib.base.paths", "wwlib.models.shipped"):
        monkeypatch.setattr(f"{module}.ROOT", tmp_path)
        monkeypatch.setattr(f"{module}.DATA", tmp_path / "data")
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "site-packages" / "wwlib")
    about = tmp_path / "site-packages" / "wwlib-0.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text(f"Metadata-Version: 2.1\nName: wwlib\nVersion: 0\nProject-URL: Repository, {ADDRESS}\n")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    return tmp_path


def test_the_root_is_the_variable_then_the_clone_then_the_current_folder(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "wwlib"
    monkeypatch.chdir(tmp_path)
    assert find_root(package, {"WW_ROOT": "/somewhere"}) == Path("/somewhere")
    assert find_root(package, {}) == tmp_path
    assert find_root(paths.ROOT / "wwlib", {}) == paths.ROOT


@pytest.mark.parametrize("text", ["", "no TOML {", "[project]\nname = 'another'", "[tool.ruff]\n"])
def test_another_projects_folder_is_no_clone(text, tmp_path):
    assert not is_clone(tmp_path)
    (tmp_path / "pyproject.toml").write_text(text)
    assert not is_clone(tmp_path)
    assert is_clone(paths.ROOT)


def test_the_cache_is_the_clones_or_the_users():
    assert paths.CACHE == paths.ROOT / "data" / "cache"
    home = {"HOME": "/home/a"}
    assert user_cache(home, "linux") == Path("/home/a/.cache/wwlib")
    assert user_cache(home | {"XDG_CACHE_HOME": "/fast"}, "linux") == Path("/fast/wwlib")
    assert user_cache(home, "darwin") == Path("/home/a/Library/Caches/wwlib")
    assert user_cache({"USERPROFILE": "C", "LOCALAPPDATA": "L"}, "win32") == Path("L/wwlib")


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda data: load_model("shapes3d-32-seed0"), "model 'shapes3d-32-seed0' is not here; what is shipped"),
        (lambda data: load_tensors(data / "avatars.safetensors"), "avatars.safetensors"),
        (lambda data: load_json(data / "costs.json"), "costs.json"),
    ],
)
def test_what_is_shipped_is_had_from_the_repository(read, name, installed):
    with pytest.raises(FileNotFoundError) as caught:
        read(installed / "data")
    assert str(caught.value).startswith(f"{name} is part of the repository's data/ folder: git clone {ADDRESS}, or set")
    assert str(caught.value).endswith(", or set WW_ROOT to a clone")


def test_a_file_of_ones_own_that_is_not_there_is_just_not_there(installed):
    with pytest.raises(FileNotFoundError, match=r"mine.safetensors is missing$"):
        load_tensors(installed / "mine.safetensors")


def test_a_clone_that_is_not_installed_knows_its_address_when_the_root_is_elsewhere(monkeypatch, tmp_path):
    """As on Colab with `WW_ROOT` set to a folder of one's own."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths.metadata, "metadata", lambda name: pytest.fail("it is not installed"))
    assert paths.repository_url() == ADDRESS


def test_what_needs_the_clone_itself_says_so(installed):
    with pytest.raises(FileNotFoundError, match="grading is part of the repository: git clone"):
        require_own_clone("grading")


def test_another_copy_of_the_library_is_not_the_clones_own(monkeypatch, tmp_path):
    require_own_clone("grading")
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "wwlib")
    with pytest.raises(FileNotFoundError, match="grading must run from the clone"):
        require_own_clone("grading")


def test_a_user_whom_the_system_does_not_know_has_a_cache_among_temporary_files(monkeypatch):
    """The report: matplotlib/matplotlib#30454, an import that fails since there is no home directory."""

    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert user_cache({}, "linux") == Path(tempfile.gettempdir()) / "wwlib"
