"""Data sets with known factors: one interface, exact footprints, clear errors."""

import pytest
import torch

from wwlib.base.codes import rotate_codes
from wwlib.datasets import shapes3d
from wwlib.datasets.avatars import Avatars
from wwlib.datasets.dsprites import DSprites
from wwlib.datasets.glyphs import Glyphs
from wwlib.datasets.portraits import REGIONS, Portraits
from wwlib.datasets.shapes3d import Shapes3D, render_layers


@pytest.fixture(scope="module", params=["shapes3d", "dsprites", "avatars", "portraits"])
def data(request, shapes):
    makers = {"dsprites": DSprites, "avatars": Avatars, "portraits": Portraits}
    return shapes if request.param == "shapes3d" else makers[request.param](32)


def test_images_are_in_range_and_repeatable(data, generator):
    factors = data.sample_factors(16, generator)
    images = data.images(factors)
    assert images.shape == (16, data.channels, 32, 32)
    assert images.min() >= -1 - 1e-6
    assert images.max() <= 1 + 1e-6
    assert torch.equal(images, data.images(factors))


def test_sampling_is_seeded(data):
    first = data.sample_factors(8, torch.Generator().manual_seed(3))
    assert torch.equal(first, data.sample_factors(8, torch.Generator().manual_seed(3)))
    assert not torch.equal(first, data.sample_factors(8, torch.Generator().manual_seed(4)))


def test_unseen_factors_are_all_others_and_spread_evenly(generator):
    data = Glyphs()
    seen = data.sample_factors(20_000, generator)
    drawn = data.sample_unseen(4_000, generator, seen)
    assert drawn.shape == (4_000, 6)
    assert not set(map(tuple, seen.tolist())) & set(map(tuple, drawn.tolist()))
    assert (drawn[:, 0].bincount(minlength=10) / 400 - 1).abs().max() < 0.2
    few = data.sample_unseen(50, torch.Generator().manual_seed(1), seen[:1])
    assert torch.equal(few, data.sample_unseen(50, torch.Generator().manual_seed(1), seen[:1]))


def test_nothing_is_left_when_everything_was_seen(generator):
    class Coin(Glyphs):
        factor_sizes = (2,)

        def __init__(self):
            pass

    assert Coin().sample_unseen(3, generator, torch.tensor([[1]])).tolist() == [[0]] * 3
    with pytest.raises(ValueError, match="seen must leave something out, got all 2"):
        Coin().sample_unseen(3, generator, torch.tensor([[1], [0], [0]]))


def test_every_factor_changes_some_pixels_and_only_its_footprint(data, generator):
    factors = data.sample_factors(3, generator)
    images = data.images(factors)
    for name, size in zip(data.factor_names, data.factor_sizes, strict=True):
        footprint = data.footprint(factors, name)
        assert footprint.shape == (3, 32, 32)
        assert footprint.any()
        other = factors.clone()
        column = data.factor_index(name)
        other[:, column] = (other[:, column] + 1) % size
        change = (data.images(other) - images).abs().amax(dim=1) / 2
        assert (change[~footprint] <= 0.1 + 1e-6).all()


def test_factors_out_of_range_are_named(data):
    factors = torch.zeros(2, len(data.factor_sizes), dtype=torch.int64)
    factors[1, 2] = data.factor_sizes[2]
    with pytest.raises(ValueError, match=rf"factors\[1, 2\] \({data.factor_names[2]}\)"):
        data.images(factors)
    with pytest.raises(TypeError, match="whole numbers"):
        data.images(factors.float())
    with pytest.raises(ValueError, match=r"factors must be \[n, "):
        data.images(factors[:, :2])
    with pytest.raises(ValueError, match="factor must be one of"):
        data.footprint(factors * 0, "colour of the sky")
    with pytest.raises(ValueError, match="n must be at least 1"):
        data.sample_factors(0)


def test_shapes3d_has_the_published_grid(shapes):
    assert shapes.factor_sizes == (10, 10, 10, 8, 4, 15)
    assert len(shapes) == 480_000


def test_shapes3d_layers_cover_every_pixel_once(shapes, generator):
    """Drop a hue and its layer is gone; together the layers never exceed full light."""
    layers = shapes.layers(shapes.sample_factors(32, generator))
    assert layers.min() >= 0
    assert layers.sum(dim=1).max() <= 1 + 1e-5
    assert layers.sum(dim=1).min() > 0.3


