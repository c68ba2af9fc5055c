"""The course as a learner has it: JupyterLab in a real browser, its buttons, sliders, colours and narrow windows.

`WW_BROWSER=all` runs every lesson this way. The pictures of what was seen are in `artefacts/browser/`.
"""

import base64
import io
import os
import statistics
import time
from dataclasses import dataclass

import pytest
import torch
from PIL import Image

from tests.browser.lab import ARTEFACTS, chromium, chromium_path, copy_without_outputs, lab_server, open_notebook
from tests.browser.sliders import Explorer, nearest
from wwlib.course.answers import questions
from wwlib.course.exercise import digest
from wwlib.course.judgement import GREEN, GREY, RED
from wwlib.course.lessons.notebooks import choose_lessons
from wwlib.models.explorer import by_length, calmest, drawing
from wwlib.models.networks import Generator
from wwlib.models.shipped import FLAGSHIP, load_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="needs Debian's or Ubuntu's package `chromium`"),
]

ALL = os.environ.get("WW_BROWSER") == "all"
FIRST, *OTHERS = choose_lessons() if ALL else choose_lessons(["00", "02"])
EXPLORE = "explore(model.generator, base)"
PLACES = ("first", "second")  # of sliders, from the top

# The contrast (WCAG 2.1) of every piece of text in a cell's outputs, and of a result's border, to what is behind it.
CONTRASTS = """cell => {
    const rgba = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n }
    const over = (top, low) => [0, 1, 2].map(i => top[i] * top[3] + low[i] * (1 - top[3]))
    const behind = e => {
        if (!e) return [255, 255, 255]
        const colour = rgba(getComputedStyle(e).backgroundColor)
        return colour[3] === 1 ? colour : over(colour, behind(e.parentElement))
    }
    const light = colour => {
        const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05)
    const found = [], borders = []
    for (const output of cell.querySelectorAll('.jp-OutputArea-output')) {
        const texts = document.createTreeWalker(output, NodeFilter.SHOW_TEXT)
        while (texts.nextNode()) {
            const e = texts.currentNode.parentElement
            if (!texts.currentNode.data.trim() || !e.getClientRects().length) continue
            const colour = over(rgba(getComputedStyle(e).color), behind(e))
            found.push([texts.currentNode.data.trim(), ratio(colour, behind(e))])
        }
        for (const e of output.querySelectorAll('[role=status]'))
            borders.push(ratio(rgba(getComputedStyle(e).borderLeftColor).slice(0, 3), behind(e)))
    }
    return {texts: found, borders}
}"""

