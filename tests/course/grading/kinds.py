# ruff: noqa: E501  (what learners wrote stands in one-line strings)
"""Submissions of every kind that a grader meets: what each does, and what must come of it.

Each kind but a few is a perfect submission of lesson 02 whose first answer (1 of 6 points) is replaced, so that an
outcome of 5 points says: this answer failed, and nothing else was touched by it.
"""

from __future__ import annotations

import io
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


def edited(
    name: str, change: Callable[[dict], dict], points: float | None, status: str = "right", says: str = ""
) -> Kind:
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


def _in_another_cell(source: str):
    """A change of a notebook: the stub of 02.1 stays, and this source follows in a cell of its own."""

    def change(notebook: dict) -> dict:
        cells = []
        for cell, stub in zip(notebook["cells"], json.loads(json.dumps(MASTER["cells"])), strict=True):
            if cell["metadata"].get("ww", {}).get("exercise") == "02.1":
                own = dict(cell_type="code", id="own", metadata={}, outputs=[], execution_count=None, source=source)
                cells += [stub, own]
            else:
                cells.append(cell)
        return {**notebook, "cells": cells}

    return change


def _split(notebook: dict) -> dict:
    """A helper stays in the marked cell, the function was split off into the next."""
    return _two_cells(notebook, "def half(v):\n    return v.softmax(dim=-1)\n",
                      "def my_cumax(logits):\n    return half(logits).flip(-1).cumsum(dim=-1).flip(-1)\n")  # fmt: skip


def _two_cells(notebook: dict, marked: str, other: str, before: bool = False) -> dict:
    cells = []
    for cell in notebook["cells"]:
        if cell["metadata"].get("ww", {}).get("exercise") == "02.1":
            own = dict(cell_type="code", id="own", metadata={}, outputs=[], execution_count=None, source=other)
            pair = [dict(cell, source=marked), own]
            cells += pair[::-1] if before else pair
        else:
            cells.append(cell)
    return {**notebook, "cells": cells}


def _helper_in_a_cell_of_its_own(notebook: dict) -> dict:
    return _two_cells(notebook, "def my_cumax(logits):\n    return half(logits).flip(-1).cumsum(dim=-1).flip(-1)\n",
                      "SHIFT = 0\ndef half(v):\n    return (v + SHIFT).softmax(dim=-1)\n", before=True)  # fmt: skip


def _answers(**sources: str):
    """A change of a notebook: other answers, such as `a1="..."` for 02.1."""

    def change(notebook: dict) -> dict:
        for cell in notebook["cells"]:
            exercise = cell["metadata"].get("ww", {}).get("exercise", "")
            cell["source"] = sources.get(f"a{exercise[-1:]}", cell["source"]) if exercise else cell["source"]
        return notebook

    return change


def _broken_outputs(notebook: dict) -> dict:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "nonsense", "data": [[]] * 500}] * 40
    return notebook


def zipped(
    name: str, members: dict[str, bytes], points: float | None, status: str = "", says: str = "", **kind
) -> Kind:
    """A kind that hands in one zip with these members."""

    def write(folder: Path, who: str) -> None:
        with zipfile.ZipFile(folder / f"{who}.zip", "w", **kind) as archive:
            for member, data in members.items():
                archive.writestr(member, data)

    return Kind(name, write, points, status, says)


def beside(name: str, files: dict[str, bytes], points: float | None, status: str = "", says: str = "") -> Kind:
    """A kind whose folder holds these files."""

    def write(folder: Path, who: str) -> None:
        (folder / who).mkdir()
        for file, data in files.items():
            (folder / who / file).write_bytes(data)

    return Kind(name, write, points, status, says)


def _nested() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(LESSON.name, json.dumps(PERFECT))
    return target.getvalue()


def _long_list() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}/{'x' * 40}.txt", b"")
    return target.getvalue()