def test_shapes3d_image_is_the_sum_of_layers_times_colours(shapes):
    factors = torch.tensor([[0, 3, 6, 4, 0, 7]])
    layers = shapes.layers(factors)[0]
    red, green, blue = (1.0, 0, 0), (0.2, 1.0, 0), (0, 0.4, 1.0)
    colours = torch.tensor([red, green, blue])
    slow = sum(layers[i][None] * colours[i][:, None, None] for i in range(3)) * 2 - 1
    assert torch.allclose(shapes.images(factors)[0], slow, atol=1e-5)


def test_hue_footprints_of_shapes3d_part_the_image(shapes, generator):
    factors = shapes.sample_factors(8, generator)
    parts = torch.stack([shapes.footprint(factors, hue) for hue in ("floor hue", "wall hue", "object hue")])
    assert parts.any(dim=0).float().mean() > 0.99
    assert (parts.sum(dim=0) > 1).float().mean() < 0.2  # only antialiased borders belong to two


def test_shapes3d_object_grows_with_scale(shapes):
    factors = torch.tensor([[0, 3, 6, s, 0, 7] for s in range(8)])
    areas = shapes.layers(factors)[:, 2].gt(0.1).sum(dim=(1, 2))
    assert (areas.diff() > 0).all()


@pytest.mark.slow
def test_shapes3d_resolutions_show_the_same_scene():
    large, small = Shapes3D(64), Shapes3D(32)
    factors = small.sample_factors(16, torch.Generator().manual_seed(0))
    shrunk = torch.nn.functional.avg_pool2d(large.images(factors), 2)
    assert (shrunk - small.images(factors)).abs().mean() < 0.02
    with pytest.raises(ValueError, match="resolution must be a whole number from 32 to 128, got 200"):
        Shapes3D(200)


def test_rendering_is_repeatable():
    first = render_layers(32)
    assert torch.equal(first, render_layers(32))


def test_layers_are_rendered_once_and_damage_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes3d, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(shapes3d, "render_layers", lambda resolution: torch.full((2, 3, 4, 4), next(numbers)))
    numbers = iter((1.0, 2.0, 3.0))
    layers = shapes3d.cached_layers.__wrapped__  # as a new process would call it
    assert layers(32).unique() == 1
    assert layers(32).unique() == 1
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert layers(32).unique() == 2
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 0x40  # one bit
    file.write_bytes(whole)
    assert layers(32).unique() == 3
    assert layers(32).unique() == 3
    assert len(list(file.parent.iterdir())) == 1


def test_a_disk_without_room_only_costs_time(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("the file cannot be written: no space left on device")

    monkeypatch.setattr(shapes3d, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(shapes3d, "save_tensors", full)
    monkeypatch.setattr(shapes3d, "render_layers", lambda resolution: torch.ones(1))
    assert shapes3d.cached_layers.__wrapped__(32) == 1


def test_a_new_version_removes_the_old_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes3d, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(shapes3d, "render_layers", lambda resolution: torch.ones(1))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "shapes3d-32-0123456789ab.safetensors").write_bytes(b"old")
    shapes3d.cached_layers.__wrapped__(32)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setattr(shapes3d, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(shapes3d, "render_layers", lambda resolution: torch.ones(1))
    assert shapes3d.cached_layers.__wrapped__(32) == 1


def test_dsprites_positions_move_the_centre_of_mass():
    data = DSprites(64)
    factors = torch.tensor([[1, 3, 0, x, 16] for x in (0, 16, 31)])
    white = (data.images(factors)[:, 0] + 1) / 2
    columns = (white.sum(dim=1) * torch.arange(64)).sum(dim=1) / white.sum(dim=(1, 2))
    assert (columns.diff() > 15).all()


def test_binary_dsprites_are_black_and_white_and_never_leave_the_frame():
    data = DSprites(64, antialias=False)
    images = data.images(data.sample_factors(500, torch.Generator().manual_seed(0)))
    assert set(images.unique().tolist()) == {-1.0, 1.0}
    border = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], dim=-1)
    assert border.max() == -1


def test_avatars_are_what_the_artists_package_draws():
    pytest.importorskip("dicebear", reason="drawing avatars anew needs dicebear-core")
    pytest.importorskip("resvg_py", reason="drawing avatars anew needs resvg-py")
    from wwlib.datasets.avatars import GLASSES, HAIR_STYLES, MOUTHS, PALETTES, draw

    data = Avatars(16)
    for values in ([1, 2, 3, 4, 5, 0, 1], [7, 4, 0, 2, 1, 2, 3]):
        parts = dict(hair=HAIR_STYLES[values[4]], glasses=GLASSES[values[5]], mouth=MOUTHS[values[6]])
        colours = {name: palette[values[i]] for i, (name, palette) in enumerate(PALETTES.items())}
        ours = (data.images(torch.tensor([values]))[0].permute(1, 2, 0) + 1) * 127.5
        assert abs(ours.numpy() - draw(parts, colours)).max() < 1


