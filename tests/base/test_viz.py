"""Seeing and using: pictures have words, traversals move one code, masks and edits stay in place."""

import io

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from wwlib.base import viz
from wwlib.base.table import Table
from wwlib.metrics.what import naming_accuracy
from wwlib.metrics.where import change_map, changed_share, iou, mask_iou, traversal_change
from wwlib.models import traversals
from wwlib.models.editing import local_edit, project, transfer
from wwlib.models.masks import SpatialConstriction
from wwlib.models.networks import Generator, Recogniser


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    modules = ("Const-16", "C_spgroup-2-2", "ResConv-up-1", "C_spgroup-2-1", "ResConv-up-1", "ResConv-up-1", "Noise-1")
    return Generator(modules, {8: 8, 16: 8, 32: 4}).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def reader():
    torch.manual_seed(1)
    return Recogniser(3, 32, {16: 4, 8: 4, 4: 4}).eval().requires_grad_(False)


def decoded(picture):
    return Image.open(io.BytesIO(picture.data))


def test_a_picture_carries_its_words():
    picture = viz.grid(torch.zeros(5, 3, 8, 8), "five grey squares")
    content, metadata = picture._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == "five grey squares"
    assert "five grey squares" in content["text/plain"]
    assert decoded(picture).width > 100
    with pytest.raises(ValueError, match="alt must say"):
        viz.grid(torch.zeros(1, 3, 8, 8), " ")


def test_to_pixels_maps_the_range_to_bytes_and_clips():
    images = torch.tensor([-2.0, -1.0, 0.0, 1.0]).view(1, 1, 2, 2)
    assert viz.to_pixels(images)[0, ..., 0].tolist() == [[0, 0], [128, 255]]
    assert viz.to_pixels(images, side=8).shape == (1, 8, 8, 3)
    with pytest.raises(ValueError, match="images must be"):
        viz.to_pixels(torch.zeros(2, 4, 8, 8))


def test_a_traversal_moves_one_code_and_passes_through_the_base(network):
    base = torch.zeros(3)
    frames = traversals.traversal(network, base, span=2, steps=5)
    assert frames.shape == (3, 5, 3, 32, 32)
    assert torch.allclose(frames[0, 2], frames[2, 2], atol=1e-6)
    moved = base.clone()
    moved[1] = 2.0
    noise = network.sample_noise(1, torch.Generator().manual_seed(0))
    assert torch.allclose(frames[1, 4], network(moved[None], noise)[0], atol=1e-5)


def test_masks_come_at_one_resolution_and_those_of_codes_without_are_white(network):
    masks = traversals.code_masks(network, torch.zeros(2, 3))
    assert masks.shape == (2, 3, 32, 32)
    torch.manual_seed(0)
    without = Generator(("Const-4", "C_global-3", "ResConv-up-1"), {8: 4})
    assert (traversals.code_masks(without, torch.zeros(2, 3)) == 1).all()  # acts everywhere


def test_codes_with_and_without_masks_keep_their_places():
    torch.manual_seed(0)
    mixed = Generator(("Const-8", "C_global-2", "ResConv-up-1", "C_spgroup-4-3"), {8: 8})
    masks = traversals.code_masks(mixed, torch.zeros(1, 5))
    assert masks.shape == (1, 5, 8, 8)
    assert (masks[:, :2] == 1).all()
    assert masks[:, 2:].max() < 0.5


