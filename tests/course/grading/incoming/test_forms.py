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
    assert [(f.name, f.modified) for f in nbgrader(nbgraders("anna", "bert"), Directory())] == [
        ("anna/02/02.ipynb", NOON), ("bert/02/02.ipynb", NOON)]  # fmt: skip


@pytest.mark.parametrize("other", ["bert/02/02.ipynb", "bert/02.ipynb", "bert.ipynb"])
def test_a_stamp_that_not_everybody_has_is_a_learners_own_and_is_not_used(other):
    directory, files = Directory(), [*nbgraders("anna"), file(other)]
    assert nbgrader(files, directory) == files
    assert directory.remarks == ["1 files called timestamp.txt are not used, since not everybody has one"]


CLAIM = b"submission_1:\n  :submitters:\n  - :name: Anna\n    :sid: s1\n  :created_at: 2026-11-30 12:00:00 Z\n"
METADATA = "submission_metadata.yml"


@pytest.mark.parametrize("eve", ["eve", "Eve Evil_7_assignsubmission_file_", "submission_7", "assignment_1_export"])
def test_metadata_of_a_learners_own_say_nothing_of_anybody(eve):
    others = [file("anna/02.ipynb"), file("bert.ipynb")]
    mine = [file(f"{eve}/{METADATA}", CLAIM), file(f"{eve}/submission_1/02.ipynb")]
    for files in ([*others, *mine], [*mine, *others]):
        assert gradescope(files, Directory()) == (files, {})


def test_a_learner_alone_cannot_speak_for_another_either():
    files = [file(f"eve/{METADATA}", CLAIM), file("eve/submission_1/02.ipynb")]
    assert gradescope(files, Directory()) == (files, {})


@pytest.mark.parametrize("top", ["", "assignment_9_export/"])
def test_metadata_of_a_learners_own_in_an_export_change_nothing(top):
    files = [file(f"{top}{METADATA}", CLAIM), file(f"{top}submission_1/02.ipynb"),
             file(f"{top}submission_1/{METADATA}", b"submission_1:\n  :submitters:\n  - :sid: s9\n")]  # fmt: skip
    found, people = gradescope(files, Directory())
    assert [one.name for one in found] == ["submission_1/02.ipynb", f"submission_1/{METADATA}"]
    assert [person.id for person in people["submission_1"]] == ["s1"]


def test_a_learners_metadata_do_not_keep_the_class_in_one_folder():
    files = [file("class/anna/02.ipynb"), file(f"class/eve/{METADATA}"), file(f"class/eve/x/{METADATA}")]
    assert [one.parts[0] for one in without_wrapper(files, Directory())] == ["anna", "eve", "eve"]


def test_a_folder_around_all_others_is_taken_off_and_said():
    directory = Directory()
    files = without_wrapper([file("class/anna/02.ipynb"), file("class/bert/02.ipynb")], directory)
    assert [owner(one).id for one in files] == ["anna", "bert"]
    assert len(directory.remarks) == 1
