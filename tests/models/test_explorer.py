"""The explorer: its sliders draw what they say, and where there are none, the sheet is there with a line of words."""

import importlib.util
import sys

import pytest
import torch

from wwlib.base import sliders
from wwlib.base.seeds import drawn_from
from wwlib.base.sliders import NO_SLIDERS
from wwlib.base.viz import Picture
from wwlib.models.explorer import by_length, calmest, colourfulness, drawing, explore, explorer_widget, on_sliders
from wwlib.models.networks import Generator
from wwlib.models.traversals import traversal_sheet


@pytest.fixture
def shown(monkeypatch):
    """What is displayed while somebody watches."""
    monkeypatch.setenv("WW_HEADLESS", "0")
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda content, **options: bundles.append((content, options)))
    return bundles


@pytest.fixture
def generator():
    with drawn_from(0):
        return Generator(("Const-8", "C_spgroup-1-1", "ResConv-up-1", "C_spgroup-1-1"), {8: 8}).eval()


def test_a_front_end_without_widgets_reads_a_line_and_not_their_inside(shown, generator):
    pytest.importorskip("ipywidgets")
    sheet = explore(generator, torch.zeros(2), side=16)
    assert isinstance(sheet, Picture)
    ((bundle, options),) = shown
    assert options == {"raw": True}
    assert bundle["text/plain"] == f"[{NO_SLIDERS}]"
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert set(view) == {"version_major", "version_minor", "model_id"}


def test_without_ipywidgets_the_sheet_is_shown_and_a_line_says_what_to_install(shown, generator, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    found = importlib.util.find_spec
    monkeypatch.setattr(sliders.importlib.util, "find_spec", lambda name: None if name == "ipywidgets" else found(name))
    sheet = explore(generator, torch.zeros(2), side=16)
    assert isinstance(sheet, Picture)
    assert capsys.readouterr().out == f"[{NO_SLIDERS} (pip install ipywidgets)]\n"
    assert shown == []


def test_headless_there_is_the_sheet_alone(shown, generator, monkeypatch):
    monkeypatch.setenv("WW_HEADLESS", "1")
    assert isinstance(explore(generator, torch.zeros(2), side=16), Picture)
    assert shown == []


def test_a_sheet_with_a_caption_says_its_codes_and_their_values(generator):
    sheet = traversal_sheet(generator, torch.zeros(2), names=("floor", "wall"), steps=3, caption="Two codes.")
    assert sheet.alt == "Two codes. Rows: 1  wall, 0  floor. Columns: -2.0, +0.0, +2.0, mask."
    with pytest.raises(ValueError, match="alt must say"):
        traversal_sheet(generator, torch.zeros(2))


def parts(widget):
    """The sliders of an explorer by their names, its button, what it says, the titles, and the picture."""
    column, view = widget.children[:2]
    *moved, button = column.children
    return {slider.description: slider for slider in moved}, button, *view.children


def test_several_codes_move_at_once_and_the_mask_is_that_of_the_last(generator):
    pytest.importorskip("ipywidgets")
    base = torch.tensor([0.5, -1.0])
    by_name, button, said, over, picture = parts(explorer_widget(generator, base, side=16))
    assert sorted(by_name) == ["code 0", "code 1"]
    assert said.value == "No code is moved."
    by_name["code 1"].value = 2.0
    by_name["code 0"].value = -1.5
    assert picture.value == drawing(generator, torch.tensor([-1.5, 2.0]), 0, 16)
    assert "mask of code 0" in over.value
    assert "code 0 to -1.5" in said.value
    assert "code 1 to +2.0" in said.value
    by_name["code 1"].value = 1.0
    assert picture.value == drawing(generator, torch.tensor([-1.5, 1.0]), 1, 16)
    assert "mask of code 1" in over.value
    button.click()
    assert [by_name[f"code {k}"].value for k in (0, 1)] == [0.5, -1.0]
    assert said.value == "No code is moved."


def test_the_longest_row_stands_first_and_its_mask_is_shown(generator):
    pytest.importorskip("ipywidgets")
    with torch.no_grad():
        generator.blocks[0].style_weight.zero_()  # code 0 restyles nothing
    order, asleep = by_length(generator, torch.zeros(2))
    assert (order, asleep) == ([1, 0], [True, False])
    by_name, _, _, over, picture = parts(explorer_widget(generator, torch.zeros(2), names=("a", "b"), side=16))
    assert list(by_name) == ["code 1: b", "code 0: a (asleep)"]
    assert "mask of code 1: b" in over.value
    assert picture.value == drawing(generator, torch.zeros(2), 1, 16)


def test_a_base_stands_where_sliders_can_stand(generator):
    assert on_sliders(torch.tensor([0.34, -3.2, 1.96])).tolist() == pytest.approx([0.3, -2.0, 2.0])


def test_grey_is_the_calmest(generator):
    grey, red = torch.zeros(1, 3, 4, 4), torch.stack([torch.ones(4, 4), -torch.ones(4, 4), -torch.ones(4, 4)])[None]
    halves = torch.cat([red[..., :2], -red[..., 2:]], dim=-1)
    calm, one_colour, two_colours = colourfulness(torch.cat([grey, red, halves])).tolist()
    assert calm == 0
    assert 0 < one_colour < two_colours
    candidates = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    images = generator(on_sliders(candidates), []).clamp(-1, 1)
    assert torch.equal(calmest(generator, candidates), on_sliders(candidates)[colourfulness(images).argmin()])


def test_a_rounding_error_from_the_page_moves_no_code(generator):
    pytest.importorskip("ipywidgets")
    by_name, _, said, over, _ = parts(explorer_widget(generator, torch.zeros(2), side=16))
    first, other = by_name
    by_name[other].value = 1e-9
    assert f"mask of {first}" in over.value
    assert said.value == "No code is moved."
