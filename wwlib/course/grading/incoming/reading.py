"""One submitted notebook, read with suspicion: which lesson it is, and which code answers which exercise.

This runs in a judge's process (`wwlib.course.grading.judge`), within limits: reading alone can take any memory.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from wwlib.course.lessons.notebooks import exercise_cell
from wwlib.course.lessons.tasks import Master, Task, bound, definitions, free, source_of

CELLS, ANSWER = 2_000, 200_000  # cells of one notebook, characters of one answer


@dataclass(frozen=True)
class Answer:
    """The code that answers one exercise.

    Attributes:
        source: the cell, with what it needs from the learner's other cells in front.
        definitions: what it defines, without what it computes.
        binds: the names that it binds.
        uses: the names that it uses and does not bind.
        untouched: it is the stub as it was handed out.
    """

    source: str
    definitions: str = ""
    binds: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    untouched: bool = False


@dataclass
class Reading:
    """What a notebook holds: answers by exercise, and what a learner should be told about how they were looked for."""

    lesson: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cell:
    """A code cell of a submission, and the exercise that it is marked for, "" if none."""

    source: str
    exercise: str


def read(data: bytes, name: str, known: dict[str, Master]) -> Reading:
    """Return what a submitted file holds.

    Exercises are matched by metadata, then by cell id, then by the name of the function; where several cells define
    the function the last that is not the stub counts.

    Args:
        data: the file.
        name: of the file, which may say the lesson.
        known: the lessons.

    Raises:
        ValueError: with the reason why it cannot be graded.
    """
    found = Reading()
    notebook = _notebook(data, found.notes)
    tasks = [task.exercise for master in known.values() for task in master.tasks]
    marks = {mark: exercise for exercise in tasks for mark in (exercise, exercise_cell(exercise))}
    cells = []
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code":
            mark = marks.get(_metadata(cell)) or marks.get(str(cell.get("id", "")), "")
            cells.append(Cell(source_of(cell), mark))
    if len(cells) > CELLS:
        raise ValueError(f"more than {CELLS} cells")
    found.lesson = _lesson(name, cells, known)
    if not found.lesson:
        raise ValueError("no lesson has these exercises")
    master = known[found.lesson]
    chosen = {task: source for task in master.tasks if (source := _match(found.notes, task, cells)) is not None}
    _complete(found, chosen, master, cells)
    return found


def _notebook(data: bytes, notes: list[str]) -> dict:
    """Return the notebook without outputs, in format 4."""
    if not data.strip():
        raise ValueError("an empty file")
    try:
        raw = json.loads(_text(data))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise ValueError("JSON with a number of thousands of digits, or nested too deeply to read") from None
    if not isinstance(raw, dict) or not ("cells" in raw or "worksheets" in raw):
        raise ValueError("JSON, but not a notebook")
    if not isinstance(raw.get("cells", []), list):
        raise ValueError("a notebook whose cells are no list")
    if len(raw.get("cells", [])) > 2 * CELLS:
        raise ValueError(f"more than {CELLS} cells")
    for cell in raw.get("cells", []):  # outputs count for nothing; what other tools leave out does no harm
        if isinstance(cell, dict):
            cell.setdefault("metadata", {})
            cell.pop("attachments", None)
            if cell.get("cell_type") == "code":
                cell.update(outputs=[], execution_count=None)
    for sheet in raw.get("worksheets", []) if isinstance(raw.get("worksheets"), list) else ():
        for cell in sheet.get("cells", []) if isinstance(sheet, dict) else ():
            if isinstance(cell, dict) and "outputs" in cell:
                cell["outputs"] = []
    return _upgraded(raw, notes)


def _text(data: bytes) -> str:
    """A file's text: UTF-8, or UTF-16 where a mark at its start says so, as some editors save."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if marked else "utf-8-sig")


def _upgraded(raw: dict, notes: list[str]) -> dict:
    import nbformat

    version = raw.get("nbformat")
    if isinstance(version, int) and version > 4:
        raise ValueError(f"written in notebook format {str(version)[:10]}, which is not known: save it in format 4")
    if version != 4:
        notes.append(f"written in notebook format {str(version)[:10]}, converted")
    try:
        return json.loads(nbformat.writes(nbformat.reads(json.dumps(raw), as_version=4)))
    except Exception as error:
        raise ValueError(f"not a valid notebook ({type(error).__name__}): open it in JupyterLab and save it") from None


def _metadata(cell: dict) -> str:
    ww = cell.get("metadata", {})
    ww = ww.get("ww", {}) if isinstance(ww, dict) else {}
    return str(ww.get("exercise", "")) if isinstance(ww, dict) else ""


