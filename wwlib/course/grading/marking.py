"""One submission, graded: its answers run in a session, each is compared by a judge, each gets its points.

A right answer counts: what fails around a function that stands is a note, a name that two answers share is no fault,
and a cell that had to be stopped leaves its definitions to the others.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass

from wwlib.course.grading import wire
from wwlib.course.grading.incoming.reading import Answer, Reading
from wwlib.course.grading.incoming.submissions import Submission
from wwlib.course.grading.judge import seed_of
from wwlib.course.grading.pages import advice
from wwlib.course.grading.servers import ForkServer, Infrastructure, why_ended
from wwlib.course.grading.session import Clock, Died, Session
from wwlib.course.lessons.notebooks import KERNEL
from wwlib.course.lessons.tasks import Master, Task, Values

JUDGES_MEMORY, JUDGES_SECONDS = 1.0, 30.0  # gigabytes beyond the libraries' own, seconds of CPU time


class Beyond(Exception):
    """Reading or comparing took more than a judge may take: the learner's own loss."""


class Refused(ValueError):
    """A judge says why a notebook cannot be graded."""


class Judge:
    """A judge's process for one learner.

    Args:
        server: that forks it.
        doing: such as "reading it", for the message when it takes too much.
    """

    def __init__(self, server: ForkServer, doing: str):
        self.server, self.doing = server, doing
        self.pid, self.channel = server.fork({"memory": JUDGES_MEMORY, "seconds": JUDGES_SECONDS})

    def ask(self, header: dict, payload: bytes = b"", session: Session | None = None) -> tuple[dict, bytes]:
        """Return the judge's answer to a question, passing on its calls of the learner's functions.

        Raises:
            Beyond: if it needs more memory or time than it has.
            Refused: if it gives a reason instead of an answer.
        """
        limits = f"{self.doing} takes more than {JUDGES_MEMORY:g} GB of memory or {JUDGES_SECONDS:g} s"
        try:
            wire.send(self.channel, header, payload)
            while True:
                found, body = wire.receive(self.channel, 10 * JUDGES_SECONDS, session and session.watch)
                if "done" in found:
                    break
                if found.get("state") == "broken" or session is None:
                    raise Infrastructure(f"a judge failed: {found.get('why')}")
                wire.send(self.channel, *session.forward(found, body))
        except (TimeoutError, ValueError):  # no answer in time, or one that is too long
            raise Beyond(limits) from None
        except (EOFError, OSError):
            raise Beyond(f"{limits} ({why_ended(self.server.status(self.pid))})") from None
        if found["done"] == "over":
            raise Beyond(limits)
        if found["done"] == "refused":
            raise Refused(found["why"])
        return found, body

    def close(self) -> None:
        """End the process."""
        self.channel.close()
        if self.server.ended(self.pid) is None:
            self.server.end(self.pid)


def read_one(submission: Submission, server: ForkServer, before: dict[str, str]) -> None:
    """Fill in a submission's reading, or the problem why there is none.

    Args:
        submission: as it was found.
        server: of judges.
        before: problems by the digest of files that took too much in an earlier run, and are not tried again.
    """
    if submission.problem:
        return
    try:
        content = submission.content()
    except ValueError as error:
        submission.problem = str(error)
        return
    submission.problem = before.get(submission.digest, "")
    if submission.problem:
        return
    judge = Judge(server, "reading it")
    try:
        found = json.loads(judge.ask({"ask": "read", "name": submission.name}, content)[1])
        answers = {id: Answer(**answer) for id, answer in found.pop("answers").items()}
        submission.reading = Reading(answers=answers, **found)
    except (Beyond, Refused) as reason:
        submission.problem = str(reason)
    finally:
        judge.close()


