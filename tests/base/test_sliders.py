"""The explorers' frame: what follows a slider, what it says in words, and that names are made safe for a page."""

import numpy as np
import pytest

from wwlib.base.sliders import amount, choice, explorer_frame, png_bytes

pytest.importorskip("ipywidgets")


@pytest.fixture
def frame():
    expert, strength = choice("expert", 2), amount("strength", 0.5, span=2.0)

    def shade():
        return np.full((4, 8, 3), 10 * expert.value + int(strength.value), np.uint8)

    widget = explorer_frame(
        (expert, strength),
        lambda: png_bytes(shade()),
        lambda: ("given", f"by <{expert.value}>"),
        lambda: f"expert {expert.value} & more",
        100,
    )
    return widget, expert, strength


def test_everything_follows_the_sliders(frame):
    widget, expert, strength = frame
    said, titles, picture = widget.children[1].children
    expert.value, strength.value = 2, -1.5
    assert picture.value == png_bytes(np.full((4, 8, 3), 19, np.uint8))
    assert said.value == "expert 2 &amp; more"
    assert "<div>given</div><div>by &lt;2&gt;</div>" in titles.value
    assert 'data-alt="From the left: given, by &lt;2&gt;. expert 2 &amp; more"' in titles.value
    assert titles.value.count("<") == 6  # no tag but the three divs


def test_sliders_are_wide_enough_for_a_hand_and_narrow_enough_for_a_window(frame):
    widget, *sliders = frame
    column, view = widget.children[:2]
    assert [slider.layout.width for slider in sliders] == ["auto"] * 2  # as wide as their column
    assert (column.layout.flex, column.layout.max_width) == ("1 1 360px", "min(480px, 100%)")
    picture = view.children[-1]
    assert (picture.layout.width, picture.layout.max_width) == ("200px", "100%")
