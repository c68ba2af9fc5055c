"""Preparing picture sets: the crops pixel by pixel, on tiny folders named, sized and nested like the published ones."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from wwlib.__main__ import main
from wwlib.datasets.pictures import ImageFolder
from wwlib.datasets.prepare import DAMAGED_SHARE, picture_path, prepare_pictures

SIZES = {"celeba": (178, 218), "ffhq": (512, 512), "shoes": (136, 102), "clevr": (480, 320), "folder": (90, 70)}
NAMES = {
    "celeba": [f"img_align_celeba_png/{n:06d}.png" for n in (1, 2, 3)],
    "ffhq": ["images512x512/00000/00000.png", "images512x512/00000/00001.png", "images512x512/01000/01000.png"],
    "shoes": [f"ut-zap50k-images/{n}.jpg" for n in ("Shoes/Oxfords/A. Brand/100.72", "Boots/Ankle/B/7.1", "Slips/9")],
    "clevr": [f"CLEVR_v1.0/images/{n}.png" for n in ("train/CLEVR_train_000000", "train/CLEVR_train_000001", "val/v")],
    "folder": ["a.png", "deeper/b.png", "deeper/still/c.png"],
}  # fmt: skip


def noise(size, seed):
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


@pytest.fixture
def source(tmp_path, request):
    """A source folder of three noise pictures; returns it with the pixels by name."""
    name, folder, pixels = request.param, tmp_path / "source", {}
    for seed, file in enumerate(NAMES[name]):
        pixels[file] = noise(SIZES[name], seed)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[file]).save(folder / file, format="PNG")  # whatever the name: nothing may be lost
    return name, folder, pixels


def shuffled(names):
    order = np.arange(len(names))
    np.random.RandomState(123).shuffle(order)
    return [sorted(names)[index] for index in order]


def written(out, number):
    return np.asarray(Image.open(picture_path(out, number))).astype(float)


def slow_boxes(square, resolution):
    """The mean of every box, pixel by pixel."""
    side = len(square) // resolution
    return np.array([[square[y * side : (y + 1) * side, x * side : (x + 1) * side].reshape(-1, 3).mean(axis=0)
                      for x in range(resolution)] for y in range(resolution)])  # fmt: skip


ALL = pytest.mark.parametrize("source", SIZES, indirect=True)
FACES = pytest.mark.parametrize("source", ["celeba"], indirect=True)


@FACES
def test_celeba_at_128_px_is_rows_57_to_184_and_columns_25_to_152_unchanged(source, tmp_path):
    name, folder, pixels = source
    prepare_pictures(name, folder, tmp_path / "out", 128)
    for number, file in enumerate(shuffled(pixels)):
        cut = pixels[file][57 : 184 + 1, 25 : 152 + 1]
        assert np.array_equal(written(tmp_path / "out", number), cut)


@ALL
def test_smaller_pictures_are_means_of_boxes(source, tmp_path):
    name, folder, pixels = source
    prepare_pictures(name, folder, tmp_path / "out", 32)
    squares = {
        "celeba": lambda p: p[57:185, 25:153],
        "ffhq": lambda p: p,
        "shoes": lambda p: np.pad(p, ((17, 17), (0, 0), (0, 0)), constant_values=255),
        "clevr": lambda p: p[:, 80:400],
        "folder": lambda p: p[:, 10:80],
    }
    for number, file in enumerate(shuffled(pixels)):
        square = squares[name](pixels[file])
        if len(square) % 32:
            expected = np.asarray(Image.fromarray(square).resize((32, 32), Image.BOX)).astype(float)
        else:
            expected = slow_boxes(square, 32)
        assert np.abs(written(tmp_path / "out", number) - expected).max() <= 0.5


@ALL
def test_what_was_done_is_written_beside_the_pictures(source, tmp_path):
    name, folder, _ = source
    prepare_pictures(name, folder, tmp_path / "out", 64)
    about = json.loads((tmp_path / "out" / "about.json").read_text())
    assert (about["set"], about["count"], about["resolution"], about["seed"]) == (name, 3, 64, 123)
    assert about["finished"]
    assert about["damaged"] == []
    assert str(tmp_path) not in json.dumps(about)


@FACES
def test_a_stopped_preparation_continues_and_does_nothing_twice(source, tmp_path):
    name, folder, pixels = source
    out = tmp_path / "out"
    prepare_pictures(name, folder, out, 64)
    first = {n: picture_path(out, n).read_bytes() for n in range(3)}
    modified = picture_path(out, 0).stat().st_mtime_ns
    picture_path(out, 1).unlink()
    picture_path(out, 2).write_bytes(b"")  # what a power cut leaves
    prepare_pictures(name, folder, out, 64)
    assert {n: picture_path(out, n).read_bytes() for n in range(3)} == first
    assert picture_path(out, 0).stat().st_mtime_ns == modified
    assert sorted(f.name for f in out.rglob("*.png")) == [f"{n:08d}.png" for n in range(len(pixels))]


@FACES
def test_two_processes_write_what_one_does(source, tmp_path):
    name, folder, _ = source
    prepare_pictures(name, folder, tmp_path / "one", 64)
    prepare_pictures(name, folder, tmp_path / "two", 64, processes=2)
    for number in range(3):
        assert (
            picture_path(tmp_path / "two", number).read_bytes() == picture_path(tmp_path / "one", number).read_bytes()
        )


@FACES
def test_a_half_prepared_folder_is_not_trained_on(source, tmp_path, monkeypatch):
    name, folder, _ = source

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("wwlib.datasets.prepare._results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_pictures(name, folder, tmp_path / "out", 64)
    with pytest.raises(ValueError, match="not completely prepared; run"):
        ImageFolder(tmp_path / "out", 64)
    prepare_pictures(name, folder, tmp_path / "out", 64)
    assert len(ImageFolder(tmp_path / "out", 64)) == 3


@pytest.mark.parametrize("source", ["celeba", "ffhq", "shoes", "clevr"], indirect=True)
def test_pictures_of_another_size_are_named_with_what_was_expected(source, tmp_path):
    name, folder, _ = source
    Image.fromarray(noise((100, 99), 5)).save(folder / NAMES[name][1])
    width, height = SIZES[name]
    with pytest.raises(ValueError, match=rf"{NAMES[name][1]} must be {width} x {height}.* pixels, got 100 x 99"):
        prepare_pictures(name, folder, tmp_path / "out", 64)


@FACES
def test_another_source_or_resolution_does_not_mix_into_the_same_folder(source, tmp_path):
    name, folder, _ = source
    prepare_pictures(name, folder, tmp_path / "out", 64)
    with pytest.raises(ValueError, match="was prepared with resolution 64 instead of 32"):
        prepare_pictures(name, folder, tmp_path / "out", 32)
    (folder / NAMES[name][0]).unlink()
    with pytest.raises(ValueError, match=r"was prepared with names .* sources 3 instead of 2"):
        prepare_pictures(name, folder, tmp_path / "out", 64)
    with pytest.raises(ValueError, match=r"must be empty or prepared by this command"):
        prepare_pictures("folder", tmp_path / "out", _strangers(tmp_path))
    with pytest.raises(ValueError, match="out must lie outside of the source"):
        prepare_pictures(name, folder, folder / "out", 64)


def _strangers(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    Image.fromarray(noise((70, 70), 0)).save(folder / "beach.png")
    return folder


def many(folder, count, damaged):
    folder.mkdir()
    good = folder / "good.png"
    Image.fromarray(noise((16, 16), 0)).save(good)
    for n in range(count - damaged - 1):
        shutil.copy(good, folder / f"{n:04d}.png")
    for n in range(damaged):
        (folder / f"broken{n}.png").write_bytes(good.read_bytes()[:40])
    return folder


def test_a_few_damaged_files_are_listed_and_left_out(tmp_path, capsys):
    folder = many(tmp_path / "source", 200, int(200 * DAMAGED_SHARE))
    assert main(["prepare", "folder", str(folder), str(tmp_path / "out"), "--resolution", "16"]) == 0
    output = capsys.readouterr().out
    assert "198 pictures of 16 px" in output
    assert "damaged, left out: broken0.png\ndamaged, left out: broken1.png" in output
    assert len(ImageFolder(tmp_path / "out", 16)) == 198


def test_many_damaged_files_are_an_error_that_names_one(tmp_path, capsys):
    folder = many(tmp_path / "source", 200, int(200 * DAMAGED_SHARE) + 1)
    assert main(["prepare", "folder", str(folder), str(tmp_path / "out"), "--resolution", "16"]) == 1
    assert "too many damaged pictures, such as broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("faces", 64), r"set must be one of \('celeba', 'ffhq', 'shoes', 'clevr', 'folder'\), got 'faces'"),
        (("folder", 48), "resolution must be a power of two from 8, got 48"),
        (("folder", 64, 0), "processes must be at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, tmp_path):
    name, *rest = arguments
    with pytest.raises(ValueError, match=message):
        prepare_pictures(name, tmp_path, tmp_path / "out", *rest)


def test_an_empty_source_and_pictures_too_small_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no pictures"):
        prepare_pictures("folder", tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match=r"beach.png must have at least 128 pixels a side after cropping, got 70"):
        prepare_pictures("folder", _strangers(tmp_path), tmp_path / "out", 128)