def test_portraits_are_what_the_artists_package_draws():
    """Composed from layers, they differ from a face drawn whole by the rounding of nine layers to 8 bits."""
    pytest.importorskip("dicebear", reason="drawing portraits anew needs dicebear-core")
    pytest.importorskip("resvg_py", reason="drawing portraits anew needs resvg-py")
    from wwlib.datasets.portraits import COLOURS, FACTOR_OF, LAYERS, PALETTES, draw

    data = Portraits(64)
    for factors in data.sample_factors(6, torch.Generator().manual_seed(0)):
        value = dict(zip(data.factor_names, factors.tolist(), strict=True))
        parts = {name: variants[value.get(FACTOR_OF.get(name), 0)] for name, variants in LAYERS.items()}
        colours = {name: PALETTES[name][value[name]] for name in COLOURS}
        whole = draw(parts, colours, PALETTES["background"][value["background"]])[:, :, :3]
        ours = (data.images(factors[None])[0].permute(1, 2, 0) + 1) * 127.5
        assert abs(ours.numpy() - whole).max() < 8
        assert abs(ours.numpy() - whole).mean() < 1


def test_a_portrait_is_painted_layer_over_layer(generator):
    data = Portraits(64)
    factors = data.sample_factors(5, generator)
    stages = data.stages(factors)
    assert torch.equal(stages[:, -1], data.images(factors))
    assert stages[:, 0].flatten(2).std(dim=2).max() < 1e-6  # a bare background
    assert torch.equal(stages[factors[:, 4] == 0, 0], stages[factors[:, 4] == 0, 1])  # no hair behind: nothing painted


@pytest.mark.parametrize("resolution", [32, 64])
def test_the_regions_of_a_portrait_share_every_pixel(generator, resolution):
    """A pixel follows the background's colour exactly as far as it shows the background."""
    data = Portraits(resolution)
    factors = data.sample_factors(6, generator)
    shares = data.regions(factors)
    assert shares.shape == (6, len(REGIONS), resolution, resolution)
    assert shares.min() >= 0
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(6, resolution, resolution))
    one, other = (data.images(factors.index_fill(1, torch.tensor([0]), k)) for k in (0, 5))
    step = one[:, :, 0, 0] - other[:, :, 0, 0]  # a corner is background
    torch.testing.assert_close(one - other, step[:, :, None, None] * shares[:, :1], atol=1e-5, rtol=0)


def test_colours_act_in_their_own_region_of_a_portrait(generator):
    """Eyebrows have the hair's colour and belong to the face."""
    data = Portraits(64)
    factors = data.sample_factors(6, generator)
    shares = dict(zip(REGIONS, data.regions(factors).unbind(1), strict=True))
    for colour, region in (("clothes colour", "clothes"), ("skin", "face"), ("hair colour", "hair")):
        acts = data.footprint(factors, colour)
        assert (acts & (shares[region] > 0.05)).sum() > (0.95 if colour == "hair colour" else 0.99) * acts.sum(), colour


def test_portraits_remake_their_archive(tmp_path):
    pytest.importorskip("dicebear", reason="drawing portraits anew needs dicebear-core")
    pytest.importorskip("resvg_py", reason="drawing portraits anew needs resvg-py")
    from wwlib.base.files import load_tensors
    from wwlib.datasets.portraits import ARCHIVE, make_archive

    make_archive(tmp_path / "portraits.safetensors")
    remade, shipped = load_tensors(tmp_path / "portraits.safetensors")[0], load_tensors(ARCHIVE)[0]
    assert all(torch.equal(remade[name], shipped[name]) for name in shipped)
    assert remade.keys() == shipped.keys()


def test_rotation_keeps_lengths_and_a_quarter_turn_swaps_codes(generator):
    codes = torch.randn(5, 4, generator=generator)
    turned = rotate_codes(codes, 0, 2, 90)
    assert torch.allclose(turned[:, 0], -codes[:, 2], atol=1e-6)
    assert torch.allclose(turned[:, 2], codes[:, 0], atol=1e-6)
    assert torch.allclose(rotate_codes(codes, 1, 3, 33).norm(dim=1), codes.norm(dim=1), atol=1e-5)
