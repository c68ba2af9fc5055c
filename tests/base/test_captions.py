"""Captions: they stand below the picture, inside its width, and take the place of an alt text with every label."""

import io

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from wwlib.base import viz
from wwlib.base.captions import alternative, course, write_below


def size(picture):
    return Image.open(io.BytesIO(picture.data)).size


def test_an_alt_text_is_kept_and_a_caption_takes_its_place_with_the_labels():
    assert alternative("two squares", "Squares.", Rows=("a", "b")) == "two squares"
    assert alternative("", "Squares.", Rows=("a", "b\nc"), Columns=()) == "Squares. Rows: a, b c."
    assert alternative("", "Squares.", Panels=("", "")) == "Squares."
    assert alternative("", "Squares.", Rows=("a", "", "b")) == "Squares. Rows: a, b."
    with pytest.raises(ValueError, match="alt must say"):
        alternative(" ", "")


def test_a_line_is_read_as_its_name_its_ends_and_what_lies_beyond_them():
    assert course("loss", torch.tensor([2.0, 1.0, 0.25])) == "loss from 2 to 0.25"
    assert course("steps", range(3)) == "steps from 0 to 2"
    assert course("window", [1e-9, 1.0, -1e-8]) == "window from 0 to 0, at most 1"
    assert course("wave", [0.0, 1.0, -2.0, 0.5]) == "wave from 0 to 0.5, at most 1, at least -2"


def test_a_grid_with_a_caption_is_higher_no_wider_and_says_its_labels():
    images = torch.zeros(2, 3, 3, 8, 8)
    labels = dict(row_labels=("above", "below"), column_labels=("x", "y", "z"))
    plain, told = viz.grid(images, "six squares", **labels), viz.grid(images, caption="Six squares.", **labels)
    assert told.alt == "Six squares. Rows: above, below. Columns: x, y, z."
    assert size(told)[1] > size(plain)[1]
    long = viz.grid(images, caption="Six grey squares in two rows, and a caption that needs several lines.", **labels)
    assert size(long)[0] <= size(plain)[0] * 1.15
    assert size(long)[1] > size(told)[1]


def test_curves_with_a_caption_say_their_axes_and_the_course_of_every_line():
    told = viz.curves({"a": ([0, 1], [3.0, 1.0]), "b": ([0, 1], [0, 2])}, x="step", y="loss", caption="Two lines.")
    assert told.alt == "Two lines. Axes: step, loss. Lines: a from 3 to 1, b from 0 to 2."


def test_a_figure_with_a_caption_says_the_titles_of_its_panels():
    figure = Figure()
    for axis, title in zip(figure.subplots(1, 2), ("data", "samples"), strict=True):
        axis.set_title(title)
    assert viz.figure_picture(figure, caption="Points.").alt == "Points. Panels: data, samples."


def test_masks_beside_their_truth_and_stages_of_a_training_say_their_labels(tmp_path):
    pictures, masks = torch.zeros(2, 3, 8, 8), torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(0))
    told = viz.where_truth(pictures, masks, masks > 0.5, ["floor\ncode 8", "wall\ncode 9"], caption="Two masks.")
    assert told.alt == "Two masks. Rows: image, mask, truth. Columns: floor code 8, wall code 9."
    stages = [tmp_path / f"{k}.png" for k in range(2)]
    for stage in stages:
        Image.new("RGB", (16, 8)).save(stage)
    strip = viz.filmstrip(stages, labels=["early", "late"], rows=["code 0", "samples"], caption="It gets cleaner.")
    assert strip.alt == "It gets cleaner. Pictures: early, late. Rows: code 0, samples."
    assert size(strip)[1] > size(viz.filmstrip(stages, "two stages", ["early", "late"], ["code 0", "samples"]))[1]


@pytest.mark.parametrize(
    "show",
    [
        lambda: viz.grid(torch.zeros(1, 3, 8, 8)),
        lambda: viz.curves({"a": ([0, 1], [0, 1])}, x="x", y="y"),
        lambda: viz.figure_picture(Figure()),
        lambda: viz.where_truth(torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), torch.zeros(1, 8, 8), [""]),
    ],
)
def test_a_picture_without_any_words_is_refused(show):
    with pytest.raises(ValueError, match="alt must say"):
        show()


def test_a_caption_is_drawn_below_everything_else():
    figure = Figure(figsize=(3, 2))
    FigureCanvasAgg(figure)
    figure.subplots().set_xlabel("step")
    before = figure.get_tightbbox(figure.canvas.get_renderer())
    write_below(figure, "", viz.INK)
    assert not figure.texts
    write_below(figure, "A caption.", viz.INK)
    drawn = figure.texts[0].get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    assert drawn.y1 < before.y0
    assert np.isclose(drawn.x0, before.x0, atol=0.05)
