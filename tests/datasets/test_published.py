"""Loaders of the published files, on small files made in the same format."""

import numpy as np
import pytest
import torch
from PIL import Image

from wwlib.datasets.pictures import ImageFolder
from wwlib.datasets.published import Published3DShapes, PublishedDSprites

GRID = (2, 2, 3, 2, 2)


@pytest.fixture
def dsprites_file(tmp_path):
    count = int(np.prod(GRID))
    classes = np.stack([np.zeros(count, int), *np.unravel_index(np.arange(count), GRID)], axis=1)
    images = np.zeros((count, 64, 64), np.uint8)
    images[np.arange(count), np.arange(count), 5] = 1
    path = tmp_path / "dsprites.npz"
    np.savez_compressed(path, imgs=images, latents_classes=classes, latents_values=classes.astype(float))
    return path


@pytest.fixture
def shapes_file(tmp_path):
    h5py = pytest.importorskip("h5py", reason="reading 3dshapes.h5 needs h5py")
    grid = (2, 1, 2, 2, 2, 3)
    count = int(np.prod(grid))
    path = tmp_path / "3dshapes.h5"
    with h5py.File(path, "w") as file:
        pixels = np.zeros((count, 64, 64, 3), np.uint8)
        pixels[:, 0, 0, 0] = np.arange(count)
        labels = np.stack(np.unravel_index(np.arange(count), grid), axis=1) * 0.1 - 0.3
        file["images"], file["labels"] = pixels, labels
    return path, grid


def test_dsprites_images_stand_at_their_place_in_the_grid(dsprites_file):
    data = PublishedDSprites(dsprites_file, GRID)
    image = data.images(torch.tensor([[1, 0, 2, 1, 0]]))
    row = ((1 * 2 + 0) * 3 + 2) * 4 + 2
    assert image.shape == (1, 1, 64, 64)
    assert image[0, 0, row, 5] == 1
    assert (image == 1).sum() == 1


def test_3dshapes_images_stand_at_their_place_in_the_grid(shapes_file):
    path, grid = shapes_file
    data = Published3DShapes(path, grid)
    factors = torch.tensor([[1, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1], [1, 0, 1, 1, 1, 2]])
    values = (data.images(factors)[:, 0, 0, 0] + 1) * 127.5
    assert values.round().tolist() == [47, 1, 47]


def test_a_published_file_of_the_wrong_size_is_named(dsprites_file, shapes_file):
    with pytest.raises(ValueError, match=r"dsprites.npz must hold 737280 images"):
        PublishedDSprites(dsprites_file)
    with pytest.raises(ValueError, match=r"3dshapes.h5 must hold 480000"):
        Published3DShapes(shapes_file[0])


@pytest.mark.parametrize("loader", [PublishedDSprites, Published3DShapes])
def test_missing_and_damaged_files_are_named(loader, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        loader(tmp_path / "nowhere")
    broken = tmp_path / "broken.file"
    broken.write_bytes(b"not an archive at all")
    with pytest.raises(ValueError, match=r"broken.file"):
        loader(broken)


def test_a_truncated_npz_is_named(dsprites_file):
    dsprites_file.write_bytes(dsprites_file.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"dsprites.npz is not a readable"):
        PublishedDSprites(dsprites_file, GRID)


def test_an_npz_damaged_in_any_byte_of_its_beginning_is_named(dsprites_file):
    with np.load(dsprites_file) as archive:
        np.savez(dsprites_file, **archive)  # not compressed: the array's header, Python source, is read as it is
    whole, random, named = dsprites_file.read_bytes(), np.random.default_rng(0), []
    for place in range(200):
        content = bytearray(whole)
        content[place] ^= int(random.integers(1, 256))
        dsprites_file.write_bytes(content)
        try:
            PublishedDSprites(dsprites_file, GRID)
        except ValueError as error:
            named.append("dsprites.npz" in str(error))
    assert len(named) > 100
    assert all(named)


def test_dsprites_in_another_order_is_refused(dsprites_file):
    with np.load(dsprites_file) as archive:
        images, classes = archive["imgs"], archive["latents_classes"][::-1]
    np.savez(dsprites_file, imgs=images, latents_classes=classes)
    with pytest.raises(ValueError, match="not the grid"):
        PublishedDSprites(dsprites_file, GRID)


def test_image_folder_crops_the_middle_and_names_a_broken_picture(tmp_path):
    (tmp_path / "below").mkdir()
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "below" / "a.png")
    data = ImageFolder(tmp_path, 32)
    image = data.image(0)
    assert image.shape == (3, 32, 32)
    assert torch.allclose(image[0], torch.ones(32, 32))
    assert data.sample_images(5, torch.Generator().manual_seed(0)).shape == (5, 3, 32, 32)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b.png is not a readable picture"):
        ImageFolder(tmp_path, 32).image(0)
    with pytest.raises(FileNotFoundError, match="no pictures"):
        ImageFolder(tmp_path / "below" / "deeper", 32)


def test_3dshapes_in_another_order_is_refused(shapes_file):
    import h5py

    path, grid = shapes_file
    with h5py.File(path, "r+") as file:
        labels = file["labels"][:]
        file["labels"][...] = labels[::-1]
    with pytest.raises(ValueError, match=r"3dshapes.h5: labels are not the grid"):
        Published3DShapes(path, grid)


def test_3dshapes_whose_images_are_a_group_is_named(tmp_path):
    h5py = pytest.importorskip("h5py", reason="reading 3dshapes.h5 needs h5py")
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file.create_group("images")
        file["labels"] = np.zeros((4, 6))
    with pytest.raises(ValueError, match=r"odd.h5: 'images' and 'labels' must be data sets"):
        Published3DShapes(tmp_path / "odd.h5", (1, 1, 1, 1, 1, 4))


def test_dsprites_with_pixels_that_are_no_bytes_is_refused(dsprites_file):
    with np.load(dsprites_file) as archive:
        images, classes = archive["imgs"], archive["latents_classes"]
    np.savez(dsprites_file, imgs=images.astype(float), latents_classes=classes)
    with pytest.raises(ValueError, match=r"pixels are uint8, 0 or 1, got float64"):
        PublishedDSprites(dsprites_file, GRID)


def test_image_folder_reads_sixteen_bits_turns_photographs_and_passes_over_hidden_files(tmp_path):
    ramp = np.linspace(0, 65535, 32).astype(np.uint16)[None].repeat(32, axis=0)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    photograph = Image.fromarray(np.tile(np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8).repeat(16, 0), (1, 32, 1)))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    photograph.save(tmp_path / "b.png", exif=exif)
    (tmp_path / "._a.png").write_bytes(b"what macOS leaves beside it")
    data = ImageFolder(tmp_path, 32)
    assert len(data) == 2
    assert torch.allclose(data.image(0)[0, 0], torch.linspace(-1, 1, 32), atol=0.01)
    assert data.image(1)[2, 0, 0] == 1  # blue comes to the top