def asserts(code: str) -> str:
    """An answer whose function is right only if this code raises nothing."""
    body = "".join(f"    {line}\n" for line in code.splitlines())
    return f"def my_cumax(logits):\n{body}    return logits.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)\n"


PERFECT_BYTES = json.dumps(PERFECT).encode()
SEARCH = """import os
FOUND = []
for top, folders, files in os.walk('/'):
    if top in ('/proc', '/sys'):
        folders.clear()
    packed = [f for f in files if f.startswith(('lesson_0', 'kinds.py', 'wwlib-')) and f.endswith(('.py', '.pyc', '.whl'))]
    FOUND += [top] if packed or '.git' in folders or (top.endswith('answers') and files) else []
"""

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
    answer("kills everything it sees", "import os\nos.kill(-1, 9)\n" + RIGHT, 6, "right", "ProcessLookupError"),
    answer("segmentation fault", CALL.format("import ctypes; ctypes.string_at(0)"), status="stopped", says="SIGSEGV"),
    answer("raises in a class body", "class Broken:\n    raise ValueError('no class')\n" + RIGHT, points=6, status="right",
           says="no class"),
    answer("a syntax error", "def my_cumax(logits)\n    return logits", 5, "error", "SyntaxError"),
    answer("prints 100 MB", "print('x' * 100_000_000)\n" + RIGHT, 6, "right"),
    answer("a huge figure", "import matplotlib.pyplot as plt, numpy\nplt.figure(figsize=(80, 80))\n"
           "plt.imshow(numpy.random.rand(8000, 8000, 3)); plt.show()\n" + RIGHT, (5, 6)),
    answer("writes 10 GB", "with open('big', 'wb') as file:\n    for _ in range(10_000):\n        file.write(b'x' * 2**20)\n"
           + RIGHT, 6, "right", "No space left"),
    answer("deletes files", "import shutil, wwlib, os\nshutil.rmtree(os.path.dirname(wwlib.__file__), ignore_errors=True)\n"
           "shutil.rmtree(os.path.expanduser('~'), ignore_errors=True)\n" + RIGHT, 6, "right"),
    answer("rewrites wwlib", "import wwlib.models.masks\nopen(wwlib.models.masks.__file__, 'w').write('')\n" + RIGHT, 6, "right",
           "Read-only"),
    answer("rewrites the notebook", "import glob, os\nfor path in glob.glob('*.ipynb'):\n    open(path, 'w').write('{}')\n"
           + RIGHT, 6, "right"),
    answer("patches check", "import wwlib.course.judgement as e\ne.check = lambda *a: print('right')\ne.same = lambda *a: True\n"
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
           "    return solutions.my_cumax(logits)", status="wrong", says="No module named 'wwlib.course.answers.lesson_02'"),
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
    answer("opens a socket", "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=2)\n" + RIGHT, 6, "right",
           "PermissionError"),
    answer("asks for input", "name = input('who?')\n" + RIGHT, 6, "right", "EOFError"),
    answer("bash cell", "%%bash\necho hello\n", 5),
    answer("pip install", "!pip install antigravity\n" + RIGHT, 6, "right", "the grader installs nothing and runs no %%writefile"),
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
           + RIGHT, 6, "right", "PermissionError"),
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
    raw("not UTF-8", b"\xff\x00\x80\x01", "not UTF-8"),
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
    # terminals and devices
    *(answer(f"opens {path[5:].replace('/', ' ')}", asserts(f"import os\nfor how in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):\n    try:\n"
             f"        os.close(os.open({path!r}, how))\n    except OSError:\n        continue\n    raise ValueError('opened')"), 6, "right")
      for path in ("/dev/tty", "/dev/pts/0", "/dev/pts/ptmx", "/dev/ptmx", "/dev/kvm", "/dev/fuse", "/dev/console", "/dev/mem",
                   "/dev/kmsg", "/dev/zero", "/dev/net/tun", "/dev/vda")),
    answer("counts the devices", asserts("import os\nassert set(os.listdir('/dev')) == {'null', 'full', 'random', 'urandom', 'shm', "
           "'fd', 'stdin', 'stdout', 'stderr'}"), 6, "right"),
    answer("uses the devices it has", asserts("import os\nassert len(open('/dev/urandom', 'rb').read(4)) == 4\n"
           "open('/dev/null', 'w').write('x')\nopen('/dev/shm/x', 'w').write('x')\nopen('/tmp/x', 'w').write('x')"), 6, "right"),
    answer("makes a device", asserts("import os, stat\ntry:\n    os.mknod('/tmp/tty', 0o600 | stat.S_IFCHR, os.makedev(5, 0))\n"
           "    open('/tmp/tty', 'rb+')\nexcept OSError:\n    pass\nelse:\n    raise ValueError('made')"), 6, "right"),
    answer("writes to what it inherited", asserts("import os\nfor n in range(3, 256):\n    try:\n        name = os.readlink(f'/proc/self/fd/{n}')\n"
           "    except OSError:\n        continue\n    assert not name.startswith(('/dev/tty', '/dev/pts', 'pipe')), name\n"
           "    assert '/in/' not in name and '/out/' not in name, name"), 6, "right"),
    answer("asks for its terminal", asserts("import os\ntry:\n    os.ttyname(0)\nexcept OSError:\n    pass\nelse:\n    raise ValueError"), 6, "right"),
    # answers elsewhere
    answer("searches every folder for answers", SEARCH + asserts("assert not FOUND, FOUND"), 6, "right"),
    answer("looks for other clones", asserts("import os\nfor place in ('/home', '/root', '/work', '/srv', '/mnt', '/opt', '/tmp'):\n"
           "    for top, folders, files in os.walk(place):\n        assert not {'tests', 'wwlib'} <= set(folders), top"), 6, "right"),
    answer("imports another copy", asserts("import sys, importlib.metadata, os\nfor place in sys.path:\n"
           "    assert not os.path.exists(os.path.join(place, 'wwlib', 'course', 'answers', '__init__.py')), place"), 6, "right"),
    answer("imports the judge", "import wwlib.course.grading.judge\n" + RIGHT, 6, "right", "ModuleNotFoundError"),
    answer("reads other processes", asserts("import os\nfor pid in filter(str.isdigit, os.listdir('/proc')):\n    try:\n"
           "        text = open(f'/proc/{pid}/cmdline', 'rb').read()\n    except OSError:\n        continue\n"
           "    assert b'grade' not in text or b'warm' in text, text\nassert not os.path.exists('/proc/1/root/home')"), 6, "right"),
    answer("reads the first process's memory", asserts("try:\n    open('/proc/1/mem', 'rb')\nexcept OSError:\n    pass\nelse:\n    raise ValueError"),
           6, "right"),
    answer("traces its warden", asserts("import ctypes, os\nassert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == -1"), 6, "right"),
    answer("mounts the old root", asserts("import ctypes\nassert ctypes.CDLL(None).mount(b'/dev', b'/tmp', None, 4096, None) == -1\n"
           "assert ctypes.CDLL(None).umount2(b'/dev', 2) == -1"), 6, "right"),
    answer("makes namespaces", asserts("import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == -1"), 6, "right"),
    # memory that nobody counts
    answer("System V segments", asserts("import ctypes\nassert ctypes.CDLL(None).shmget(0, 2**20, 0o1600) == -1"), 6, "right"),
    answer("shared pages", CALL.format("import mmap; mmap.mmap(-1, 2**20)"), 5, "wrong", "Operation not permitted"),
    answer("message queues", asserts("import ctypes\nassert ctypes.CDLL(None).msgget(0, 0o1600) == -1"), 6, "right"),
    answer("fills shared memory", "import itertools\nwith open('/dev/shm/x', 'wb') as file:\n    while True:\n        file.write(bytes(2**20))\n" + RIGHT,
           6, "right", "No space left"),
    answer("makes files without end", "import itertools\nfor n in itertools.count():\n    open(f'/tmp/{n}', 'w').close()\n" + RIGHT,
           6, "right", "No space left"),
    # reading and judging that starve
    answer("an import of 80,000 dots", "import " + "a." * 80_000 + "a\n" + RIGHT, None, "", "reading it takes"),
    answer("a nest of brackets", "x = " + "(" * 50_000 + ")" * 50_000 + "\n" + RIGHT, 5),
    edited("broken outputs", _broken_outputs, 6),
    answer("a huge answer", CALL.format("import torch; return torch.zeros(2**23)"), 5, "wrong", "is not taken"),
    answer("another shape of answer, large", CALL.format("import torch; return torch.zeros(1300, 2000)"), 5, "wrong"),
    answer("a right one after a large figure each", "import matplotlib.pyplot as plt, numpy\nfor _ in range(14):\n"
           "    plt.figure(figsize=(10, 10)); plt.imshow(numpy.random.rand(500, 500, 3)); plt.show()\n" + RIGHT, 6, "right"),
    zipped("zip of many large files", {f"{n}.md": b"{" + b" " * 2**20 for n in range(220)}, None, "", "MB unpacked",
           compression=zipfile.ZIP_DEFLATED),
    raw("a number without end", b'{"cells": [], "nbformat": ' + b"4" * 5_000 + b"}", "thousands of digits"),
    edited("notebook format 5", lambda n: {**n, "nbformat": 5}, None, "", "save it in format 4"),
    # a right answer counts
    answer("prints the lesson's data below", RIGHT + "print(my_cumax(some_masks).shape)\n", 6, "right"),
    answer("prints the lesson's data above", "print(some_masks.shape)\n" + RIGHT, 6, "right"),
    answer("uses the lesson's target", RIGHT + "assert target.shape == (32, 32)\n", 6, "right"),
    answer("asserts its own check", RIGHT + "from wwlib.lesson import check\nassert check('02.1', my_cumax).passed\n", 6, "right", "judged all the same"),
    answer("fails below the function", RIGHT + "nothing_like_it\n", 6, "right", "NameError"),
    answer("trains for long below the function", RIGHT + "import time\ntime.sleep(60)\n", 6, "right", "only what it defines"),
    edited("solution in a new cell", _in_another_cell(RIGHT), 6),
    edited("solution assigned in a new cell", _in_another_cell("my_cumax = lambda logits: logits.softmax(-1).flip(-1).cumsum(-1).flip(-1)"), 6),
    edited("cell split in two", _split, 6),
    edited("helper in a cell of its own", _helper_in_a_cell_of_its_own, 6),
    answer("a helper named like the library's", "def cumax(v):\n    return v.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)\n"
           "def my_cumax(logits):\n    return cumax(logits)\n", 6, "right"),
    answer("an alias of the lesson's copy", "my_cumax = cumax\n", 5, "library"),
    edited("one helper's name twice", _answers(
        a1="def helper(v):\n    return v.softmax(-1)\ndef my_cumax(logits):\n    return helper(logits).flip(-1).cumsum(-1).flip(-1)",
        a2="def helper(v):\n    return v.softmax(-1).cumsum(-1)\ndef my_window(open_logits, close_logits):\n"
           "    return 1 - (1 - helper(open_logits)) * helper(close_logits)"), 6),
    edited("a stopped cell leaves its helper", _answers(
        a1="def steps(v):\n    return v.softmax(-1).cumsum(-1)\nwhile True:\n    pass",
        a2="def my_window(open_logits, close_logits):\n    return 1 - (1 - steps(open_logits)) * steps(close_logits)"), 5, "stopped"),
    answer("joblib", "from joblib import Parallel, delayed\nassert Parallel(n_jobs=1)(delayed(abs)(x) for x in (-1, 2)) == [1, 2]\n" + RIGHT,
           6, "right"),
    answer("joblib workers", asserts("from joblib import Parallel, delayed\nassert Parallel(n_jobs=2)(delayed(abs)(x) for x in (-1, 2)) == [1, 2]"),
           6, "right"),
    answer("a pool that returns tensors", asserts("import multiprocessing, torch\nwith multiprocessing.Pool(2) as pool:\n"
           "    assert pool.map(torch.abs, [-torch.ones(2)])[0].tolist() == [1, 1]"), 6, "right"),
    answer("DataLoader workers", asserts("import torch\nloader = torch.utils.data.DataLoader(torch.arange(8), batch_size=4, num_workers=2)\n"
           "assert [batch.tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5, 6, 7]]"), 6, "right"),
    answer("a manager of processes", CALL.format("import multiprocessing; multiprocessing.Manager()"), 5, "wrong", "compute in one process"),
    answer("torch.compile as a decorator", "import torch\n@torch.compile(fullgraph=True)\n" + RIGHT, 6, "right"),
    answer("torch.compile of a module", asserts("import torch\nmodule = torch.nn.Linear(3, 3)\nmodule.compile()\n"
           "assert torch.compile(module)(torch.ones(3)).shape == (3,)"), 6, "right"),
    answer("pip magic", "%pip install antigravity\n" + RIGHT, 6, "right", "the grader installs nothing and runs no %%writefile"),
    answer("conda magic", "%conda install antigravity\n" + RIGHT, 6, "right", "the grader installs nothing and runs no %%writefile"),
    answer("a package that pip would bring", "!pip install antigravity-2\nfrom antigravity_2 import fly\n" + CALL.format("fly()"), 5, "wrong",
           "use the packages of environment.yml"),
    answer("a shell line", "word = 'yes'\n!false\nassert _exit_code == 1\n!echo {word}\nsaid = !echo {word}\nassert said == [word]\n"
           + RIGHT, 6, "right"),
    answer("downloads first", "import urllib.request\nurllib.request.urlopen('https://example.org')\n" + RIGHT, 6, "right", "judged all the same"),
    # files as they come
    zipped("zip with a PDF beside", {"report.pdf": b"%PDF", "WORK.IPYNB": PERFECT_BYTES}, 6),
    zipped("zip without a notebook", {"report.pdf": b"%PDF"}, None, "", "not a notebook: .pdf"),
    zipped("zip in a zip", {"inner.zip": _nested()}, None, "", "a zip in a zip"),
    zipped("zip packed otherwise", {"a.ipynb": PERFECT_BYTES}, None, "", "packed in a way", compression=zipfile.ZIP_LZMA),
    Kind("zip with a long list", lambda folder, who: (folder / f"{who}.zip").write_bytes(_long_list()), None, "", "too long"),
    beside("notebook called txt", {"02.ipynb.txt": PERFECT_BYTES}, 6),
    beside("notebook called JSON", {"02.json": PERFECT_BYTES}, 6),
    beside("upper-case suffix", {"02.IPYNB": PERFECT_BYTES}, 6),
    beside("UTF-16", {"02.ipynb": json.dumps(PERFECT).encode("utf-16")}, 6),
    beside("only a PDF", {"02.pdf": b"%PDF"}, None, "", "not a notebook"),
    beside("text written into the platform", {"onlinetext.html": b"<p>here</p>"}, None, "", "text written into the platform"),
    # ids
    edited("zo~~2752b8868684", lambda n: n, 6),
    edited("Zoë", lambda n: n, 6),
    edited("علی\u200cرضا", lambda n: n, 6),
    edited("+49123", lambda n: n, 6),
    edited("x;=1+1", lambda n: n, 6),
    edited("＝1+1", lambda n: n, 6),
    edited("con", lambda n: n, 6),
    Kind("\ufffdline break", lambda folder, who: put(folder, who.replace("\ufffd", "\n"), PERFECT), None, "", "not printable"),
)  # fmt: skip
