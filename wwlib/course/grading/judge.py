"""A judge: the process that reads one learner's notebook and compares one learner's values, within limits.

What a learner hands in can make reading or comparing take any memory and time. Here it takes this process alone, and
the grader goes on with the next learner. Hidden inputs and right answers live here and in the grader, nowhere else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import pickle
import resource
import socket
import sys
from pathlib import Path

from wwlib.course.answers import exercises
from wwlib.course.exercise import Exercise
from wwlib.course.grading import wire
from wwlib.course.grading.incoming.reading import read
from wwlib.course.grading.warm import TRIPWIRE
from wwlib.course.judgement import first_fault
from wwlib.course.lessons.tasks import masters

FLOAT64_SHARE = 0.25
SHOWN = 8_000_000  # characters kept of all that a submission's cells showed


class Library(BaseException):
    """The learner's function called the library's own answer."""


def hidden_exercises(folder: str) -> dict[str, Exercise]:
    """Return the exercises, with the inputs that an instructor adds in `folder/*.py` as `CASES = {"02.1": [make]}`.

    Raises:
        ValueError: if one names an exercise that is not known.
    """
    found = exercises()
    for path in sorted(Path(folder).glob("*.py")) if folder else ():
        spec = importlib.util.spec_from_file_location(f"hidden_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for id, cases in module.CASES.items():
            if id not in found:
                raise ValueError(f"{path}: CASES names exercise {id!r}, known are {sorted(exercises())}")
            found[id] = dataclasses.replace(found[id], cases=(*found[id].cases, *cases))
    return found


def seed_of(secret: int, exercise: str, learner: str, attempt: str) -> int:
    """Return the seed of an exercise's hidden inputs: another for each learner and each file that is handed in.

    What the feedback on one attempt says is therefore of no use for the next. `check` uses other seeds, below 1,000.

    Args:
        secret: of the batch, from `out/run.json`.
        exercise: such as "02.1".
        learner: whose it is.
        attempt: digest of the file.
    """
    text = f"{secret}/{exercise}/{learner}/{attempt}"
    return 1_000 + int(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:7], 16)


def score(exercise: Exercise, answer, seed: int) -> dict:
    """Judge one answer: hidden inputs in float32 give three quarters of the points, in float64 the last.

    Args:
        exercise: whose answer it is.
        answer: stands in for the learner's function.
        seed: of the hidden inputs.

    Returns:
        the share of the points `earned`, what to say as `text`, and whether it is the `library`'s answer.
    """
    parts = [(1.0, None)] if exercise.properties else [(1 - FLOAT64_SHARE, False), (FLOAT64_SHARE, True)]
    earned, fault = 0.0, None
    for share, double in parts:
        try:
            fault = first_fault(exercise, answer, seed, double, numbers=False)
        except Library:
            return dict(earned=0.0, library=True, text=f"{TRIPWIRE}: write it yourself, the lesson shows every piece")
        except MemoryError:
            raise
        except Exception as error:  # an answer that cannot even be compared or described
            return dict(earned=0.0, library=False, text=f"the answer could not be compared: {type(error).__name__}")
        if fault is not None:
            break
        earned += share
    return dict(earned=earned, library=False, text="" if fault is None else fault.body or fault.title)


class Remote:
    """Stands in for a learner's function: calling it asks the grader to call the function in its own process."""

    def __init__(self, channel: socket.socket, exercise: Exercise, function: str):
        self.channel, self.exercise, self.function = channel, exercise, function

    def __call__(self, *arguments):
        return self._call(arguments, False)

    def with_slopes(self, *arguments):
        """Return the loss and its gradients, both computed where the function lives."""
        found = self._call(arguments, True)
        return found if isinstance(found, tuple) and len(found) == 2 else (found, [])

    def _call(self, arguments: tuple, slopes: bool) -> object:
        header = dict(exercise=self.exercise.id, function=self.function, forbidden=self.exercise.forbidden,
                      slopes=slopes)  # fmt: skip
        wire.send(self.channel, header, pickle.dumps(arguments))
        header, payload = wire.receive(self.channel)
        if header.get("returned"):
            if not header.get("unchanged"):
                raise _named("Changed")("its input in place: work on a copy, tensor.clone()")
            return wire.unpack(payload)
        kind, message = str(header.get("raised"))[:80], str(header.get("message", ""))[:500]
        if message == TRIPWIRE:
            raise Library(TRIPWIRE)
        if kind == "NotImplementedError":
            raise NotImplementedError
        raise _named(kind)(f"{message}{str(header.get('line', ''))[:60]}")


