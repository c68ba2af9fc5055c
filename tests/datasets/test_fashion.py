"""Fashion-MNIST: small files in the published format, the shipped pictures, the whole package where it is installed."""

import gzip
import hashlib
import json
import re
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from wwlib.__main__ import main
from wwlib.base.files import load_tensors, save_tensors
from wwlib.base.paths import DATA
from wwlib.datasets.fashion import (
    ARCHIVE,
    CLASSES,
    FOLDER,
    SHOES,
    SPLITS,
    IdxFile,
    load_fashion,
    load_held_out,
    make_archive,
    prepare_fashion,
    read_idx,
)
from wwlib.datasets.pictures import ImageFolder
from wwlib.datasets.prepare import picture_path

COUNT = 20
FILES = (IdxFile("train-images-idx3-ubyte", (COUNT, 28, 28)), IdxFile("train-labels-idx1-ubyte", (COUNT,)))
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
LABELS = (np.arange(COUNT) * 3 % 10).astype(np.uint8)
PACKAGE = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs Debian's package `dataset-fashion-mnist`")


def idx(numbers):
    return struct.pack(f">{1 + numbers.ndim}I", 0x0800 + numbers.ndim, *numbers.shape) + numbers.tobytes()


@pytest.fixture
def small(tmp_path):
    """A folder with twenty pictures of noise in the published format: images as .gz, labels plain."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PIXELS)))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    return folder


# reading


def test_pictures_come_as_published_between_minus_one_and_one(small):
    data = load_fashion(small, files=FILES, resolution=28)
    images = data.images()
    assert images.shape == (COUNT, 1, 28, 28)
    assert torch.equal(((images[:, 0] + 1) * 127.5).round().byte(), torch.from_numpy(PIXELS))
    assert (images.min(), images.max()) == (-1, 1)
    assert data.labels.tolist() == LABELS.tolist()


def test_at_32_px_two_black_pixels_surround_the_published_ones(small):
    wide, narrow = (load_fashion(small, files=FILES, resolution=side).images() for side in (32, 28))
    assert wide.shape == (COUNT, 1, 32, 32)
    assert torch.equal(wide[:, :, 2:30, 2:30], narrow)
    wide[:, :, 2:30, 2:30] = -1
    assert torch.equal(wide, torch.full_like(wide, -1))


def test_classes_are_chosen_by_name_in_the_published_order(small):
    data = load_fashion(small, classes=("bag", "sandal"), files=FILES)
    rows = [row for row in range(COUNT) if CLASSES[LABELS[row]] in ("bag", "sandal")]
    assert data.positions.tolist() == rows
    assert [CLASSES[label] for label in data.labels] == [CLASSES[LABELS[row]] for row in rows]
    assert np.array_equal(data.pixels.numpy(), PIXELS[rows])
    assert len(data) == len(data.of(("bag",))) + len(data.of(("sandal",))) == 4


def test_samples_follow_their_generator_and_show_pictures_of_the_set(small):
    data = load_fashion(small, classes=("bag",), files=FILES)
    first, again = (data.sample_images(8, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert all(any(torch.equal(image, known) for known in data.images()) for image in first)


@pytest.mark.parametrize("name", [file.name for file in FILES])
def test_a_file_is_read_plain_or_compressed_whatever_its_name_says(name, small):
    expected = load_fashion(small, files=FILES)
    plain = idx(PIXELS if "images" in name else LABELS)
    for written, content in ((name, plain), (f"{name}.gz", plain), (name, gzip.compress(plain))):
        for path in (small / name, small / f"{name}.gz"):
            path.unlink(missing_ok=True)
        (small / written).write_bytes(content)
        assert torch.equal(load_fashion(small, files=FILES).images(), expected.images())


def test_missing_files_are_named_with_where_they_may_be_had(small):
    (small / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file train-labels-idx1-ubyte or .*\.gz in .*small; `apt-get inst"):
        load_fashion(small, files=FILES)
    with pytest.raises(FileNotFoundError, match=r"t10k-images-idx3-ubyte.* in .*nowhere"):
        load_fashion(small / "nowhere", "test")


HEAD = struct.pack(">4I", 0x0803, COUNT, 28, 28)
DAMAGED = {
    "no bytes": (b"", "must begin with the magic number 00000803, got no bytes"),
    "labels instead of images": (idx(LABELS), "must begin with the magic number 00000803, got 00000801"),
    "text": (b"<!DOCTYPE html>", "must begin with the magic number 00000803, got 3c21444f"),
    "a header cut off": (HEAD[:10], "must hold 20 x 28 x 28 numbers, got 20 x 0 x 0"),
    "fewer pictures": (idx(PIXELS[:7]), "must hold 20 x 28 x 28 numbers, got 7 x 28 x 28"),
    "larger pictures": (struct.pack(">4I", 0x0803, COUNT, 32, 32), "must hold 20 x 28 x 28 numbers, got 20 x 32 x 32"),
    "an end cut off": (idx(PIXELS)[:-5], r"must have 15,696 bytes \(unpacked\), got 15,691"),
    "bytes behind the end": (idx(PIXELS) + b"12", r"must have 15,696 bytes \(unpacked\), got 15,698"),
    "half a gzip file": (gzip.compress(idx(PIXELS))[:3000], "must be a whole gzip file, got a damaged one: .*ended"),
    "a flipped bit in a gzip file": (
        gzip.compress(idx(PIXELS))[:-6] + b"\0" * 6,
        "must be a whole gzip file, got a damaged one: CRC",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_named_with_what_was_expected_and_seen(kind, small):
    content, message = DAMAGED[kind]
    (small / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(ValueError, match=rf"small.train-images-idx3-ubyte\.gz {message}"):
        load_fashion(small, files=FILES)


def test_one_changed_byte_is_told_by_the_checksum(small):
    content = idx(LABELS)
    file = IdxFile(FILES[1].name, FILES[1].shape, hashlib.sha256(content).hexdigest())
    assert read_idx(small, file).tolist() == LABELS.tolist()
    (small / file.name).write_bytes(content[:-1] + b"\x05")
    with pytest.raises(ValueError, match=rf"idx1-ubyte must have the SHA-256 {file.digest} .*, got [0-9a-f]{{64}}$"):
        read_idx(small, file)


def test_a_small_set_is_not_taken_for_the_published_one(small):
    with pytest.raises(ValueError, match="must hold 60000 x 28 x 28 numbers, got 20 x 28 x 28"):
        load_fashion(small)


def test_files_that_do_not_fit_together_are_refused(small):
    (small / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:19]))
    with pytest.raises(ValueError, match=r"N images of 28 x 28 and N labels, got \(20, 28, 28\) and \(19,\)"):
        load_fashion(small, files=(FILES[0], IdxFile(FILES[1].name, (19,))))
    (small / "train-labels-idx1-ubyte").write_bytes(idx(LABELS.clip(min=10)))
    with pytest.raises(ValueError, match=r"idx1-ubyte must hold labels from 0 to 9, got 10"):
        load_fashion(small, files=FILES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(split="valid"), r"split must be one of \('train', 'test'\), got 'valid'"),
        (dict(classes=("boot",)), r"classes must be among \('t-shirt', .*, got 'boot'"),
        (dict(classes=()), r"must name at least one class, and each once, got \(\)"),
        (dict(classes=("bag", "bag")), r"and each once, got \('bag', 'bag'\)"),
        (dict(resolution=64), "resolution must be 28 or 32, got 64"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, small):
    with pytest.raises(ValueError, match=message):
        load_fashion(small, **(dict(files=FILES) | arguments))


# preparing


def test_prepare_writes_the_chosen_classes_as_an_image_folder(small, tmp_path):
    about = prepare_fashion(small, tmp_path / "out", ("bag", "sandal"), files=FILES)
    data = load_fashion(small, classes=("bag", "sandal"), files=FILES)
    order = np.arange(len(data))
    np.random.RandomState(123).shuffle(order)
    pictures = ImageFolder(tmp_path / "out", 32)
    assert len(pictures) == about["count"] == 4
    for number, index in enumerate(order):
        assert torch.equal(pictures.image(number), data.images()[index].expand(3, -1, -1))
    assert about == json.loads((tmp_path / "out" / "about.json").read_text())
    assert about["classes"] == ["sandal", "bag"]
    assert (about["set"], about["split"], about["published"], about["finished"]) == ("fashion", "train", COUNT, True)
    assert str(tmp_path) not in json.dumps(about)


def test_smaller_prepared_pictures_are_means_of_boxes(small, tmp_path):
    prepare_fashion(small, tmp_path / "out", ("bag",), resolution=16, files=FILES)
    padded = np.pad(PIXELS[LABELS == 8][0].astype(float), 2)
    boxes = padded.reshape(16, 2, 16, 2).mean(axis=(1, 3))
    rows = np.arange(int((LABELS == 8).sum()))
    np.random.RandomState(123).shuffle(rows)
    written = np.asarray(Image.open(picture_path(tmp_path / "out", list(rows).index(0)))).astype(float)
    assert np.abs(written - boxes[..., None]).max() <= 0.5


def test_a_stopped_preparation_continues_and_other_classes_do_not_mix(small, tmp_path):
    out = tmp_path / "out"
    prepare_fashion(small, out, ("bag", "coat"), files=FILES)
    first, modified = picture_path(out, 1).read_bytes(), picture_path(out, 0).stat().st_mtime_ns
    picture_path(out, 1).unlink()
    prepare_fashion(small, out, ("coat", "bag"), processes=2, files=FILES)
    assert picture_path(out, 1).read_bytes() == first
    assert picture_path(out, 0).stat().st_mtime_ns == modified
    with pytest.raises(ValueError, match=r"was prepared with classes \['coat', 'bag'\] instead of \['bag'\]"):
        prepare_fashion(small, out, ("bag",), files=FILES)
    with pytest.raises(ValueError, match=r"resolution must be at most 32 for fashion, got 64"):
        prepare_fashion(small, tmp_path / "large", resolution=64, files=FILES)


def test_the_command_prepares_chosen_classes(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SPLITS, "test", FILES)
    words = ["prepare", "fashion", str(small), str(tmp_path / "out"), "--classes", "sneaker,sandal", "--split", "test"]
    assert main(words) == 0
    assert "4 pictures of 20 published ones of 32 px" in capsys.readouterr().out
    assert len(ImageFolder(tmp_path / "out", 32)) == 4
    assert main(["prepare", "fashion", str(small), str(tmp_path / "other"), "--classes", "clog"]) == 1
    assert "got 'clog'" in capsys.readouterr().err
    assert main(["prepare", "folder", str(small), str(tmp_path / "other"), "--classes", "bag"]) == 1
    assert "--classes is for fashion alone" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


# what is shipped


def test_the_shipped_pictures_are_200_shoes_and_200_bags():
    data = load_held_out()
    assert ARCHIVE.stat().st_size < 400_000
    assert len(data.of(SHOES)) == len(data.of(("bag",))) == 200
    assert all(len(data.of((shoe,))) > 50 for shoe in SHOES)
    assert len(data.positions.unique()) == len(data) == len(data.pixels.flatten(1).unique(dim=0)) == 400
    assert torch.equal(load_held_out(("bag",), 28).images(), data.of(("bag",)).images()[:, :, 2:30, 2:30])
    with pytest.raises(ValueError, match=r"classes must be among \('sandal', 'sneaker', 'bag', 'ankle-boot'\), .*coat"):
        load_held_out(("coat",))


def test_licence_and_source_are_given_with_the_shipped_pictures():
    notice = "Copyright (c) 2017 Zalando SE"
    assert notice in load_tensors(ARCHIVE)[1]["source"]
    text = " ".join((DATA / "README.md").read_text(encoding="utf-8").split())
    assert notice in text
    assert re.search(r"above copyright notice and this permission notice shall be included in all copies", text)


def test_an_archive_of_another_kind_or_shape_is_named(tmp_path):
    tensors, about = load_tensors(ARCHIVE)
    save_tensors(tmp_path / "few.safetensors", {name: t[:9] for name, t in tensors.items()}, about)
    with pytest.raises(ValueError, match=r"few.safetensors must hold photographs .*got 'fashion' .*\(9, 28, 28\)"):
        load_held_out(archive=tmp_path / "few.safetensors")
    with pytest.raises(ValueError, match=r"avatars.safetensors must hold photographs .*got 'avatars'"):
        load_held_out(archive=DATA / "avatars.safetensors")


# the whole package


@pytest.mark.needs_photographs
@PACKAGE
@pytest.mark.parametrize(("split", "each"), [("train", 6_000), ("test", 1_000)])
def test_the_package_holds_as_many_pictures_of_every_class(split, each):
    data = load_fashion(split=split)
    assert data.labels.bincount().tolist() == [each] * 10
    assert len(data.of(SHOES)) == 3 * each


@pytest.mark.needs_photographs
@PACKAGE
def test_the_packages_files_are_the_published_ones():
    """With the name and time that the published files have in their headers, they have the published MD5s."""
    published = {
        "train-images-idx3-ubyte": (1_504_176_606, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        "train-labels-idx1-ubyte": (1_504_176_606, "25c81989df183df01b3e8a0aad5dffbe"),
        "t10k-images-idx3-ubyte": (1_504_176_627, "bef4ecab320f06d8554ea6380940ec79"),
        "t10k-labels-idx1-ubyte": (1_504_176_627, "bb300cfdad3c16e7a12a480ee83cd310"),
    }
    for name, (seconds, md5) in published.items():
        packed = (FOLDER / f"{name}.gz").read_bytes()
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", seconds) + packed[8:10] + name.encode() + b"\0"
        assert hashlib.md5(header + packed[10:]).hexdigest() == md5


@pytest.mark.needs_photographs
@PACKAGE
def test_the_shipped_pictures_are_the_packages_and_none_is_among_its_training_pictures(tmp_path):
    make_archive(tmp_path / "fashion.safetensors")
    remade, shipped = load_tensors(tmp_path / "fashion.safetensors"), load_tensors(ARCHIVE)
    assert remade[1] == shipped[1]
    assert all(torch.equal(remade[0][name], shipped[0][name]) for name in ("pixels", "labels", "positions"))
    held_out, test = load_held_out(), load_fashion(split="test")
    assert torch.equal(held_out.images(), test.images(held_out.positions))
    assert torch.equal(held_out.labels, test.labels[held_out.positions])
    trained_on = {picture.numpy().tobytes() for picture in load_fashion().pixels}
    assert not any(picture.numpy().tobytes() in trained_on for picture in held_out.pixels)