# What reaches beyond a cell's output area to the right where nothing can be scrolled to show it.
CROPPED = """cell => {
    const cropped = []
    for (const area of cell.querySelectorAll('.jp-OutputArea')) {
        const edge = Math.min(area.getBoundingClientRect().right, innerWidth) + 1
        for (const e of area.querySelectorAll('.jp-OutputArea-output *')) {
            const box = e.getBoundingClientRect()
            if (!box.width || box.right <= edge || getComputedStyle(e).visibility === 'hidden') continue
            let parent = e.parentElement
            while (parent !== area && !['auto', 'scroll'].includes(getComputedStyle(parent).overflowX))
                parent = parent.parentElement
            if (parent === area) cropped.push(`${e.tagName}.${e.className}: ${box.right} beyond ${edge}`)
        }
    }
    return cropped
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A browser and the address of a server that serves lessons nobody has run."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for lesson in (FIRST, *OTHERS):
        copy_without_outputs(lesson, folder / "notebooks")
    with lab_server(folder, limit=3600 if ALL else 1500) as address, chromium() as browser:
        yield browser, address


@pytest.fixture(scope="module")
def start(lab):
    """Lesson 00, opened and run."""
    lesson = open_notebook(*lab, FIRST.name)
    lesson.run_all()
    yield lesson
    lesson.close()


@dataclass(frozen=True)
class Drawn:
    """What the first explorer of lesson 00 should show: its generator, where sliders begin, codes from the top."""

    generator: Generator
    base: torch.Tensor
    order: list[int]

    def row(self, place, **others):
        """Every picture of the slider at a place from the top, while those at other places have moved to a value."""
        code, rows = self.order[place], self.base.repeat(41, 1)
        for other, value in others.items():
            rows[:, self.order[PLACES.index(other)]] = value
        rows[:, code] = torch.linspace(-2, 2, 41)
        return [drawing(self.generator, codes, code, 192) for codes in rows]


@pytest.fixture(scope="module")
def drawn():
    model = load_model(FLAGSHIP)
    base = calmest(model.generator, model.sample_codes(64, 0))
    return Drawn(model.generator, base, by_length(model.generator, base)[0])


@pytest.fixture(scope="module")
def timed(start):
    """That explorer, its first picture watched."""
    explorer = Explorer(start.page, start.cell(start.find(EXPLORE)))
    explorer.watch()
    return explorer


@pytest.fixture
def explorer(start, timed):
    """That explorer, in sight."""
    start.cell(start.find(EXPLORE))
    return timed


def assert_ran(lesson):
    for number, cell in enumerate(lesson.cells()):
        errors = [output["ename"] for output in cell["outputs"] if output["output_type"] == "error"]
        assert not errors, f"code cell {number}: {errors}"
        assert cell["count"] == number + 1


def with_outputs(lesson):
    """Give the number of every cell that shows something, after scrolling to it."""
    page = lesson.page
    numbers = page.evaluate(
        """() => [...jupyterapp.shell.currentWidget.content.model.cells].map((c, n) => [c, n])
            .filter(([c]) => c.type === 'code' && c.outputs.length).map(([, n]) => n)"""
    )
    assert len(numbers) > 10
    return numbers


def hexadecimal(colour):
    """Turn "rgb(1, 2, 3)" into "#010203"."""
    return "#" + "".join(f"{int(part):02x}" for part in colour.strip("rgb()").split(","))


def test_lesson_00_runs(start):
    assert_ran(start)


@pytest.mark.parametrize("lesson", OTHERS, ids=lambda file: file.stem)
def test_a_lesson_runs(lab, lesson):
    opened = open_notebook(*lab, lesson.name)
    opened.run_all()
    assert_ran(opened)
    opened.picture(f"{lesson.stem}-end")
    opened.close()


def test_sliders_show_the_right_drawing_by_keyboard_and_by_mouse(start, explorer, drawn):
    first, second, delays = explorer.slider(0), explorer.slider(1), []
    row = drawn.row(0)

    def shows(step, row=row):
        deadline = time.monotonic() + 5  # an earlier move may still be on its way
        while nearest(row, explorer.pixels()) != step and time.monotonic() < deadline:
            start.page.wait_for_timeout(50)
        assert nearest(row, explorer.pixels()) == step

    shows(round((drawn.base[drawn.order[0]].item() + 2) * 10))
    explorer.follow(first.press, "Home")
    for key, step in (("ArrowRight", 1), ("ArrowUp", 2), ("ArrowLeft", 1), ("End", 40), ("Home", 0), ("ArrowRight", 1)):
        delays.append(explorer.follow(first.press, key))
        shows(step)
    start.picture("explorer-keyboard")
    first.grab()
    for step in (15, 33, 9):
        delays.append(explorer.follow(first.drag, step))
        shows(step)
    start.page.mouse.up()
    delays.append(explorer.follow(first.click, 28))
    shows(28)
    delays.append(explorer.follow(second.click, 5))
    shows(5, drawn.row(1, first=0.8))
    start.picture("explorer-mouse")
    # The goal is 150 ms; where more processes than cores want to run, each gets its share.
    assert statistics.median(delays) < 150 * max(1, os.getloadavg()[0] / os.cpu_count())


def test_a_typed_value_moves_the_picture(explorer, drawn, eventually):
    """The pictures of the moves before it may still be under way when the value is typed."""
    explorer.slider(1).type("-1.5")
    explorer.slider(0).press("Home")
    explorer.slider(0).type("1.9")
    eventually(lambda: nearest(drawn.row(0, second=-1.5), explorer.pixels()) == 39, seconds=30)


def test_handles_have_names_and_the_picture_words_that_follow(explorer, drawn, eventually):
    handles = explorer.cell.locator("[role=slider]")
    names = handles.evaluate_all("all => all.map(handle => handle.getAttribute('aria-label'))")
    assert [name.removesuffix(" (asleep)") for name in names] == [f"code {k}" for k in drawn.order]
    explorer.slider(2).press("End")
    code = drawn.order[2]
    eventually(lambda: f"mask of code {code}" in explorer.image.get_attribute("alt"), seconds=30)
    assert f"code {code} to +2.0" in explorer.image.get_attribute("alt")
    explorer.cell.get_by_role("button", name="back to the start").click()
    eventually(lambda: "No code is moved." in explorer.image.get_attribute("alt"), seconds=30)


def test_sliders_have_room_for_a_hand_and_stand_beside_the_picture(explorer):
    track = explorer.slider(0).frame.locator(".noUi-base").bounding_box()
    assert track["width"] >= 180
    image = explorer.image.bounding_box()
    assert image["x"] > track["x"] + track["width"]
    assert image["y"] < track["y"] + 100


def test_tab_reaches_the_sliders_and_focus_is_seen(start, explorer):
    page = start.page
    look = "e => { const s = getComputedStyle(e); return [s.outline, s.boxShadow, s.borderColor].join() }"
    explorer.cell.locator(".cm-content").click()
    page.keyboard.press("Escape")
    unfocused = explorer.slider(1).handle.evaluate(look)
    for slider in (explorer.slider(0), explorer.slider(1)):
        for _ in range(12):
            page.keyboard.press("Tab")
            if slider.handle.evaluate("e => e === document.activeElement"):
                break
        else:
            pytest.fail("Tab does not reach the slider")
        page.wait_for_timeout(300)  # colours fade in
        assert slider.handle.evaluate(look) != unfocused
        value = slider.handle.get_attribute("aria-valuenow")
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(300)
        assert slider.handle.get_attribute("aria-valuenow") != value
    assert page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex") == start.find(EXPLORE)


def test_a_hint_opens_by_keyboard(start):
    cell = start.cell(start.find("<summary>Hint 1"))
    cell.locator("summary").first.focus()
    start.page.keyboard.press("Enter")
    assert cell.locator("details").first.get_attribute("open") is not None


def choice(question, right):
    """Return the right choice of a question, or a wrong one."""
    return next(c for c in "abcd" if (digest(question, c) == questions()[question].digest) == right)


CHECK = "from wwlib.course.answers import exercises\ncheck('{}', {})"


@pytest.mark.parametrize(
    ("place", "source", "text", "colour"),
    [
        ('quiz("00.b"', 'quiz("00.b", "")', "put your choice between the quotes", GREY),
        ('check("00.1"', CHECK.format("00.1", "lambda frames: frames.mean()"), "not yet", RED),
        ('check("00.2"', CHECK.format("00.2", "exercises()['00.2'].reference"), "right", GREEN),
        ('quiz("00.c"', f'quiz("00.c", "{choice("00.c", False)}")', "think again", RED),
        ('quiz("00.a"', f'quiz("00.a", "{choice("00.a", True)}")', questions()["00.a"].explanation, GREEN),
    ],
    ids=["quiz-undecided", "check-wrong", "check-right", "quiz-wrong", "quiz-right"],
)
def test_an_answer_gets_its_colour(start, place, source, text, colour):
    shown = start.answer(start.find(place), source).locator("[role=status]")
    shown.wait_for()
    assert text in shown.inner_text()
    assert hexadecimal(shown.evaluate("e => getComputedStyle(e).borderLeftColor")) == colour
    start.picture(f"answer-{place[:4]}-{text.split()[0].lower()}")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_outputs_are_readable(start, theme):
    """Text has a contrast of at least 4.5 to what is behind it, the coloured border 3; pictures have a ground."""
    start.theme(theme)
    for number in with_outputs(start):
        found = start.cell(number).evaluate(CONTRASTS)
        poor = [(text, ratio) for text, ratio in found["texts"] if ratio < 4.5]
        assert not poor, f"cell {number}: {poor}"
        assert all(ratio >= 3 for ratio in found["borders"]), f"cell {number}"
    for name, place in (("explorer", EXPLORE), ("answers", "check('00.1'"), ("table", "PROFILES.items()")):
        start.cell(start.find(place))
        start.picture(f"{theme.split()[1].lower()}-{name}")


def test_pictures_bring_their_own_ground(start):
    for cell in start.cells():
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
                assert "A" not in picture.getbands()
                assert "transparency" not in picture.info


@pytest.mark.parametrize("width", [700, 480])
def test_a_narrow_window_crops_nothing(start, width):
    page = start.page
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    page.set_viewport_size(dict(width=width, height=1000))
    try:
        for number in with_outputs(start):
            assert not start.cell(number).evaluate(CROPPED), f"cell {number}"
        for name, place in (("explorer", EXPLORE), ("answers", "check('00.1'"), ("table", "PROFILES.items()")):
            start.cell(start.find(place))
            start.picture(f"{width}px-{name}")
    finally:
        page.set_viewport_size(dict(width=1250, height=1000))
        page.evaluate("() => jupyterapp.shell.expandLeft()")
