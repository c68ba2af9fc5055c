"""What `make lab` opens: lesson 00, and no buttons for graders, which would praise a lesson that nobody has touched."""

import shutil

import pytest

from tests.browser.lab import ARTEFACTS, TOKEN, Lesson, chromium, chromium_path, copy_without_outputs, lab_server, ready
from wwlib.course.lessons.notebooks import choose_lessons

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="needs Debian's or Ubuntu's package `chromium`"),
    pytest.mark.skipif(shutil.which("make") is None, reason="needs make"),
]


def graders_parts(page):
    """What JupyterLab has loaded of nbgrader, and where it shows."""
    plugins = [name for name in page.evaluate("() => jupyterapp.listPlugins()") if "nbgrader" in name]
    shown = page.get_by_text("Validate", exact=True).or_(page.get_by_text("Nbgrader", exact=True))
    return plugins, shown.all_inner_texts()


@pytest.mark.parametrize("make", [True, False], ids=["make-lab", "jupyter-lab"])
def test_a_learner_sees_lesson_00_and_no_buttons_for_graders(tmp_path, make):
    """Without what `make lab` adds, the same page has them: where they are looked for, they can be seen."""
    (lesson,) = choose_lessons(["00"])
    (tmp_path / "notebooks").mkdir()
    copy_without_outputs(lesson, tmp_path / "notebooks")
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with lab_server(tmp_path, make=make) as address, chromium() as browser:
        page = browser.new_page(viewport=dict(width=1250, height=900))
        page.set_default_timeout(90_000)
        page.goto(f"{address}/?token={TOKEN}" if make else f"{address}/lab/tree/{lesson.name}?token={TOKEN}")
        ready(page)
        assert page.url.endswith(f"/lab/tree/{lesson.name}")
        page.get_by_text("00 · Start here").first.wait_for()
        Lesson(page).picture(f"graders-{'absent' if make else 'present'}")
        plugins, shown = graders_parts(page)
    log = (tmp_path / "server.log").read_text()
    if make:
        assert (plugins, shown) == ([], [])
        assert "nbgrader" not in log
    else:
        assert "@jupyter/nbgrader:validate-assignment" in plugins
        assert sorted(shown) == ["Nbgrader", "Validate"]
        assert "nbgrader" in log


def test_the_users_own_settings_hold_as_well(tmp_path):
    """`make lab` adds a place where settings are looked for; it replaces none, and writes none."""
    own = tmp_path / "config" / "jupyter_server_config.json"
    own.parent.mkdir()
    own.write_text('{"ServerApp": {"custom_display_url": "http://their.own/address"}}')
    with lab_server(tmp_path, make=True):
        pass
    assert "http://their.own/address" in (tmp_path / "server.log").read_text()
    assert [path.name for path in own.parent.iterdir() if path.name != "migrated"] == [own.name]
