"""What learning platforms give out: each form's zip is read, and everybody gets their own row."""

import csv
import json
import os
import time
import zipfile
from datetime import UTC, datetime

import pytest

from tests.course.grading.kinds import PERFECT
from wwlib.__main__ import main
from wwlib.course.grading.gradebook import Lateness
from wwlib.course.grading.incoming.people import Directory
from wwlib.course.grading.incoming.roster import read_mapping, read_roster
from wwlib.course.grading.incoming.submissions import find

BYTES = json.dumps(PERFECT).encode()
ROSTER = (
    "student_id, last_name, first_name, email\ns1, Abel, Anna, anna@example.org\ns2, Müller, Jörg, jm@example.org\n"
)
MEMBERS = {
    "moodle": {
        "Anna Abel_123456_assignsubmission_file_/02.ipynb": BYTES,
        "Jörg Müller_123457_assignsubmission_file_/my work.ipynb": BYTES,
        "Jörg Müller_123457_assignsubmission_onlinetext_/onlinetext.html": b"<p>see file</p>",
    },
    "canvas": {
        "abelanna_12345_67890_02.ipynb": BYTES,
        "mullerjorg_LATE_12346_67891_02.ipynb": BYTES,
    },
    "gradescope": {
        "assignment_9_export/submission_metadata.yml": b"""---
submission_11:
  :submitters:
  - :name: Anna Abel
    :sid: s1
    :email: anna@example.org
  :created_at: 2026-11-30 12:00:00 Z
  :score: 0.0
submission_12:
  :submitters:
  - :name: Somebody Else
    :sid:
    :email: jm@example.org
  :created_at: 2026-12-02 12:00:00 Z
""",
        "assignment_9_export/submission_11/02.ipynb": BYTES,
        "assignment_9_export/submission_12/02.ipynb": BYTES,
    },
}


def zip_of(path, members, when=None):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            date = time.localtime((when or {}).get(name, 1_790_000_000))[:6]
            archive.writestr(zipfile.ZipInfo(name, date), data)
    return path


def roster_in(tmp_path, encoding="utf-8"):
    (tmp_path / "roster.csv").write_bytes(ROSTER.encode(encoding))
    return tmp_path / "roster.csv"


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("platform", MEMBERS)
def test_a_platforms_zip_is_graded_for_the_people_of_the_roster(platform, tmp_path):
    place = zip_of(tmp_path / "all.zip", MEMBERS[platform])
    assert main(["grade", str(place), "--out", str(tmp_path / "out"), "--roster", str(roster_in(tmp_path))]) == 0
    grades = rows(tmp_path / "out" / "grades.csv")
    found = {row["student_id"]: (row["last_name"], float(row["score"])) for row in grades}
    assert found == {"s1": ("Abel", 6), "s2": ("Müller", 6)}
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["not in the roster"] == record["handed in nothing"] == record["nobody's files"] == []


def notes(platform, tmp_path):
    directory = Directory(read_roster(roster_in(tmp_path)))
    found, _ = find(zip_of(tmp_path / "all.zip", MEMBERS[platform]), directory)
    return {s.learner: s.notes for s in found}


def test_canvas_mark_of_lateness_and_moodles_online_text_are_said(tmp_path):
    assert notes("canvas", tmp_path) == {"s1": [], "s2": ["marked LATE by Canvas"]}
    (said,) = notes("moodle", tmp_path)["s2"]
    assert "onlinetext.html is not a notebook: text written into the platform" in said


def test_gradescope_says_when_each_was_handed_in(tmp_path):
    found, _ = find(zip_of(tmp_path / "all.zip", MEMBERS["gradescope"]))
    when = {s.name.split("/")[0]: s.modified for s in found}
    assert when["submission_11"] == datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
    assert when["submission_12"] - when["submission_11"] == 2 * 86_400


@pytest.mark.parametrize("key", ["cdog_77_88_02.ipynb", "cdog_77", "77", "cdog"])
def test_a_mapping_names_whom_no_roster_knows(key, tmp_path):
    (tmp_path / "mapping.csv").write_text(f"submission;student_id\n{key};s2\n")
    directory = Directory(read_roster(roster_in(tmp_path)), read_mapping(tmp_path / "mapping.csv"))
    found, _ = find(zip_of(tmp_path / "all.zip", {"cdog_77_88_02.ipynb": BYTES}), directory)
    assert [s.learner for s in found] == ["s2"]


