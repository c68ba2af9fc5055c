"""Tables that an instructor gives: the class's roster, and a mapping of what no name tells."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

from wwlib.course.grading.incoming.people import tidy

# what a column may be called besides, Moodle's own list of participants among it
COLUMNS = {"id_number": "student_id", "email_address": "email", "e_mail": "email", "surname": "last_name",
           "firstname": "first_name", "lastname": "last_name"}  # fmt: skip
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as spreadsheets save it: UTF-8, UTF-16 or Windows' encoding, commas or semicolons.

    Columns are known in any case, with blanks or underscores, and by the names in `COLUMNS`.

    Raises:
        ValueError: if it is no text, or not there.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    data = path.read_bytes()
    encodings = ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ENCODINGS
    for encoding in encodings:
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise ValueError(f"{path} is no text in UTF-8, UTF-16 or Windows-1252")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    clean = lambda text: tidy(text or "").strip()  # noqa: E731
    plain = {key: re.sub(r"[ _-]+", "_", clean(key).casefold()) for key in rows.fieldnames or () if key is not None}
    names = {
        key: name if COLUMNS.get(name) in plain.values() else COLUMNS.get(name, name) for key, name in plain.items()
    }
    return [{names[key]: clean(value) for key, value in row.items() if key is not None} for row in rows]


def read_roster(path: Path | None) -> dict[str, dict]:
    """Return names and addresses by `student_id` from a CSV with nbgrader's column names.

    Raises:
        ValueError: if the file has no column `student_id`, or names a learner twice.
    """
    if path is None:
        return {}
    rows = read_table(path)
    if rows and "student_id" not in rows[0]:
        raise ValueError(f"{path} must have a column student_id, has {list(rows[0])}")
    ids = Counter(row["student_id"] for row in rows if row["student_id"])
    if twice := [id for id, count in ids.items() if count > 1]:
        raise ValueError(f"{path} must name each student_id once, names twice {twice[:5]}")
    return {row["student_id"]: row for row in rows if row["student_id"]}


def read_mapping(path: Path | None) -> dict[str, str]:
    """Return whose each submission is, from a CSV with the columns `submission` and `student_id`.

    Raises:
        ValueError: if the file has other columns.
    """
    if path is None:
        return {}
    rows = read_table(path)
    if rows and not {"submission", "student_id"} <= set(rows[0]):
        raise ValueError(f"{path} must have the columns submission and student_id, has {list(rows[0])}")
    return {row["submission"]: row["student_id"] for row in rows}
