"""When something was handed in, as platforms write it."""

from datetime import UTC, datetime

import pytest

from wwlib.course.grading.incoming.files import File
from wwlib.course.grading.incoming.forms import gradescope, nbgrader, owner, stamp, without_wrapper
from wwlib.course.grading.incoming.people import Directory

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
RUBY = """!ruby/object:ActiveSupport::TimeWithZone
    utc: &1 2026-11-30 12:00:00.000000000 Z
    zone: &2 !ruby/object:ActiveSupport::TimeZone
      name: America/Los_Angeles
    time: 2026-11-30 04:00:00.000000000 Z"""


@pytest.mark.parametrize("text", ["2026-11-30 12:00:00 Z", "2026-11-30 12:00:00.5 UTC", "2026-11-30T12:00",
                                  "2026-11-30 04:00:00.5 -08:00", "2026-11-30 17:30:00 +0530",
                                  "2026-11-30 04:00:00.123456 America/Los_Angeles", RUBY])  # fmt: skip
def test_a_time_is_read_with_its_zone(text):
    assert stamp(text) == NOON


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-30 12:00:00 Z", "2026-11-30 12:00:00 Nowhere/Else", "2026-11-30"]
)
def test_what_is_no_time_is_none(text):
    assert stamp(text) is None


def file(path, text=b"{}"):
    return File(tuple(path.split("/")), len(text), 1.0, 1.0, lambda most: text[:most])


def exported(created_at):
    text = (
        f"---\nsubmission_1:\n  :submitters:\n  - :name: Anna\n    :sid: s1\n  :created_at: {created_at}\n  :score: 1\n"
    )
    directory = Directory()
    files = [file("submission_metadata.yml", text.encode()), file("submission_1/02.ipynb")]
    found, people = gradescope(files, directory)
    assert [person.id for person in people["submission_1"]] == ["s1"]
    return found[0].modified, directory.remarks


def test_gradescopes_times_are_read_in_each_form_and_what_cannot_be_read_is_said():
    assert exported(RUBY) == exported("2026-11-30 04:00:00 -08:00") == (NOON, [])
    when, remarks = exported("the day before")
    assert when == 0
    assert remarks == ["submission_1: no readable time in submission_metadata.yml, so never late"]


def nbgraders(*names, stamped=b"2026-11-30 12:00:00.000000 UTC"):
    files = [file(f"{name}/02/{part}", stamped) for name in names for part in ("timestamp.txt", "02.ipynb")]
    return files


def test_nbgraders_stamp_says_when():
    assert [(f.name, f.modified) for f in nbgrader(nbgraders("anna", "bert"))] == [
        ("anna/02/02.ipynb", NOON), ("bert/02/02.ipynb", NOON)]  # fmt: skip


def test_a_stamp_of_a_learners_own_says_nothing():
    files = [*nbgraders("anna"), file("bert/02/02.ipynb")]
    assert nbgrader(files) == files
    files = [*nbgraders("anna"), file("bert/02.ipynb")]
    assert nbgrader(files) == files


def test_a_folder_around_all_others_is_taken_off_and_said():
    directory = Directory()
    files = without_wrapper([file("class/anna/02.ipynb"), file("class/bert/02.ipynb")], directory)
    assert [owner(one).id for one in files] == ["anna", "bert"]
    assert len(directory.remarks) == 1
