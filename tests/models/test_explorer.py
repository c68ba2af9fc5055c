"""The explorer where there are no sliders: the sheet is always there, and one line in place of a widget's inside."""

import importlib.util
import sys

import pytest
import torch

from wwlib.base import viz
from wwlib.base.seeds import drawn_from
from wwlib.base.viz import NO_SLIDERS, Picture
from wwlib.models.explorer import explore
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
    sheet = explore(generator, torch.zeros(2), steps=3, side=16)
    assert isinstance(sheet, Picture)
    ((bundle, options),) = shown
    assert options == {"raw": True}
    assert bundle["text/plain"] == f"[{NO_SLIDERS}]"
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert set(view) == {"version_major", "version_minor", "model_id"}


def test_without_ipywidgets_the_sheet_is_shown_and_a_line_says_what_to_install(shown, generator, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    found = importlib.util.find_spec
    monkeypatch.setattr(viz.importlib.util, "find_spec", lambda name: None if name == "ipywidgets" else found(name))
    sheet = explore(generator, torch.zeros(2), steps=3, side=16)
    assert isinstance(sheet, Picture)
    assert capsys.readouterr().out == f"[{NO_SLIDERS} (pip install ipywidgets)]\n"
    assert shown == []


def test_headless_there_is_the_sheet_alone(shown, generator, monkeypatch):
    monkeypatch.setenv("WW_HEADLESS", "1")
    assert isinstance(explore(generator, torch.zeros(2), steps=3, side=16), Picture)
    assert shown == []


def test_a_sheet_with_a_caption_says_its_codes_and_their_values(generator):
    sheet = traversal_sheet(generator, torch.zeros(2), names=("floor", "wall"), steps=3, caption="Two codes.")
    assert sheet.alt == "Two codes. Rows: 1  wall, 0  floor. Columns: -2.0, +0.0, +2.0, mask."
    with pytest.raises(ValueError, match="alt must say"):
        traversal_sheet(generator, torch.zeros(2))
