"""Who handed in what, and what is said of it."""

import io
import zipfile

from wwlib.course.grading.incoming.people import Directory
from wwlib.course.grading.incoming.reading import Reading
from wwlib.course.grading.incoming.submissions import Submission, find, name_other_lessons


def of(learner, lesson):
    return Submission(learner, f"{learner}.ipynb", reading=Reading(lesson=lesson))


def test_who_handed_in_another_lesson_than_is_graded_is_not_graded_and_named():
    both, other = [of("anna", "02"), of("anna", "07")], of("bert", "07")
    name_other_lessons([*both, other], "02", {"anna"}, remarks := [])
    assert other.problem == "it is a notebook of lesson 07, and only lesson 02 is graded"
    assert [one.problem for one in both] == ["", ""]
    assert remarks == []


def test_who_handed_in_another_lesson_than_most_is_named():
    name_other_lessons([of("anna", "02"), of("bert", "07"), of("carl", "02")], "", set(), remarks := [])
    assert remarks == ["handed in another lesson than 02, as most did: bert"]
    name_other_lessons([of("anna", "02"), of("bert", "07")], "", set(), remarks := [])
    assert remarks == []


def test_a_zip_in_a_zip_is_told_to_the_instructor(tmp_path):
    inner = io.BytesIO()
    zipfile.ZipFile(inner, "w").close()
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        archive.writestr("02.ipynb", "{}")
        archive.writestr("inner.zip", inner.getvalue())
    (tmp_path / "bert.zip").write_bytes(b"PK\x03\x04 no more")
    directory = Directory()
    find(tmp_path, directory)
    assert directory.remarks == ["anna.zip/inner.zip is a zip in a zip and was not opened"]
