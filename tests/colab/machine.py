"""A machine like Colab's: its versions between notebook and reader, its own package, no network but for a local git.

`python tests/colab/machine.py` fetches the packages beforehand. Torch and the rest of what Colab also has come from
this environment; what Colab lacks (lpips, Optuna) is hidden, and lies as wheels where pip finds it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from filelock import FileLock

from wwlib import __version__
from wwlib.base.paths import ROOT
from wwlib.course.lessons.notebooks import execute

HERE = Path(__file__).parent
PREINSTALLED = HERE / "preinstalled.txt"
ABSENT = ("lpips", "optuna", "alembic", "colorlog", "mako")  # not on Colab: lpips, and Optuna with what it needs
HIDDEN = ("wwlib",)
MINE = Path(sysconfig.get_paths()["purelib"])


def pinned() -> dict[str, str]:
    """Return the versions of `preinstalled.txt` by name."""
    lines = PREINSTALLED.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@functools.cache
def packages() -> tuple[Path | None, str]:
    """Return the folder with Colab's packages and the wheels of what it lacks, fetched once, or None and why not."""
    if os.name == "nt" or not shutil.which("git"):
        return None, "a machine like Colab's needs links and git"
    absent = [f"{name}=={importlib.metadata.version(name)}" for name in ABSENT]
    wanted = json.dumps([sorted(pinned().items()), absent, sys.version_info[:2]])
    folder = ROOT / "data" / "cache" / f"colab-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / "colab.lock"):
        if not folder.is_dir():
            making = folder.with_name(f"{folder.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            try:
                _pip("install", "--target", str(making / "site"), "--requirement", str(PREINSTALLED))
                _pip("download", "--dest", str(making / "wheels"), *absent)
            except subprocess.CalledProcessError as error:
                reason = (error.stderr.strip() or "pip failed").splitlines()[-1]
                return None, f"Colab's packages cannot be fetched here: {reason}"
            making.rename(folder)
    return folder, ""


def _pip(command: str, *options: str) -> None:
    general = ["--quiet", "--no-deps", "--only-binary=:all:", "--retries=1", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", command, *general, *options], check=True, capture_output=True, text=True
    )


class Machine:
    """A fresh Colab session: a virtual environment, a kernel called `colab`, an empty /content, a git repository.

    Args:
        folder: where all of it is made.
        fetched: what `packages` returned.
        repository: address to clone; this working tree, tagged with its version, when None.
    """

    def __init__(self, folder: Path, fetched: Path, repository: str | None = None):
        self.folder, self.content, self.drive = folder, folder / "content", folder / "drive"
        self.content.mkdir(parents=True)
        self.repository = repository or commit(folder / "repository", f"v{__version__}")
        venv.create(folder / "env", with_pip=False)
        self.python = folder / "env" / "bin" / "python"
        _link(folder / "rest")
        (site,) = (folder / "env" / "lib").glob("python*/site-packages")
        paths = [HERE / "stand_in", fetched / "site", folder / "rest"]
        (site / "colab.pth").write_text("".join(f"{path}\n" for path in paths) + "import google.colab\n")
        self.environment = dict(
            WW_HEADLESS="0",  # Colab has a front end: widgets are made
            WW_REPOSITORY=self.repository,
            WW_DRIVE=str(self.drive),
            PYTHONPATH=str(ROOT / "tests" / "offline"),
            PIP_NO_INDEX="1",
            PIP_FIND_LINKS=str(fetched / "wheels"),
            PIP_CONFIG_FILE=os.devnull,
            PIP_NO_COMPILE="1",  # most of an installation's time
        )
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = folder / "jupyter" / "kernels" / "colab" / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text(
            json.dumps(dict(argv=argv, display_name="Colab", language="python", env=self.environment)), encoding="utf-8"
        )

    def execute(self, notebook: Path, output: Path, **parameters: object) -> list[dict]:
        """Execute a notebook in this machine's kernel, as `lessons.notebooks.execute` does; return all its outputs."""
        before = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = str(self.folder / "jupyter")
        try:
            execute(notebook, output, kernel="colab", cwd=self.content, **parameters)
        finally:
            os.environ.pop("JUPYTER_PATH")
            if before is not None:
                os.environ["JUPYTER_PATH"] = before
        return [o for cell in json.loads(output.read_text())["cells"] for o in cell.get("outputs", [])]

    def run(self, source: str, **environment: str) -> subprocess.CompletedProcess:
        """Run Python source in /content, outside any notebook."""
        return subprocess.run(
            [self.python, "-c", source],
            cwd=self.content,
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )


def commit(folder: Path, tag: str | None = None) -> str:
    """Commit what a clone of this working tree holds and the lessons read, tag it, and return its address."""
    ignored = shutil.ignore_patterns("cache", "__pycache__")
    for name in ("data", "notebooks", "wwlib"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    plain = [["config", name, "0"] for name in ("core.compression", "pack.window")]  # else a clone computes for 6 s
    commands = [["init", "-q"], *plain, ["add", "."], [*who, "commit", "-q", "-m", "as it is"]]
    for command in [*commands, ["tag", tag]] if tag else commands:
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return f"file://{folder}"


def _link(folder: Path) -> None:
    """Fill a folder with links to this environment's packages, but for those Colab has otherwise or not at all."""
    left_out = {"__pycache__"}
    for name in (*pinned(), *ABSENT, *HIDDEN):
        # by this folder alone: a wwlib.egg-info beside the package would be found first
        for package in importlib.metadata.distributions(name=name, path=[str(MINE)]):
            left_out |= {file.parts[0] for file in package.files or []}
    folder.mkdir()
    for entry in MINE.iterdir():
        if entry.name not in left_out and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)


if __name__ == "__main__":
    found, reason = packages()
    print(found or reason)
    sys.exit(found is None)