def transplant(master: Master, answers: dict[str, Answer], with_values: bool = True) -> dict:
    """Return the clean master with the learner's answers in place of the stubs: the instructor's cells win.

    Args:
        master: the lesson.
        answers: by exercise.
        with_values: run what the lesson computes, where an answer uses it.
    """
    wanted = master.wanted({id: set(answer.uses) for id, answer in answers.items()}) if with_values else set()
    cells = []
    for number, cell in enumerate(master.cells):
        if (isinstance(cell, Task) and cell.exercise not in answers) or (
            isinstance(cell, Values) and number not in wanted
        ):
            continue
        ww, tags = {}, []
        if isinstance(cell, Task):
            answer = answers[cell.exercise]
            source = answer.source
            ww = {"exercise": cell.exercise, "function": cell.function, "definitions": answer.definitions}
        elif isinstance(cell, Values):
            source, ww = cell.source, {"values": True}
        else:
            source = cell
            tags = ["parameters"] if source.startswith("profile: str") else []
        metadata = {"tags": tags, **({"ww": ww} if ww else {})}
        cells.append(
            dict(cell_type="code", id=f"cell-{number}", metadata=metadata, source=source, outputs=[],
                 execution_count=None)
        )  # fmt: skip
    return {"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}


@dataclass
class Marking:
    """The state of one submission's grading: what is left to run, and what came out so far."""

    master: Master
    answers: dict[str, Answer]
    titles: dict[str, str]
    learner: str
    attempt: str
    secret: int
    given: dict[str, str]  # what was handed in, by exercise
    results: dict[str, dict] = dataclasses.field(default_factory=dict)
    asides: dict[str, str] = dataclasses.field(default_factory=dict)  # what a right answer's cell did besides
    outputs: dict[str, list[dict]] = dataclasses.field(default_factory=dict)
    protections: list[str] = dataclasses.field(default_factory=list)
    with_values: bool = True

    def put(self, task: Task, status: str, points: float, text: str) -> None:
        """Write down the result of one exercise."""
        text = "\n".join(part for part in (text, self.asides.get(task.exercise, "")) if part)
        shown = "".join(one.get("text", "") for one in self.outputs.get(task.exercise, []))
        text = "\n".join([text, *advice(text, shown, self.given.get(task.exercise, ""))]).strip()
        self.results[task.exercise] = dict(
            exercise=task.exercise, title=self.titles[task.exercise], status=status, points=round(points, 3),
            of=task.points, text=wire.clean(text)[:4000],
        )  # fmt: skip

    @property
    def pending(self) -> list[Task]:
        """The exercises without a result."""
        return [task for task in self.master.tasks if task.exercise not in self.results]


def grade_one(submission: Submission, master: Master, servers: tuple[ForkServer, ForkServer], hide: list[str],
              settings, titles: dict[str, str]) -> dict:  # fmt: skip
    """Grade one submission: run its answers, and after each that ends the process go on without it.

    Args:
        submission: read.
        master: its lesson.
        servers: of sessions and of judges.
        hide: what must look empty to it.
        settings: `wwlib.course.grading.grade.Settings`.
        titles: of the exercises.
    """
    start = time.monotonic()
    clock = Clock(settings.timeout)
    answers = submission.reading.answers
    given = {id: answer.source for id, answer in answers.items()}
    marking = Marking(master, dict(answers), titles, submission.learner, submission.digest, settings.seed, given)
    for task in master.tasks:
        answer = marking.answers.get(task.exercise)
        if answer is None:
            marking.put(task, "missing", 0, f"no cell defines {task.function}")
        elif answer.untouched:
            marking.put(task, "untouched", 0, "the stub as it was handed out")
            del marking.answers[task.exercise]
    while marking.pending:
        notebook = transplant(master, marking.answers, marking.with_values)
        session = Session(servers[0], notebook, hide, clock, settings.cell_timeout, settings.memory)
        asked = [""]
        try:
            session.execute()
            _judge_all(marking, session, servers[1], asked)
        except Died as reason:
            _stopped(marking, session, asked[0], str(reason))
        finally:
            session.close()
    tests = [marking.results[task.exercise] for task in master.tasks]
    return dict(
        learner=submission.learner, lesson=submission.reading.lesson, file=submission.name, digest=submission.digest,
        modified=submission.modified, notes=[*submission.notes, *submission.reading.notes], graded=True, tests=tests,
        points=sum(t["points"] for t in tests), of=sum(t["of"] for t in tests),
        seconds=round(time.monotonic() - start, 2), protections=marking.protections, outputs=marking.outputs,
    )  # fmt: skip


def _stopped(marking: Marking, session: Session, asked: str, reason: str) -> None:
    """Go on after a process has ended: without the lesson's values, with a cell's definitions only, or without it."""
    if session.running == "values":
        marking.with_values = False
        return
    pending = {task.exercise: task for task in marking.pending}
    guilty = session.running or asked
    if guilty not in pending:
        if guilty in marking.answers:  # it has its result, and is in the way of the others now
            _without(marking, guilty)
            return
        guilty = next(iter(pending))
    task, answer = pending[guilty], marking.answers[guilty]
    if session.running and f"def {task.function}(" in answer.definitions:
        marking.answers[guilty] = _reduced(answer)
        marking.asides[guilty] = f"the cell was stopped ({reason}); only what it defines was judged"
        return
    marking.put(task, "stopped", 0, reason)
    _without(marking, guilty)


def _without(marking: Marking, exercise: str) -> None:
    """Leave the definitions of an answer to the others, or nothing of it if that was tried already."""
    if marking.answers[exercise].definitions:
        marking.answers[exercise] = _reduced(marking.answers[exercise])
    else:
        marking.answers.pop(exercise)


def _reduced(answer: Answer) -> Answer:
    return dataclasses.replace(answer, source=answer.definitions, definitions="")


def _judge_all(marking: Marking, session: Session, server: ForkServer, asked: list[str]) -> None:
    """Judge every pending answer of a session that has run; `asked` says which one, should the process end."""
    marking.protections = session.protections
    judge = Judge(server, "comparing it")
    try:
        marking.outputs = json.loads(judge.ask({"ask": "shown"}, session.executed, session)[1])
        for task in marking.pending:
            asked[0] = task.exercise
            errors = [shown["error"] for shown in marking.outputs.get(task.exercise, []) if "error" in shown]
            if errors and task.exercise not in session.standing:
                marking.put(task, "error", 0, f"the cell raised {errors[0]}")
                continue
            if errors:
                marking.asides[task.exercise] = f"the cell raised {errors[0]}; the function was judged all the same"
            try:
                _score(marking, task, judge, session)
            except Beyond as reason:
                marking.put(task, "stopped", 0, f"not graded, because {reason}")
                judge.close()
                judge = Judge(server, "comparing it")
            except Refused as reason:
                marking.put(task, "wrong", 0, f"the answer could not be compared: {reason}")
    except Beyond:  # what the cells showed is too much to look at
        marking.outputs = {}
        raise Infrastructure("outputs cannot be read") from None
    finally:
        judge.close()


def _score(marking: Marking, task: Task, judge: Judge, session: Session) -> None:
    header = dict(ask="score", exercise=task.exercise, function=task.function,
                  seed=seed_of(marking.secret, task.exercise, marking.learner, marking.attempt))  # fmt: skip
    found = judge.ask(header, session=session)[0]
    own = set(marking.answers[task.exercise].binds) - {task.function}
    others = [a.binds for id, a in marking.answers.items() if id != task.exercise]
    if found["earned"] < 1 and not found["library"] and own.intersection(*[set().union(*others)]):
        session.again(task.exercise)  # a name that another answer binds as well: once more, with its own last
        found = max(found, judge.ask(header, session=session)[0], key=lambda one: one["earned"])
    points = found["earned"] * task.points
    status = "right" if found["earned"] == 1 else "partly right" if points else "wrong"
    marking.put(task, "library" if found["library"] else status, points, found["text"])
