"""Names in zips as other programs write them."""

import zipfile

from wwlib.course.grading.incoming.files import File, unzip


def listed(tmp_path, name, flagged):
    """The names in a learner's zip, with or without the bit that says UTF-8."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"{}")
    data = path.read_bytes()
    if not flagged:  # the flags stand in two bytes, 6 after the start of the member and 8 after that of its entry
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = data.index(mark) + place
            data = data[:at] + b"\0\0" + data[at + 2 :]
    zipped = File(("a.zip",), len(data), load=lambda most: data)
    return [(file.parts[-1], file.load(10)) for file in unzip(zipped)]


def test_a_name_in_utf_8_is_read_whether_the_zip_says_so_or_not(tmp_path):
    for name in ("Müller.ipynb", "小明.ipynb", "علی.ipynb", "plain.ipynb"):
        assert listed(tmp_path, name, True) == listed(tmp_path, name, False) == [(name, b"{}")]


def test_a_zip_with_too_much_in_it_is_refused_before_any_member_is_opened(tmp_path):
    for many, most in ((2_001, 1), (21, 10 * 2**20)):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(many):
                archive.writestr(f"{number}.md", b" " * most)
        data = (tmp_path / "a.zip").read_bytes()
        (refused,) = unzip(File(("a.zip",), len(data), load=lambda most, data=data: data))
        assert refused.problem.startswith(f"a zip with {many} files, ")


def test_an_old_name_stays_as_it_is(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("M_ller.ipynb", b"{}")
    data = path.read_bytes().replace(b"M_ller", b"M\x81ller")  # as DOS wrote an umlaut
    (file,) = unzip(File(("a.zip",), len(data), load=lambda most: data))
    assert file.parts[-1] == "Müller.ipynb"
