"""A fork server for grading: everything heavy is imported once, each submission runs in a sandboxed fork.

In the fork, papermill executes the notebook with an engine that runs cells in this very process, then the learner's
functions answer calls over a socket. Nothing that could tell right from wrong is ever loaded here.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import pickle
import socket
import sys
import time
from pathlib import Path

from wwlib.course.grading import wire
from wwlib.course.grading.sandbox import Limits, enter
from wwlib.course.grading.servers import serve
from wwlib.course.grading.shell import make_shell, run_cell, without_sockets_or_compiler
from wwlib.course.grading.view import places

PRELOAD = (
    "numpy", "torch", "torch.nn.functional", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "papermill",
    "ipywidgets", "sklearn.svm", "scipy.stats", "wwlib.lesson", "wwlib.base.viz",
    "wwlib.datasets.shapes3d", "wwlib.datasets.avatars", "wwlib.models.masks", "wwlib.models.networks",
    "wwlib.models.losses", "wwlib.training.step", "wwlib.models.editing", "wwlib.models.explorer",
    "wwlib.models.shipped", "wwlib.metrics.where", "wwlib.metrics.what", "wwlib.metrics.factor_vae",
    "wwlib.metrics.information", "wwlib.metrics.lengths", "wwlib.metrics.ranking", "wwlib.metrics.scores",
    "wwlib.course.judgement",
)  # fmt: skip
SHOWN = 6_000_000  # bytes kept of all that a submission's cells show
TRIPWIRE = "the library's own answer was called"


def tripwire(*arguments, **options):
    """Stand in for a library function while a learner's answer to it is judged."""
    # TRIPWIRE spelt out: this code runs inside the other function, with that one's globals
    raise RuntimeError("the library's own answer was called")


def main(control: socket.socket) -> None:
    """Answer requests on a socket: fork a submission whose channel comes along, or say how one ended."""
    import torch

    torch.set_num_threads(1)
    for name in PRELOAD:
        importlib.import_module(name)
    without_sockets_or_compiler()
    shell = make_shell()
    serve(control, lambda order, channel: learn(order, channel, shell))


def learn(order: dict, channel: socket.socket, shell) -> None:
    """Enter the sandbox, execute the notebook in the order, then serve calls until the grader has had enough."""
    home = Path(order["home"])
    _, text = wire.receive(channel)
    protections = enter(home, places(), order["hide"], Limits(**order["limits"]))
    wire.send(channel, {"state": "entered", "protections": protections})
    _keep_apart()
    cells = Cells(json.loads(text), shell)
    executed = execute(cells, order["parameters"], home, channel)
    standing = [exercise for exercise, function in cells.functions.items() if callable(function)]
    wire.send(channel, {"state": "executed", "standing": standing}, json.dumps(executed).encode())
    while True:
        header, payload = wire.receive(channel)
        if "again" in header:
            cells.run(header["again"])
            wire.send(channel, {"state": "again"})
        else:
            wire.send(channel, *_answer(header, payload, cells.functions, cells.lessons))


def _keep_apart() -> None:
    """Give this fork random numbers of its own, or all submissions would draw the same."""
    import numpy
    import torch

    seed = time.time_ns() % 2**32
    torch.manual_seed(seed)
    numpy.random.seed(seed)


class Cells:
    """A notebook's cells, and what running them leaves behind.

    Attributes:
        functions: the learner's function of each exercise, once its cell has run.
        lessons: the functions that the lesson's own cells define, by name.
    """

    def __init__(self, notebook: dict, shell):
        self.notebook, self.shell, self.left = notebook, shell, SHOWN
        self.functions: dict[str, object] = {}
        self.lessons: dict[str, object] = {}
        self.exercises = {c["metadata"]["ww"]["exercise"]: c for c in notebook["cells"]
                          if "exercise" in c["metadata"].get("ww", {})}  # fmt: skip

    def run(self, exercise: str) -> list[dict]:
        """Run the cell of an exercise; return what it shows.

        Where the cell fails before it defines the function, its definitions are run one by one: in the learner's
        notebook it may have run to its end.
        """
        cell = self.exercises[exercise]
        name, names = cell["metadata"]["ww"]["function"], self.shell.user_ns
        before = names.pop(name, None)
        outputs = run_cell(self.shell, cell["source"])
        if name not in names:
            for node in ast.parse(cell["metadata"]["ww"].get("definitions", "")).body:
                run_cell(self.shell, ast.unparse(node))
        self.functions[exercise] = names.get(name)
        if before is not None:
            names.setdefault(name, before)
        return outputs

    def run_lessons(self, source: str) -> list[dict]:
        """Run a cell of the lesson."""
        before = dict(self.shell.user_ns)
        outputs = run_cell(self.shell, source)
        for name, value in self.shell.user_ns.items():
            if inspect.isfunction(value) and before.get(name) is not value:
                self.lessons[name] = value
        return outputs

    def within(self, outputs: list[dict]) -> list[dict]:
        """Return outputs as far as the notebook's budget goes: pictures that exceed it are named instead."""
        found = []
        for output in outputs:
            size = len(json.dumps(output))
            if size > self.left and output["output_type"] != "error":
                output = {"output_type": "stream", "name": "stdout", "text": f"… {size // 1000} kB more are not shown"}
                size = 0
            self.left -= size
            found.append(output)
        return found