def _named(kind: str) -> type[Exception]:
    """An exception class with the name of one that was raised elsewhere, for messages that read as its own."""
    return type(kind if kind.isidentifier() else "Error", (Exception,), {})


def shown(payload: bytes) -> dict[str, list[dict]]:
    """Return what a learner's cells showed, as text and PNG only; whatever is not of that form is left out.

    Args:
        payload: the executed notebook as the learner's process sent it: perhaps anything.
    """
    found: dict[str, list[dict]] = {}
    try:
        notebook = json.loads(payload)
    except (ValueError, RecursionError):
        return found
    cells, left = notebook.get("cells") if isinstance(notebook, dict) else None, SHOWN
    for cell in cells if isinstance(cells, list) else ():
        try:
            exercise = str(cell["metadata"]["ww"]["exercise"])
            for output in cell["outputs"][:20]:
                if output["output_type"] == "error":
                    one = {"error": wire.clean(f"{output['ename']}: {output['evalue']}")[:500]}
                elif output["output_type"] == "stream":
                    one = {"text": _joined(output["text"])[:5_000]}
                elif "image/png" in output["data"]:
                    one = {"png": _joined(output["data"]["image/png"])}
                else:
                    one = {"text": _joined(output["data"].get("text/plain", ""))[:5_000]}
                left -= len(str(one))
                if exercise and (left > 0 or "error" in one):
                    found.setdefault(exercise, []).append(one)
        except (KeyError, TypeError, AttributeError):
            continue
    return found


def _joined(text: object) -> str:
    """A notebook's text, which files hold as one string or as lines."""
    return wire.clean("".join(map(str, text)) if isinstance(text, list) else text)


def work(order: dict, channel: socket.socket, known: dict, found: dict[str, Exercise]) -> None:
    """Answer a grader's questions about one learner: read a notebook, clean outputs, score an answer."""
    _limit(order["memory"], order["seconds"])
    while True:
        try:
            header, payload = wire.receive(channel)
        except EOFError:
            return
        try:
            if header["ask"] == "read":
                reading = dataclasses.asdict(read(payload, header["name"], known))
                wire.send(channel, {"done": "read"}, json.dumps(reading).encode())
            elif header["ask"] == "shown":
                wire.send(channel, {"done": "shown"}, json.dumps(shown(payload)).encode())
            else:
                exercise = found[header["exercise"]]
                answer = Remote(channel, exercise, header["function"])
                wire.send(channel, {"done": "score", **score(exercise, answer, header["seed"])})
        except MemoryError:
            wire.send(channel, {"done": "over"})
        except Exception as error:
            wire.send(channel, {"done": "refused", "why": wire.clean(str(error) or type(error).__name__)[:300]})


def _limit(memory: float, seconds: float) -> None:
    statm = Path("/proc/self/statm")
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if statm.exists():
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + int(memory * 2**30),) * 2)


def main(control: socket.socket, hidden: str) -> None:
    """Serve as a fork server of judges."""
    import IPython.core.inputtransformer2  # noqa: F401  what reading needs, loaded once
    import nbformat  # noqa: F401
    import torch

    from wwlib.course.grading.servers import serve
    from wwlib.training.recipes import make_data

    torch.set_num_threads(1)
    try:
        found = hidden_exercises(hidden)
    except ValueError as error:
        wire.send(control, {"state": "refused", "why": str(error)})
        return
    make_data("shapes3d", 32)  # rendered once, before any exercise asks for it
    known = masters()
    titles = {exercise.id: exercise.title for exercise in found.values()}
    serve(control, lambda order, channel: work(order, channel, known, found), titles=titles)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
