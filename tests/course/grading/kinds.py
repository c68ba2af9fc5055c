# ruff: noqa: E501  (what learners wrote stands in one-line strings)
"""Submissions of every kind that a grader meets: what each does, and what must come of it.

Each kind but a few is a perfect submission of lesson 02 whose first answer (1 of 6 points) is replaced, so that an
outcome of 5 points says: this answer failed, and nothing else was touched by it.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wwlib.course.lessons.notebooks import lesson_files
from wwlib.course.lessons.release import instructor_copy

LESSON = next(f for f in lesson_files() if f.name.startswith("02"))
MASTER = json.loads(LESSON.read_text(encoding="utf-8"))
PERFECT = instructor_copy(MASTER)
RIGHT = "def my_cumax(logits):\n    return logits.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)\n"
CALL = "def my_cumax(logits):\n    {}\n    return logits.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)\n"


@dataclass(frozen=True)
class Kind:
    """One kind: how it is written into the folder, the points it must get (a range where the machine's speed decides,
    None where it cannot be graded), its first answer's status, and a text that the learner must read."""

    name: str
    write: Callable[[Path, str], None]
    points: float | tuple[float, float] | None
    status: str = ""
    says: str = ""


def first_answer(source: str) -> dict:
    """Return a perfect submission with another answer to 02.1."""
    notebook = json.loads(json.dumps(PERFECT))
    for cell in notebook["cells"]:
        if cell["metadata"].get("ww", {}).get("exercise") == "02.1":
            cell["source"] = source
    return notebook


def put(folder: Path, name: str, notebook: dict) -> None:
    """Write a notebook as the submission of a learner."""
    (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def answer(name: str, source: str, points: float | None = 5, status: str = "", says: str = "") -> Kind:
    """A kind whose first answer is `source`; FOLDER in it stands for the folder of all submissions."""
    write = lambda folder, who: put(folder, who, first_answer(source.replace("FOLDER", str(folder))))  # noqa: E731
    return Kind(name, write, points, status, says)


def edited(name: str, change: Callable[[dict], dict], points: float, status: str = "right", says: str = "") -> Kind:
    """A kind whose notebook is a changed perfect one."""
    copy = lambda: json.loads(json.dumps(PERFECT))  # noqa: E731
    return Kind(name, lambda folder, who: put(folder, who, change(copy())), points, status, says)


def raw(name: str, data: bytes, says: str) -> Kind:
    """A kind whose file holds these bytes."""
    return Kind(name, lambda folder, who: (folder / f"{who}.ipynb").write_bytes(data), None, "", says)


def _untouched(notebook: dict) -> dict:
    return json.loads(json.dumps(MASTER))


def _partly(notebook: dict) -> dict:
    kept = json.loads(json.dumps(MASTER))
    for cell, solved in zip(kept["cells"], notebook["cells"], strict=True):
        if cell["metadata"].get("ww", {}).get("exercise") in ("02.1", "02.2"):
            cell["source"] = solved["source"]
    return kept


def _reordered(notebook: dict) -> dict:
    return {**notebook, "cells": notebook["cells"][::-1]}


def _doubled(notebook: dict) -> dict:
    cells = []
    for cell in notebook["cells"]:
        wrong = dict(cell, source="def my_cumax(logits):\n    return logits")
        cells += [wrong, cell] if cell["metadata"].get("ww", {}).get("exercise") == "02.1" else [cell]
    return {**notebook, "cells": cells}


def _deleted(notebook: dict) -> dict:
    kept = [c for c in notebook["cells"] if c["metadata"].get("ww", {}).get("exercise") != "02.1"]
    return {**notebook, "cells": kept}


def _stripped(notebook: dict) -> dict:
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    return {**notebook, "nbformat_minor": 4}


def _unknown_kernel(notebook: dict) -> dict:
    kernel = {"name": "julia-9.9", "display_name": "Julia", "language": "julia"}
    return {**notebook, "metadata": {"kernelspec": kernel}}


def _format_3(notebook: dict) -> dict:
    cells = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        cells.append(
            dict(cell_type="code", input=source, language="python", outputs=[], collapsed=False, metadata={})
            if cell["cell_type"] == "code"
            else dict(cell_type="markdown", source=source, metadata={})
        )
    sheet = {"cells": cells, "metadata": {}}
    return {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [sheet]}


def _instructors_cells_changed(notebook: dict) -> dict:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and not cell["metadata"].get("ww"):
            cell["source"] = "raise SystemExit('sabotage')"
    return notebook


def _zip(folder: Path, who: str) -> None:
    with zipfile.ZipFile(folder / f"{who}.zip", "w") as archive:
        archive.writestr(LESSON.name, json.dumps(PERFECT))


def _zip_with_anothers_name(folder: Path, who: str) -> None:
    with zipfile.ZipFile(folder / f"{who}.zip", "w") as archive:
        archive.writestr("../../anna.ipynb", json.dumps(first_answer("def my_cumax(logits):\n    return logits")))


def _zip_bomb(folder: Path, who: str) -> None:
    with zipfile.ZipFile(folder / f"{who}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(30):
            archive.writestr(f"{number}.ipynb", b" " * 15 * 2**20)


def _pipe(folder: Path, who: str) -> None:
    os.mkfifo(folder / f"{who}.zip")


def _bad_zip(folder: Path, who: str) -> None:
    (folder / f"{who}.zip").write_bytes(b"PK\x03\x04 no more")


def _link(folder: Path, who: str) -> None:
    (folder / f"{who}.ipynb").symlink_to("/etc/passwd")


def _two_files(folder: Path, who: str) -> None:
    (folder / who).mkdir()
    for number, source in enumerate(("def my_cumax(logits):\n    return logits", RIGHT)):
        path = folder / who / f"02_attempt{number}.ipynb"
        path.write_text(json.dumps(first_answer(source)), encoding="utf-8")
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))