def test_masks_after_noise_are_those_of_the_same_noise():
    torch.manual_seed(0)
    noisy = Generator(("Const-8", "ResConv-up-1", "Noise-1", "C_spgroup-4-2"), {8: 8})
    noisy.blocks[1].strength.data.fill_(2.0)
    codes = torch.randn(2, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(traversals.code_masks(noisy, codes), traversals.code_masks(noisy, codes))
    assert torch.equal(local_edit(noisy, codes, 0, 1.0), local_edit(noisy, codes, 0, 1.0))


def test_stretched_masks_reach_black_and_white():
    stretched = viz.mask_images(torch.rand(4, 8, 8) * 0.1, 8, stretch=True)
    assert torch.allclose(stretched.amax(dim=(1, 2, 3)), torch.ones(4))
    assert torch.allclose(stretched.amin(dim=(1, 2, 3)), -torch.ones(4))


def test_overlay_keeps_the_masked_place_and_dims_the_rest():
    mask = torch.zeros(1, 8, 8)
    mask[:, :4] = 1
    shown = viz.overlay(torch.ones(1, 3, 8, 8), mask)
    assert torch.allclose(shown[:, :, :4], torch.ones(1, 3, 4, 8))
    assert shown[:, :, 4:].max() < 0


def test_labels_wider_than_their_picture_are_broken_into_lines():
    assert viz._wrapped("as Q would see it", 90) == "as Q would\nsee it"
    assert viz._wrapped("wall hue\ncode 9", 115) == "wall hue\ncode 9"
    assert viz._wrapped("orientation", 20) == "orientation"


def luminance(colour):
    """Relative luminance as WCAG 2.1 defines it."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(colour)]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


def test_numbers_in_a_heat_map_stand_out_from_their_cell(monkeypatch):
    drawn = []
    monkeypatch.setattr(viz, "figure_picture", lambda figure, alt: drawn.append(figure))
    table = np.linspace(0, 1, 60).reshape(6, 10)
    viz.heat_map(table, "row", "column", "shades")
    axes = drawn[0].axes[0]
    contrasts = []
    for text in axes.texts:
        column, row = text.get_position()
        pair = luminance(text.get_color()), luminance(axes.images[0].to_rgba(table[row, column])[:3])
        contrasts.append((max(pair) + 0.05) / (min(pair) + 0.05))
    assert len(contrasts) == 60
    assert min(contrasts) > 3.5


def test_a_gif_runs_there_and_back():
    frames = torch.linspace(-1, 1, 4)[:, None, None, None].expand(-1, 3, 8, 8)
    animation = decoded(viz.gif(frames, "grey from black to white"))
    assert animation.format == "GIF"
    assert animation.n_frames == 6


def test_iou_of_known_rectangles():
    a, b = torch.zeros(2, 4, 4).bool(), torch.zeros(2, 4, 4).bool()
    a[0, :2], b[0, 1:3] = True, True
    assert iou(a, b).tolist() == [pytest.approx(1 / 3), 0.0]
    with pytest.raises(TypeError, match="boolean"):
        iou(a.float(), b)


class OracleReader(torch.nn.Module):
    """Reads nothing; stands in where only masks matter."""

    def forward(self, images):
        return torch.zeros(len(images), 3)


class OracleGenerator:
    """Its masks are exactly the ones given."""

    resolution = 32

    def __init__(self, masks):
        self.masks = masks
        self.blocks = [SpatialConstriction(1, 32, masks.shape[1])]

    def sample_noise(self, batch, generator=None, device=None):
        return []

    def __call__(self, codes, noise=None, return_masks=False):
        return None, [self.masks]


def test_a_mask_that_is_the_footprint_scores_one_and_an_empty_one_zero(shapes):
    factors = shapes.sample_factors(16, torch.Generator().manual_seed(0))
    wall = shapes.footprint(factors, "wall hue").float()
    masks = torch.stack([wall, torch.zeros_like(wall), 1 - wall], dim=1)

    class Model:
        generator, recogniser = OracleGenerator(masks), OracleReader()

    fit = mask_iou(Model, shapes, n=16, seed=0)
    assert fit.best("wall hue") == (0, pytest.approx(1.0))
    assert fit.iou[1].max() == 0
    assert fit.iou[2, 1] == 0


def test_changed_share_counts_pixels():
    before = torch.full((1, 3, 4, 4), -1.0)
    after = before.clone()
    after[:, 0, :2] = 0
    assert changed_share(before, after).item() == 0.5
    assert changed_share(before, after, threshold=0.6).item() == 0


def test_traversal_change_is_zero_for_a_sleeping_code():
    frames = torch.zeros(2, 5, 3, 4, 4)
    frames[1] = torch.linspace(-1, 1, 5)[:, None, None, None]
    assert traversal_change(frames).tolist() == [0.0, pytest.approx(2.0)]


def test_the_length_of_a_row_is_that_of_its_path():
    frames = torch.zeros(3, 5, 3, 4, 4)
    frames[1] = torch.linspace(-1, 1, 5)[:, None, None, None]
    frames[2, 1::2] = 0.5  # there and back again, twice
    assert traversals.row_lengths(frames).tolist() == [0.0, pytest.approx(2.0), pytest.approx(2.0)]


def test_the_sheet_shows_the_longest_row_first_and_says_which_codes_sleep(network, monkeypatch):
    frames = torch.zeros(3, 7, 3, 32, 32)
    frames[1] = torch.linspace(-1, 1, 7)[:, None, None, None]
    frames[2] = torch.linspace(0, 0.5, 7)[:, None, None, None]
    sheets = []
    monkeypatch.setattr(traversals, "traversal", lambda *given: frames)
    monkeypatch.setattr(traversals, "grid", lambda images, alt, **options: sheets.append((images, options)))
    traversals.traversal_sheet(network, torch.zeros(3), "rows", names=("a", "b", "c"))
    ((images, options),) = sheets
    assert options["row_labels"] == ["1  b", "2  c", "0  a (asleep)"]
    assert torch.equal(images[:, :-1], frames[[1, 2, 0]])
    masks = traversals.code_masks(network, torch.zeros(1, 3))[0]
    stretched = traversals.mask_images(masks, 32, stretch=True)
    assert torch.equal(images[:, -1, :1], stretched[[1, 2, 0]]), "each row has the mask of its own code"


def test_change_maps_are_shares(network):
    maps = change_map(network, torch.zeros(2, 3), 1)
    assert maps.shape == (2, 32, 32)
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_a_local_edit_leaves_the_zero_of_its_mask_alone(network):
    codes = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    noise = network.sample_noise(2, torch.Generator().manual_seed(0))
    before, after = network(codes, noise), local_edit(network, codes, 2, 3.0)
    assert torch.allclose(before[..., -1], after[..., -1], atol=1e-4)
    assert (before - after).abs().max() > 1e-3
    with pytest.raises(ValueError, match=r"code must be 0\.\.2, got 7"):
        local_edit(network, codes, 7, 0.0)


def test_transferring_all_codes_gives_the_source_and_none_the_target(network, reader):
    target, source = network(torch.randn(2, 3)), network(torch.randn(2, 3))
    redrawn = transfer(network, reader, target, source, [])
    assert torch.allclose(transfer(network, reader, source, target, [0, 1, 2]), redrawn, atol=1e-5)


def test_a_traversal_does_not_depend_on_how_many_frames_go_through_at_once(network):
    base = torch.randn(network.codes, generator=torch.Generator().manual_seed(1))
    frames = traversals.traversal(network, base, steps=9)
    noise = network.sample_noise(1, torch.Generator().manual_seed(0))
    for k, step in ((0, 0), (1, 4), (network.codes - 1, 8)):
        codes = base.clone()
        codes[k] = torch.linspace(-2, 2, 9)[step]
        with torch.no_grad():
            assert torch.allclose(frames[k, step], network(codes[None], noise)[0], atol=1e-5)


def test_projection_comes_closer(network, reader):
    codes = torch.randn(2, 3, generator=torch.Generator().manual_seed(3))
    images = network(codes, network.sample_noise(2, torch.Generator().manual_seed(0)))
    projected, errors = project(network, reader, images, steps=60)
    assert projected.shape == (2, 3)
    assert errors[-1] < errors[0]


def test_more_starts_never_end_worse_and_keep_the_best_of_each_image(network, reader):
    images = network(torch.randn(3, 3, generator=torch.Generator().manual_seed(3)))
    one, few = (project(network, reader, images, steps=40, starts=n) for n in (1, 4))
    assert few[0].shape == (3, 3)
    assert few[1][-1] <= one[1][-1] + 1e-6
    with pytest.raises(ValueError, match="starts must be at least 1, got 0"):
        project(network, reader, images, starts=0)


def test_naming_accuracy_of_a_reader_who_cannot_see_is_chance(network):
    class Blind(torch.nn.Module):
        def forward(self, images):
            return torch.randn(len(images), 3, generator=self.random)

    blind = Blind()
    blind.random = torch.Generator().manual_seed(0)
    assert naming_accuracy(network, blind) == pytest.approx(1 / 3, abs=0.04)


def test_tables_read_as_markdown_html_and_text():
    table = Table(["a", "b"], iter([("x", 1), ("<y>", 22)]))
    assert table.markdown() == "| a | b |\n| --- | --- |\n| x | 1 |\n| <y> | 22 |"
    assert "&lt;y&gt;" in table._repr_html_()
    assert repr(table).splitlines()[2] == "x    1"
    with pytest.raises(ValueError, match="same length"):
        Table(["a"], [(1, 2)])


def test_a_part_of_a_table_has_the_named_columns_and_rows_in_the_named_order():
    table = Table(["a", "b", "c"], [("x", 1, 2), ("x", 3, 4), ("z", 5, 6)])
    assert table.part(("c", "a"), rows=("z", "x")).rows == [["6", "z"], ["2", "x"]]
    assert table.part(("a", "b")).rows == [["x", "1"], ["x", "3"], ["z", "5"]]
    assert table.header == ["a", "b", "c"]  # the whole table is as before
    with pytest.raises(ValueError, match=r"columns must be among \['a', 'b', 'c'\], got \['d'\]"):
        table.part(("a", "d"))
    with pytest.raises(ValueError, match=r"rows must be among \['x', 'x', 'z'\], got \['1'\]"):
        table.part(("a",), rows=("x", "1"))


def test_points_may_come_as_an_iterator_of_pairs():
    """It can be read only once, and both the plot and the text beside it need it."""
    iterated = viz.curves(
        {"measured": zip(*[(1, 2.0), (2, 3.0)], strict=True)}, caption="Two points.", x="n", y="length"
    )
    listed = viz.curves({"measured": ([1, 2], [2.0, 3.0])}, caption="Two points.", x="n", y="length")
    assert iterated.alt == listed.alt
    assert iterated.data == listed.data