def test_the_command_takes_a_mapping_and_lists_who_is_a_stranger_or_missing(tmp_path, capsys):
    place = zip_of(tmp_path / "all.zip", {"cdog_77_88_02.ipynb": BYTES, "guest_78_89_02.ipynb": BYTES})
    (tmp_path / "mapping.csv").write_text("submission,student_id\n77,s2\n")
    arguments = ["--roster", str(roster_in(tmp_path)), "--mapping", str(tmp_path / "mapping.csv")]
    assert main(["grade", str(place), "--out", str(tmp_path / "out"), *arguments]) == 0
    assert sorted(row["student_id"] for row in rows(tmp_path / "out" / "grades.csv")) == ["guest_78", "s2"]
    said = capsys.readouterr().out
    assert "not in the roster: guest_78\n" in said
    assert "handed in nothing: s1\n" in said


def test_two_files_of_one_person_are_one_persons(tmp_path):
    directory = Directory(read_roster(roster_in(tmp_path)))
    members = {"abelanna_5_1_02.ipynb": BYTES, "abelanna_LATE_5_2_02.ipynb": BYTES}
    found, _ = find(zip_of(tmp_path / "all.zip", members), directory)
    assert [(s.learner, s.notes) for s in found] == [("s1", []), ("s1", ["marked LATE by Canvas"])]
    assert directory.remarks == []


def test_two_people_under_one_name_are_never_one(tmp_path):
    directory = Directory(read_roster(roster_in(tmp_path)))
    members = {f"abelanna_{number}_1_02.ipynb": BYTES for number in (5, 6)}
    found, _ = find(zip_of(tmp_path / "all.zip", members), directory)
    assert sorted(s.learner for s in found) == ["abelanna_5", "abelanna_6"]
    assert "use --mapping" in directory.remarks[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_roster_is_read_as_spreadsheets_save_it(encoding, tmp_path):
    roster = read_roster(roster_in(tmp_path, encoding))
    assert list(roster) == ["s1", "s2"]
    assert (roster["s2"]["last_name"], roster["s2"]["first_name"]) == ("Müller", "Jörg")


def test_each_member_of_a_zip_is_late_by_its_own_time_not_by_the_zips(tmp_path):
    due = datetime.fromtimestamp(1_790_000_000)
    early, late = (f"{name}_1_assignsubmission_file_/02.ipynb" for name in ("Early Bird", "Late Owl"))
    place = zip_of(tmp_path / "all.zip", {early: BYTES, late: BYTES},
                   {early: due.timestamp() - 600, late: due.timestamp() + 90_000})  # fmt: skip
    os.utime(place, (due.timestamp() + 10**6,) * 2)
    lost = {s.learner: Lateness(due, 0.1).lost(6, s.modified) for s in find(place)[0]}
    assert lost == {"Early Bird_1": 0, "Late Owl_1": pytest.approx(1.2)}


def test_of_two_attempts_in_one_learners_zip_the_one_saved_last_counts_and_the_zip_says_when(tmp_path):
    (tmp_path / "in").mkdir()
    place = zip_of(tmp_path / "in" / "anna.zip", {"a.ipynb": BYTES, "b.ipynb": BYTES},
                   {"a.ipynb": 1_790_000_600, "b.ipynb": 1_790_000_000})  # fmt: skip
    os.utime(place, (1_795_000_000,) * 2)
    found, _ = find(tmp_path / "in")
    assert {s.modified for s in found} == {1_795_000_000}
    assert max(found, key=lambda s: s.saved).name == "anna.zip/a.ipynb"


@pytest.mark.parametrize(
    "entry", ["mullerjorg_12346_text.html", "mullerjorg_LATE_12346_text.html", "mullerjorg_12346_link.html"]
)
def test_text_written_into_canvas_is_its_authors(entry, tmp_path):
    directory = Directory(read_roster(roster_in(tmp_path)))
    found, _ = find(
        zip_of(tmp_path / "all.zip", {entry: b"<p>done</p>", "mullerjorg_12346_7_02.ipynb": BYTES}), directory
    )
    assert {s.learner for s in found} == {"s2"}


def test_a_groups_name_in_front_is_said_and_nobody_is_mapped_by_a_guess(tmp_path):
    directory = Directory(read_roster(roster_in(tmp_path)))
    members = {f"{name}_9_assignsubmission_file_/02.ipynb": BYTES for name in ("Group A-Anna Abel", "Lea-Jörg Unknown")}
    found, _ = find(zip_of(tmp_path / "all.zip", members), directory)
    assert sorted(s.learner for s in found) == ["Group A-Anna Abel_9", "Lea-Jörg Unknown_9"]
    assert directory.remarks == ["Group A-Anna Abel_9: perhaps s1 behind a group's name; use --mapping"]
