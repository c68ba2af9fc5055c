"""A roster and a mapping, as spreadsheets and Moodle write them."""

import pytest

from wwlib.course.grading.incoming.roster import read_mapping, read_roster

HEADINGS = ("student_id,last_name,first_name,email", "Student_ID,Last_Name,First_Name,Email",
            "Student ID,Last name,First name,E-mail", "ID number,Surname,First name,Email address")  # fmt: skip


@pytest.mark.parametrize("headings", HEADINGS)
def test_headings_are_known_in_every_usual_spelling(headings, tmp_path):
    (tmp_path / "roster.csv").write_text(f"{headings}\ns1,Abel,Anna,anna@example.org\n")
    row = dict(student_id="s1", last_name="Abel", first_name="Anna", email="anna@example.org")
    assert read_roster(tmp_path / "roster.csv") == {"s1": row}


def test_a_column_with_its_own_name_goes_before_another_ones(tmp_path):
    (tmp_path / "roster.csv").write_text("student_id,ID number\ns1,77\n")
    assert read_roster(tmp_path / "roster.csv") == {"s1": {"student_id": "s1", "id_number": "77"}}


def test_a_mapping_is_read_in_any_case(tmp_path):
    (tmp_path / "mapping.csv").write_text("Submission;Student ID\n77;s2\n")
    assert read_mapping(tmp_path / "mapping.csv") == {"77": "s2"}


def test_a_file_that_is_not_there_is_a_wrong_option(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        read_roster(tmp_path / "none.csv")