def _lesson(name: str, cells: list[Cell], known: dict[str, Master]) -> str:
    """The lesson whose exercises the notebook holds, by marks, then by functions, then by the file's name."""
    exercises = {task.exercise: number for number, master in known.items() for task in master.tasks}
    functions = {task.function: number for number, master in known.items() for task in master.tasks}
    votes = dict.fromkeys(known, 0)
    for cell in cells:
        if number := exercises.get(cell.exercise):
            votes[number] += 2
        for defined in re.findall(r"^def +(\w+)", cell.source, re.MULTILINE):
            if number := functions.get(defined):
                votes[number] += 1
    best = max(votes, key=lambda number: votes[number], default="")
    if best and votes[best]:
        return best
    found = re.search(r"(?:^|[^\d])(\d\d)_[a-z]", PurePosixPath(name.replace(":", "/")).name)
    return found[1] if found and found[1] in known else ""


def _match(notes: list[str], task: Task, cells: list[Cell]) -> str | None:
    """Return the code that answers a task: the last cell that defines its function, with the other marked cells."""
    define = re.compile(rf"^(?:async +)?def +{task.function}\b", re.MULTILINE)
    assign = re.compile(rf"^{task.function} *(?::[^=\n]*)?=(?!=)|^(?:from|import) .*\b{task.function}\b", re.MULTILINE)
    mine = [cell for cell in cells if cell.exercise in ("", task.exercise)]
    marked = [cell for cell in mine if cell.exercise]
    solved: list[Cell] = []
    for pattern in (define, assign):
        claims = [cell for cell in mine if pattern.search(cell.source) and not untouched(cell.source, task)]
        solved = solved or [c for c in claims if pattern is define or c.exercise] or claims
    if not solved:
        parts = [cell for cell in marked if not untouched(cell.source, task)] or marked
        parts = parts or [cell for cell in mine if define.search(cell.source)]
        if not parts:
            notes.append(f"{task.exercise}: no cell defines {task.function}")
            return None
        return "\n\n".join(cell.source for cell in parts)
    last = solved[-1]
    if not last.exercise:
        notes.append(f"{task.exercise}: found by the name of its function")
    if len(solved) > 1:
        notes.append(f"{task.exercise}: {len(solved)} cells answer it, the last counts")
    halves = [c for c in marked if c.source.strip() and not untouched(c.source, task)]
    halves = [c for c in halves if not (define.search(c.source) or assign.search(c.source))]
    if halves and len(solved) == 1:
        return "\n\n".join(cell.source for cell in mine if cell is last or cell in halves)
    return last.source


def untouched(source: str, task: Task) -> bool:
    """Say whether a cell is still the stub, apart from white space and comments."""
    try:
        return ast.dump(ast.parse(source)) == ast.dump(ast.parse(task.stub))
    except (SyntaxError, ValueError, RecursionError):
        return source.split() == task.stub.split()


def _python(source: str) -> str:
    """A cell as Python: IPython's own lines become calls."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def _complete(found: Reading, chosen: dict[Task, str], master: Master, cells: list[Cell]) -> None:
    """Describe each answer, and put in front of it what it needs from the learner's other cells."""
    sources = {}
    for task, source in chosen.items():
        if len(source) > ANSWER:
            found.notes.append(f"{task.exercise}: an answer of more than {ANSWER:,} characters is not run")
        else:
            sources[task] = source
    facts = {task: _facts(source) for task, source in sources.items()}
    there = master.names.union(*(binds for _, binds, _ in facts.values()))
    helpers = None
    for task, source in sources.items():
        defined, binds, uses = facts[task]
        front: dict[str, str] = {}
        while missing := [name for name in uses - there - set(front)]:
            helpers = _helpers(cells) if helpers is None else helpers
            if not (known := [name for name in missing if name in helpers]):
                break
            front = {**{name: helpers[name] for name in known}, **front}
            uses = uses.union(*(_facts(helpers[name])[2] for name in known))
        if front:
            before = "\n".join(dict.fromkeys(front.values()))
            source, defined = f"{before}\n\n{source}", f"{before}\n{defined}"
            found.notes.append(f"{task.exercise}: with {', '.join(sorted(front))} from cells of your own")
        found.answers[task.exercise] = Answer(source, defined, tuple(binds | set(front)), tuple(uses - binds),
                                              untouched(chosen[task], task))  # fmt: skip


def _facts(source: str) -> tuple[str, set[str], set[str]]:
    """A cell's definitions, the names that it binds and the names that it uses; nothing where it is no Python."""
    try:
        plain = _python(source)
        return definitions(plain), bound(plain), free(plain)
    except (SyntaxError, ValueError, RecursionError):
        return "", set(), set()


def _helpers(cells: list[Cell]) -> dict[str, str]:
    """The statements of unmarked cells by the name that they bind; the last counts."""
    found = {}
    for cell in cells:
        if cell.exercise:
            continue
        try:
            nodes = ast.parse(_python(cell.source)).body
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in nodes:
            text = ast.unparse(node)
            if not isinstance(node, ast.Expr):
                found.update(dict.fromkeys(bound(text), text))
    return found