def execute(cells: Cells, parameters: dict, home: Path, channel: socket.socket) -> dict:
    """Execute a notebook with papermill in this process and return it with outputs.

    Args:
        cells: of the notebook.
        parameters: injected by papermill.
        home: for papermill's files.
        channel: told when a cell begins.
    """
    import papermill
    from nbformat import from_dict
    from papermill.engines import Engine, papermill_engines

    class InThisProcess(Engine):
        @classmethod
        def execute_managed_notebook(cls, manager, kernel_name, **options):
            for index, cell in enumerate(manager.nb.cells):
                if cell.cell_type != "code":
                    continue
                ww = cell.metadata.get("ww", {})
                exercise = ww.get("exercise", "")
                wire.send(channel, {"state": "cell", "exercise": "values" if "values" in ww else exercise})
                manager.cell_start(cell, index)
                outputs = cells.run(exercise) if exercise else cells.run_lessons(cell.source)
                cell.outputs = [from_dict(output) for output in cells.within(outputs)]
                manager.cell_complete(cell, index)

    papermill_engines.register("in-this-process", InThisProcess)
    given, executed = home / "given.ipynb", home / "executed.ipynb"
    given.write_text(json.dumps(cells.notebook), encoding="utf-8")
    with contextlib.suppress(papermill.PapermillExecutionError):  # errors are in the outputs; every cell was tried
        papermill.execute_notebook(
            str(given), str(executed), parameters=parameters, engine_name="in-this-process", kernel_name="python3",
            progress_bar=False, log_output=False, autosave_cell_every=0,
        )  # fmt: skip
    return json.loads(executed.read_text(encoding="utf-8"))


def _answer(header: dict, payload: bytes, functions: dict, lessons: dict) -> tuple[dict, bytes]:
    """Call a learner's function, and say what came back or what it raised."""
    from wwlib.course.describe import line_of
    from wwlib.course.exercise import value_and_slopes
    from wwlib.course.judgement import unchanged

    function = functions.get(header["exercise"])
    if not callable(function):
        return {"raised": "NameError", "message": f"there is no function {header['function']}"}, b""
    arguments, before = pickle.loads(payload), pickle.loads(payload)
    try:
        with _trapped(header["forbidden"], lessons):
            slopes = header["slopes"]
            packed = wire.pack(value_and_slopes(function, arguments) if slopes else function(*arguments))
        if len(packed) > wire.LARGEST:
            return {"raised": "ValueError", "message": f"an answer of {len(packed) // 2**20} MB is not taken"}, b""
        return {"returned": True, "unchanged": unchanged(arguments, before)}, packed
    except BaseException as error:
        message = str(error)[:500]
        return {"raised": type(error).__name__, "message": message, "line": line_of(error, function)}, b""


class _trapped:
    """While open, calls of the named library functions, and of the lesson's own copies of them, raise.

    It is their code that is replaced, so that a learner's function of the same name is none of them.
    """

    def __init__(self, names: list[str], lessons: dict):
        found = []
        for name in names:
            module, _, attribute = name.partition(":")
            found += [getattr(importlib.import_module(module), attribute), lessons.get(attribute)]
        self.functions = list({id(f): f for f in map(inspect.unwrap, filter(inspect.isroutine, found))}.values())
        self.codes = [f.__code__ for f in self.functions]

    def __enter__(self):
        for function in self.functions:
            if not function.__code__.co_freevars:
                function.__code__ = tripwire.__code__

    def __exit__(self, *error):
        for function, code in zip(self.functions, self.codes, strict=True):
            function.__code__ = code


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
