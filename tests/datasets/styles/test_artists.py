"""Faces in three hands: factors, held-out attributes, and the drawings that DiceBear makes of them."""

from __future__ import annotations

import pytest
import torch

from wwlib.base.files import load_tensors, save_tensors
from wwlib.datasets.styles import artists
from wwlib.datasets.styles.artists import (
    ARCHIVE,
    ARTISTS,
    ATTRIBUTES,
    CLOTHES,
    HANDS,
    HELD_OUT,
    Drawings,
    attribute_grid,
    draw,
    held_out,
    make_archive,
)

ATTRIBUTE_COLUMNS = slice(1, 7)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def options_of(hand: artists.Hand, factors: torch.Tensor) -> dict:
    """What DiceBear is asked for to draw a face with these factors `[9]` whole."""
    _, background, skin, colour, length, glasses, mouth, hair_version, mouth_version = factors.tolist()
    mouths = hand.mouth[mouth]
    colours = {"backgroundColor": "background", "skinColor": "skin", "hairColor": "hair colour"}
    values = dict(zip(colours, (background, skin, colour), strict=True))
    return {
        **{option: [ATTRIBUTES[name][values[option]]] for option, name in colours.items()},
        "hairVariant": [hand.hair[length][hair_version]],
        "mouthVariant": [mouths[mouth_version % len(mouths)]],
        **hand.glasses[glasses],
    }


def test_drawings_are_repeatable_pictures_of_every_artist():
    drawings = Drawings()
    factors = drawings.sample_factors(300, seeded())
    images = drawings.images(factors)
    assert images.shape == (300, 3, 32, 32)
    assert -1 <= images.min() < -0.8
    assert 0.8 < images.max() <= 1
    assert torch.equal(images, drawings.images(factors))
    assert torch.equal(factors, drawings.sample_factors(300, seeded()))
    assert set(factors[:, 0].tolist()) == set(range(len(ARTISTS)))


def test_a_fifth_of_the_combinations_is_held_out_and_the_two_parts_share_none():
    grid = attribute_grid()
    assert len(grid) == len(grid.unique(dim=0)) == 4 * 3 * 4 * 2 * 3 * 2
    assert held_out().double().mean().item() == pytest.approx(HELD_OUT, abs=0.001)
    parts = []
    for test in (False, True):
        drawn = Drawings(test).sample_factors(20_000, seeded(1))
        parts.append(set(map(tuple, drawn[:, ATTRIBUTE_COLUMNS].tolist())))
        # every value of every factor is there, though some combinations are not
        assert drawn.amax(dim=0).tolist() == [size - 1 for size in Drawings.factor_sizes]
    assert not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) == len(grid)


def test_a_drawing_shows_every_factor_and_mouth_versions_where_a_hand_has_them():
    drawings = Drawings()
    for factors in drawings.sample_factors(4, seeded(2)):
        for artist, hand in enumerate(HANDS.values()):
            factors[0] = artist
            for name in drawings.factor_names:
                seen = drawings.variations(factors[None], name)[0]
                many = len(hand.mouth[factors[6]]) if name == "mouth version" else len(seen)
                assert len(seen.flatten(1).unique(dim=0)) == many, (hand.style, name)


def test_the_same_attributes_have_the_same_background_in_every_hand():
    drawings = Drawings()
    factors = drawings.sample_factors(1, seeded(3))
    corner = drawings.variations(factors, "artist")[0, :, :, 0, 0]
    assert torch.equal(corner, corner[:1].expand(3, -1))


@pytest.mark.parametrize("artist", range(len(ARTISTS)))
@pytest.mark.parametrize("test", [False, True])
def test_every_different_drawing_of_an_artist_is_listed_once(artist, test):
    drawings = Drawings(test)
    factors = drawings.every(artist)
    assert (factors[:, 0] == artist).all()
    listed = set(map(tuple, factors[:, ATTRIBUTE_COLUMNS].tolist()))
    assert listed == set(map(tuple, attribute_grid()[held_out() == test].tolist()))
    images = drawings.images(factors)
    assert len(images.flatten(1).unique(dim=0)) == len(images)


def test_another_archive_is_refused(tmp_path):
    save_tensors(tmp_path / "other.safetensors", {"base": torch.zeros(1)}, dict(kind="avatars"))
    with pytest.raises(ValueError, match=r"must hold the layers of .*, got 'avatars'"):
        Drawings(archive=tmp_path / "other.safetensors")


def test_the_archive_is_small_and_names_artists_licences_and_versions():
    about = load_tensors(ARCHIVE)[1]
    assert ARCHIVE.stat().st_size < 1e6
    for credit in ("DiceBear, CC0 1.0", "Draftbit", "Lisa Wischofsky", "CC BY 4.0"):
        assert credit in about["source"]
    assert set(about["packages"]) == {"dicebear-core", "dicebear-styles", "resvg-py"}
    assert about["command"] == "python -m wwlib remake artists"


def test_drawings_are_what_the_artists_package_draws():
    """Layers are averaged before they are painted over one another, so outlines differ a little."""
    pytest.importorskip("dicebear", reason="drawing artists' faces anew needs dicebear-core")
    pytest.importorskip("resvg_py", reason="drawing artists' faces anew needs resvg-py")
    drawings = Drawings()
    factors = drawings.sample_factors(4, seeded(4))
    for artist, hand in enumerate(HANDS.values()):
        factors[:, 0] = artist
        for row, image in zip(factors, drawings.images(factors), strict=True):
            whole = draw(hand, options_of(hand, row))[:, :, :3]
            apart = abs((image.permute(1, 2, 0).numpy() + 1) * 127.5 - whole)
            assert apart.mean() < 1, hand.style  # of 255
            assert (apart.max(axis=2) > 25).mean() < 0.03, hand.style


def test_clothes_have_one_colour():
    drawings = Drawings()
    factors = drawings.sample_factors(1, seeded(5))
    factors[:, [0, 4]] = 0  # pixel art, short hair
    lowest = (drawings.images(factors)[0, :, -1, 16] + 1) * 127.5
    assert lowest.round().int().tolist() == [int(CLOTHES[i : i + 2], 16) for i in (0, 2, 4)]


def test_artists_remake_their_archive(tmp_path):
    pytest.importorskip("dicebear", reason="drawing artists' faces anew needs dicebear-core")
    pytest.importorskip("resvg_py", reason="drawing artists' faces anew needs resvg-py")
    make_archive(tmp_path / "artists.safetensors")
    (remade, about), (shipped, _) = load_tensors(tmp_path / "artists.safetensors"), load_tensors(ARCHIVE)
    assert about["kind"] == "artists"
    assert remade.keys() == shipped.keys()
    assert all(torch.equal(remade[name], shipped[name]) for name in shipped)