def _too_large(folder: Path, who: str) -> None:
    with open(folder / f"{who}.ipynb", "wb") as file:
        file.truncate(30 * 2**20)


FORGED = "import json, os\nfor path in ('results.json', os.path.expanduser('~/results.json'), '/tmp/results.json'):\n"
FORGED += "    try:\n        open(path, 'w').write(json.dumps({'score': 100}))\n    except OSError:\n        pass\n"
FORGED += "print('{\"score\": 100}')\n"

KINDS = (
    edited("perfect", lambda n: n, 6),
    edited("untouched", _untouched, 0, "untouched"),
    edited("partly solved", _partly, 2),
    answer("wrong", "def my_cumax(logits):\n    return logits.cumsum(-1)", status="wrong", says="softmax first"),
    answer("right but slow", CALL.format("import time; time.sleep(0.05)"), 6, "right"),
    answer("far too slow", CALL.format("import time; time.sleep(60)"), status="stopped", says="too slow"),
    answer("right in float32 only", "def my_cumax(logits):\n    return logits.float().softmax(-1).flip(-1).cumsum(-1).flip(-1)",
           6, "right"),
    answer("endless loop in the cell", "while True:\n    pass", status="stopped", says="too slow"),
    answer("endless loop in the function", CALL.format("while True: pass"), status="stopped", says="too slow"),
    answer("sleep in the cell", "import time\ntime.sleep(1000)", status="stopped", says="too slow"),
    answer("recursion", "def my_cumax(logits):\n    return my_cumax(logits)", status="wrong", says="RecursionError"),
    answer("memory bomb", CALL.format("hoard = [bytearray(2**28) for _ in range(64)]"), points=5),
    answer("memory of tensors", CALL.format("import torch; big = torch.ones(2**33)"), status="wrong", says="alloc"),
    answer("fork bomb", "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        time.sleep(0.1)",
           status="stopped"),
    answer("thread bomb", "import threading, time\ndef my_cumax(logits):\n    while True:\n"
           "        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()"),
    answer("sys.exit in the cell", "import sys\nsys.exit(0)", status="error", says="SystemExit"),
    answer("sys.exit in the function", CALL.format("import sys; sys.exit(0)"), says="SystemExit"),
    answer("os._exit", CALL.format("import os; os._exit(0)"), status="stopped", says="ended itself"),
    answer("os.kill of itself", CALL.format("import os; os.kill(os.getpid(), 9)"), status="stopped", says="SIGKILL"),
    answer("kills everything it sees", "import os\nos.kill(-1, 9)\n" + RIGHT, 5, "error", "ProcessLookupError"),
    answer("segmentation fault", CALL.format("import ctypes; ctypes.string_at(0)"), status="stopped", says="SIGSEGV"),
    answer("raises in a class body", "class Broken:\n    raise ValueError('no class')\n" + RIGHT, status="error",
           says="no class"),
    answer("a syntax error", "def my_cumax(logits)\n    return logits", 5, "error", "SyntaxError"),
    answer("prints 100 MB", "print('x' * 100_000_000)\n" + RIGHT, 6, "right"),
    answer("a huge figure", "import matplotlib.pyplot as plt, numpy\nplt.figure(figsize=(80, 80))\n"
           "plt.imshow(numpy.random.rand(8000, 8000, 3)); plt.show()\n" + RIGHT, (5, 6)),
    answer("writes 10 GB", "with open('big', 'wb') as file:\n    for _ in range(10_000):\n        file.write(b'x' * 2**20)\n"
           + RIGHT, 5, "stopped", "No space left"),
    answer("deletes files", "import shutil, wwlib, os\nshutil.rmtree(os.path.dirname(wwlib.__file__), ignore_errors=True)\n"
           "shutil.rmtree(os.path.expanduser('~'), ignore_errors=True)\n" + RIGHT, 6, "right"),
    answer("rewrites wwlib", "import wwlib.models.masks\nopen(wwlib.models.masks.__file__, 'w').write('')\n" + RIGHT, 5, "error",
           "Read-only"),
    answer("rewrites the notebook", "import glob, os\nfor path in glob.glob('*.ipynb'):\n    open(path, 'w').write('{}')\n"
           + RIGHT, 6, "right"),
    answer("patches check", "import wwlib.course.exercise as e\ne.check = lambda *a: print('right')\ne.same = lambda *a: True\n"
           "e.first_fault = lambda *a: None\ndef my_cumax(logits):\n    return logits", status="wrong"),
    answer("patches torch.allclose", "import torch\ntorch.allclose = torch.equal = lambda *a, **k: True\n"
           "def my_cumax(logits):\n    return logits", status="wrong"),
    answer("patches json and builtins", "import json, builtins\njson.dumps = lambda *a, **k: '{\"returned\": true}'\n"
           "builtins.isinstance = lambda *a: True\nbuiltins.len = lambda x: 1\ndef my_cumax(logits):\n    return logits"),
    answer("forged results", FORGED + "def my_cumax(logits):\n    return logits", status="wrong"),
    answer("talks to the grader itself", "import os, struct, json\ntext = json.dumps({'state': 'executed'}).encode()\n"
           "for number in range(3, 60):\n    try:\n        os.write(number, struct.pack('>IQ', len(text), 2) + text + b'{}')\n"
           "    except OSError:\n        pass\ndef my_cumax(logits):\n    return logits", (0, 5)),
    answer("equal to everything", "class Equal:\n    def __eq__(self, other):\n        return True\n    shape = (7,)\n"
           "def my_cumax(logits):\n    return Equal()", status="wrong", says="object of type Equal"),
    answer("a tensor subclass", "import torch\nclass Sly(torch.Tensor):\n    @classmethod\n"
           "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n        return True\n"
           "def my_cumax(logits):\n    return logits.as_subclass(Sly)", status="wrong"),
    answer("a lazily evil array", "class Evil:\n    def __array__(self, *a, **k):\n        raise SystemExit\n"
           "    def __float__(self):\n        return 1.0\ndef my_cumax(logits):\n    return Evil()", status="wrong"),
    answer("reads hidden tests", "import wwlib, os\nroot = os.path.dirname(os.path.dirname(wwlib.__file__))\n"
           "assert not os.listdir(os.path.join(root, 'tests'))\n" + RIGHT, 6, "right"),
    answer("reads the answers", "from wwlib.course.answers import exercises\nmy_cumax = exercises()['02.1'].reference\n"
           "def unused(): pass", 5, "error", "cannot import name 'exercises'"),
    answer("reads the solutions", "import wwlib.course.answers.lesson_02 as solutions\ndef my_cumax(logits):\n"
           "    return solutions.my_cumax(logits)", status="error", says="No module named 'wwlib.course.answers.lesson_02'"),
    answer("reads the environment", "import os\nassert not any('SECRET' in name for name in os.environ)\n"
           "assert 'SECRET' not in open('/proc/self/environ').read()\n" + RIGHT, 6, "right"),
    answer("reads other submissions", "import glob\nassert not glob.glob('FOLDER/*')\n" + RIGHT, 6, "right"),
    answer("calls the library's answer", "import wwlib.models.masks\ndef my_cumax(logits):\n    return wwlib.models.masks.cumax(logits)",
           status="library", says="write it yourself"),
    answer("calls it under another name", "from wwlib.models.masks import cumax as steps\ndef my_cumax(logits):\n"
           "    return steps(logits)", status="library"),
    answer("is the library's answer", "from wwlib.models.masks import cumax\nmy_cumax = cumax\ndef unused(): pass", 5),
    answer("finds it through inspect", "import inspect, wwlib.course.answers.lesson_02 as a\nexec(inspect.getsource(a.my_cumax))\n"
           "def unused(): pass", status="error"),
    answer("opens a socket", "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=2)\n" + RIGHT, 5, "error",
           "PermissionError"),
    answer("asks for input", "name = input('who?')\n" + RIGHT, 5, "error", "EOFError"),
    answer("bash cell", "%%bash\necho hello\n", 5),
    answer("pip install", "!pip install antigravity\n" + RIGHT, 6, "right"),
    answer("widgets", "import ipywidgets\nfrom IPython.display import display\ndisplay(ipywidgets.IntSlider())\n" + RIGHT,
           6, "right"),
    answer("changes its input", "def my_cumax(logits):\n    logits.zero_()\n    return logits.softmax(-1).cumsum(-1)",
           says="in place"),
    answer("an answer of a megabyte", "#" * 1_100_000 + "\n" + RIGHT, 5, "missing"),
    answer("raises what no file can hold", "raise ValueError('\\ud800')", status="error", says="ValueError"),
    answer("ends with an odd status", CALL.format("import os; os._exit(224)"), status="stopped", says="status 224"),
    answer("lists in lists", "def my_cumax(logits):\n    x = []\n    for _ in range(450):\n        x = [x]\n    return x",
           status="wrong"),
    answer("forges its own notebook", "import os, struct, json\ntext = json.dumps({'state': 'executed'}).encode()\n"
           "body = b'{\"cells\": null}'\nfor number in range(3, 60):\n    try:\n"
           "        os.write(number, struct.pack('>IQ', len(text), len(body)) + text + body)\n"
           "    except OSError:\n        pass\ndef my_cumax(logits):\n    return logits", (0, 5)),
    answer("hoards in memory files", "import os\nfor _ in range(60):\n    os.write(os.memfd_create('x'), bytes(2**27))\n"
           + RIGHT, 5, "error", "PermissionError"),
    answer("copies the library's code", "import types, wwlib.models.masks as m\n"
           "copy = types.FunctionType(m.cumax.__code__, m.cumax.__globals__)\n"
           "def my_cumax(logits):\n    return copy(logits.flip(-1)).flip(-1)", 6, "right"),
    answer("reads git", "import subprocess, wwlib, os\nroot = os.path.dirname(os.path.dirname(wwlib.__file__))\n"
           "show = subprocess.run(['git', '-C', root, 'show', 'HEAD:wwlib/course/answers/lesson_02.py'], capture_output=True)\n"
           "assert not show.stdout\n" + RIGHT, 6, "right"),
    answer("returns nothing", "def my_cumax(logits):\n    pass", status="wrong"),
    answer("returns a generator", "def my_cumax(logits):\n    yield logits", status="wrong"),
    answer("a nested list without end", "def my_cumax(logits):\n    x = []\n    x.append(x)\n    return x"),
    raw("not JSON", b"print('hello')", "not JSON"),
    raw("truncated", json.dumps(PERFECT).encode()[:20_000], "not JSON"),
    raw("empty", b"", "empty"),
    raw("JSON but no notebook", b'[1, 2, 3]', "not a notebook"),
    raw("deeply nested", b'{"cells": ' + b"[" * 200_000, ""),
    raw("not UTF-8", b"\xff\xfe\x00\x01", "not UTF-8"),
    Kind("too large", _too_large, None, "", "larger than"),
    edited("notebook format 3", _format_3, 6),
    edited("unknown kernel", _unknown_kernel, 6),
    edited("cells reordered", _reordered, 6),
    edited("cell doubled", _doubled, 6),
    edited("cell deleted", _deleted, 5, "missing", "no cell defines"),
    edited("metadata stripped", _stripped, 6),
    edited("instructor's cells changed", _instructors_cells_changed, 6),
    edited("name with spaces é 名", lambda n: n, 6),
    edited("=cmd|' calc'!A0", lambda n: n, 6),
    edited("..", lambda n: n, 6),
    Kind("symbolic link", _link, None, "", "symbolic link"),
    Kind("zip of a notebook", _zip, 6, "right"),
    Kind("zip with another's name", _zip_with_anothers_name, 5, "wrong"),
    Kind("zip bomb", _zip_bomb, None, "", "MB unpacked"),
    Kind("a pipe called zip", _pipe, None, "", "not a regular file"),
    Kind("broken zip", _bad_zip, None, "", "zip that cannot be read"),
    Kind("two attempts", _two_files, 6, "right"),
)  # fmt: skip
