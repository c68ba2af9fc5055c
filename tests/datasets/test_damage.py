"""Damaged and wrong inputs: a clear error that names the file, or recovery from an older checkpoint; nothing lost."""

import errno
import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational
from safetensors.torch import save_file

from wwlib.base import paths
from wwlib.base.device import choose_compute
from wwlib.base.files import load_tensors, save_json, save_tensors, tensor_digest
from wwlib.datasets.pictures import ImageFolder, Unreadable, list_pictures, read_picture
from wwlib.datasets.prepare import prepare_pictures
from wwlib.datasets.published import Published3DShapes, PublishedDSprites
from wwlib.models import shipped
from wwlib.models.config import replace_config
from wwlib.models.shipped import load_model
from wwlib.models.vaes import load_vae
from wwlib.training.checkpoint import save_checkpoint
from wwlib.training.loop import train
from wwlib.training.recipes import recipe
from wwlib.training.step import Training

h5py = pytest.importorskip("h5py", reason="reading 3dshapes.h5 needs h5py")
CPU = choose_compute("cpu")
SMALL = replace_config(
    recipe("shapes3d-32"), modules=("Const-16", "C_spgroup-1-2", *["ResConv-up-1"] * 3), widths={8: 8, 16: 8, 32: 8},
    discriminator_widths={16: 8, 8: 8, 4: 8}, recogniser_widths={16: 8, 8: 8, 4: 8}, discriminator_residual=(),
    features=8, batch=4, images=40,
)  # fmt: skip


# pictures


def png(width=12, height=12, mode="RGB", value=100):
    return Image.fromarray(np.full((height, width, 3), value, np.uint8)).convert(mode)


def write_png(path, **kind):
    png(**kind).save(path, format="PNG")


def truncated(path):
    write_png(path, width=200, height=200)
    path.write_bytes(path.read_bytes()[:80])


def sixteen_bits(path):
    Image.fromarray(np.full((12, 12), 40_000, np.uint16)).save(path, format="PNG")


def cmyk(path):
    png(mode="CMYK").save(path, format="JPEG")


def palette_with_alpha(path):
    png(mode="P").save(path, format="PNG", transparency=0)


def huge_header(path):
    write_png(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 200_000, 200_000)
    path.write_bytes(bytes(data))


READABLE = {
    "RGB": write_png,
    "grey": lambda path: write_png(path, mode="L"),
    "one bit": lambda path: write_png(path, mode="1"),
    "with transparency": lambda path: write_png(path, mode="RGBA"),
    "palette": lambda path: write_png(path, mode="P"),
    "palette with transparency": palette_with_alpha,
    "16 bits": sixteen_bits,
    "CMYK": cmyk,
    "a single pixel": lambda path: write_png(path, width=1, height=1),
    "very wide": lambda path: write_png(path, width=500, height=2),
    "a JPEG called png": lambda path: png().save(path, format="JPEG"),
}
BROKEN = {
    "zero bytes": lambda path: path.write_bytes(b""),
    "text called png": lambda path: path.write_text("no picture"),
    "truncated": truncated,
    "a header of 40 gigapixels": huge_header,
    "a zip called png": lambda path: zipfile.ZipFile(path, "w").close(),
    "a dangling link": lambda path: path.symlink_to(path.parent / "nowhere.png"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", READABLE)
def test_odd_pictures_are_read(kind, tmp_path):
    READABLE[kind](tmp_path / "picture.png")
    image = ImageFolder(tmp_path, 8).image(0)
    assert image.shape == (3, 8, 8)
    assert -1 <= image.min() <= image.max() <= 1


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_pictures_are_named(kind, tmp_path):
    BROKEN[kind](tmp_path / "picture.png")
    with pytest.raises(ValueError, match=r"picture\.png is not a readable picture"):
        ImageFolder(tmp_path, 8).image(0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_called_png_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png is not a readable picture: no regular file"):
        ImageFolder(tmp_path, 8).image(0)


def test_a_damaged_description_of_a_folder_is_named_and_a_strangers_does_not_matter(tmp_path):
    write_png(tmp_path / "a.png")
    (tmp_path / "about.json").write_text("[1]")
    assert len(ImageFolder(tmp_path, 8)) == 1
    (tmp_path / "about.json").write_text('{"finished": tr')
    with pytest.raises(ValueError, match=r"about\.json is damaged .* prepare the pictures anew"):
        ImageFolder(tmp_path, 8)
    pictures_in(tmp_path / "others", "b.png")
    with pytest.raises(ValueError, match=r"about\.json is damaged"):
        prepare_pictures("folder", tmp_path / "others", tmp_path, 8, progress=False)
    with pytest.raises(ValueError, match="resolution must be at least 1, got 0"):
        ImageFolder(tmp_path / "others", 0)


def names(folder):
    return [file.relative_to(folder).as_posix() for file in list_pictures(folder)]


def pictures_in(folder, *files):
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        write_png(folder / file)
    return folder


def test_links_to_other_folders_are_followed(tmp_path):
    elsewhere = pictures_in(tmp_path / "elsewhere", "c.png", "d.png")
    pictures_in(elsewhere / "deeper", "e.png")
    folder = pictures_in(tmp_path / "pictures", "a.png", "b.png")
    (folder / "linked").symlink_to(elsewhere)
    assert names(folder) == ["a.png", "b.png", "linked/c.png", "linked/d.png", "linked/deeper/e.png"]
    assert ImageFolder(folder, 8).image(4).shape == (3, 8, 8)


def test_links_in_circles_end_and_no_picture_comes_twice(tmp_path):
    folder = pictures_in(tmp_path / "pictures", "a.png")
    other = pictures_in(tmp_path / "other", "b.png")
    (folder / "round").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (folder / "to_other").symlink_to(other)
    (folder / "to_other_again").symlink_to(other)
    (other / "back").symlink_to(folder)
    (other / "above").symlink_to(tmp_path)
    (other / "round").symlink_to(other)
    assert names(folder) == ["a.png", "to_other/b.png"]


def test_a_link_to_a_folder_that_is_there_anyway_changes_no_name(tmp_path):
    folder = pictures_in(tmp_path / "pictures", "a.png")
    pictures_in(folder / "real", "b.png")
    before = ImageFolder(folder, 8).fingerprint()
    (folder / "an_alias").symlink_to(folder / "real")
    assert names(folder) == ["a.png", "real/b.png"]
    assert ImageFolder(folder, 8).fingerprint() == before


def test_a_linked_folder_may_be_the_source_itself(tmp_path):
    pictures_in(tmp_path / "real", "a.png")
    (tmp_path / "source").symlink_to(tmp_path / "real")
    assert names(tmp_path / "source") == ["a.png"]


def test_names_that_are_no_utf8_and_folders_called_like_pictures_are_named_and_passed_over(tmp_path, capsys):
    folder = pictures_in(tmp_path / "pictures", "a.png")
    pictures_in(folder / "x.jpg", "inside.png")
    try:
        write_png(folder / os.fsdecode(b"caf\xe9.png"))
        (folder / os.fsdecode(b"\xff")).mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    write_png(folder / os.fsdecode(b"\xff") / "b.png")
    pictures = ImageFolder(folder, 8)
    assert names(folder) == ["a.png", "x.jpg/inside.png"]
    assert pictures.image(1).shape == (3, 8, 8)
    assert pictures.fingerprint()
    said = capsys.readouterr().err.splitlines()[0]
    assert f"{folder}: 3 passed over" in said
    assert r"b'caf\xe9.png'" in said
    assert "x.jpg (a folder called like a picture)" in said
    about = prepare_pictures("folder", folder, tmp_path / "out", 8, progress=False)
    assert about["count"] == 2


# EXIF


def with_exif(exif, mode="RGB"):
    """A JPEG of 30 by 20 pixels, white on the left, with these bytes for EXIF."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :10] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", exif=exif)
    return buffer.getvalue()


def exif_block(orientation=6):
    """EXIF as cameras write it: several kinds of values, the orientation among them."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "maker", "model", "2026:11:28 10:00:00"
    exif[0x011A] = exif[0x011B] = IFDRational(72, 1)
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0x829A: IFDRational(1, 60), 0x9003: "2026:11:28 10:00:00", 0xA002: 30})
    exif.get_ifd(0x8825).update({1: "N", 2: (IFDRational(48), IFDRational(8), IFDRational(0))})
    return exif.tobytes()


def odd_entry(tag, kind, count, value):
    """EXIF of two entries: the orientation, upright by a quarter turn, and an odd one."""
    entries = sorted([(0x0112, 3, 1, struct.pack("<HH", 6, 0)), (tag, kind, count, value)])
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + body + b"\0\0\0\0"


ODD = {
    "a resolution as text": (0x011A, 2, 4, b"72\0\0"),
    "a resolution of another kind": (0x011A, 3, 1, b"\x48\0\0\0"),
    "a resolution beyond the end": (0x011A, 5, 1, b"\xff\xff\0\0"),
    "a maker as a number": (0x010F, 4, 1, b"\x01\0\0\0"),
    "a kind that is none": (0x0131, 99, 1, b"\0\0\0\0"),
    "sub-directory of text": (0x8769, 2, 4, b"abc\0"),
    "a sub-directory beyond the end": (0x8769, 4, 1, b"\xff\xff\xff\x7f"),
    "a sub-directory that is this one": (0x8825, 4, 1, b"\x08\0\0\0"),
    "a million values": (0x0131, 4, 2**20, b"\x08\0\0\0"),
}


@pytest.mark.parametrize("kind", ODD)
def test_the_orientation_counts_whatever_stands_beside_it(kind, tmp_path):
    (tmp_path / "a.jpg").write_bytes(with_exif(odd_entry(*ODD[kind])))
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.size == (20, 30)
    assert np.asarray(picture)[:8].min() > 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_pils(orientation, tmp_path):
    (tmp_path / "a.jpg").write_bytes(with_exif(exif_block(orientation)))
    with Image.open(tmp_path / "a.jpg") as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    assert np.array_equal(np.asarray(read_picture(tmp_path / "a.jpg")), expected)


def test_whatever_the_orientation_says_pixels_are_read(tmp_path):
    for value in (0, 9, 65_535):
        (tmp_path / "a.jpg").write_bytes(with_exif(exif_block(value)))
        assert read_picture(tmp_path / "a.jpg").size == (30, 20)


def read_or_named(file):
    """The picture, or None if it is refused under its name; any other error goes on."""
    try:
        return read_picture(file)
    except Unreadable as error:
        if file.name not in str(error):
            raise AssertionError(f"{error} does not name {file.name}") from None
        return None


@pytest.mark.filterwarnings("ignore")  # PIL's notes on what it finds
def test_four_hundred_damaged_exif_blocks_are_read_or_named(tmp_path):
    """Every byte but the pixels' may be wrong: the outcome is a picture, or `Unreadable` with the file's name."""
    random, whole, read = np.random.default_rng(0), exif_block(), 0
    for number in range(400):
        block = bytearray(whole)
        for place in random.integers(6, len(block), size=random.integers(1, 9)):
            block[place] = random.integers(256)
        if number % 5 == 0:
            del block[random.integers(10, len(block)) :]
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(with_exif(bytes(block)))
        picture = read_or_named(file)
        read += picture is not None
        assert picture is None or picture.size in ((30, 20), (20, 30))
    assert read > 390


@pytest.mark.filterwarnings("ignore")
def test_three_hundred_damaged_pictures_are_read_or_named(tmp_path):
    random = np.random.default_rng(1)
    for number in range(300):
        kind = ("PNG", "JPEG", "WEBP", "BMP")[number % 4]
        buffer = io.BytesIO()
        png(24, 16, mode="RGB" if number % 4 in (1, 3) else "RGBA").save(buffer, format=kind)
        data = bytearray(buffer.getvalue())
        for place in random.integers(0, len(data), size=random.integers(1, 9)):
            data[place] = random.integers(256)
        file = tmp_path / f"{number}.{kind.lower()}"
        file.write_bytes(bytes(data))
        picture = read_or_named(file)
        assert picture is None or picture.mode == "RGB"


# transparency


def half_clear(mode, colour=(0, 0, 0)):
    """A picture of 8 by 4 pixels: the left half invisible and of a colour, the right half blue (or grey)."""
    pixels = np.zeros((4, 8, 4), np.uint8)
    pixels[:, :4, :3] = colour
    pixels[:, 4:] = (0, 0, 255, 255)
    return Image.fromarray(pixels).convert(mode)


def palette_with_clear_first(path):
    picture = Image.new("P", (8, 4), 1)
    picture.putpalette([10, 20, 30, 0, 0, 255])
    picture.paste(0, (0, 0, 4, 4))
    picture.save(path, format="PNG", transparency=0)


def a_clear_colour(path):
    pixels = np.asarray(half_clear("RGB", (9, 9, 9)))
    Image.fromarray(pixels).save(path, format="PNG", transparency=(9, 9, 9))


CLEAR = {
    "RGBA": lambda path: half_clear("RGBA", (255, 0, 0)).save(path, format="PNG"),
    "LA": lambda path: half_clear("LA").save(path, format="PNG"),
    "palette": palette_with_clear_first,
    "palette with an alpha each": lambda path: half_clear("RGBA").quantize(8).save(path, format="PNG"),
    "one clear colour": a_clear_colour,
    "WebP": lambda path: half_clear("RGBA", (255, 0, 0)).save(path, format="WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_what_is_transparent_is_white(kind, tmp_path):
    CLEAR[kind](tmp_path / "a.png")
    pixels = np.asarray(read_picture(tmp_path / "a.png"))
    assert pixels.shape == (4, 8, 3)
    assert (pixels[:, :4] == 255).all()
    assert (pixels[:, 4:, 0] < 100).all()


def test_a_grey_of_sixteen_bits_that_stands_for_nothing_is_white_and_others_stay(tmp_path):
    """The report: python-pillow/Pillow#5967 and others, 16 bits a pixel are a case of their own everywhere in PIL."""
    numbers = np.full((8, 8), 40_000, np.uint16)
    numbers[:4] = 20_000
    Image.fromarray(numbers).save(tmp_path / "a.png", transparency=40_000)
    picture = read_picture(tmp_path / "a.png")
    assert picture.getpixel((0, 7)) == (255, 255, 255)
    assert picture.getpixel((0, 0)) == (78, 78, 78)


def test_half_transparent_is_half_white_and_opaque_stays_as_it_is(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 128)).save(tmp_path / "half.png")
    assert np.asarray(read_picture(tmp_path / "half.png"))[0, 0].tolist() == [127, 127, 127]
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    opaque = Image.fromarray(noise).convert("RGBA")
    opaque.save(tmp_path / "opaque.png")
    assert np.array_equal(np.asarray(read_picture(tmp_path / "opaque.png")), noise)


def test_a_picture_without_permission_is_named(tmp_path, monkeypatch):
    write_png(tmp_path / "picture.png")

    def forbidden(path):  # root, as which CI may run, is refused nothing
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", forbidden)
    with pytest.raises(ValueError, match="picture"):
        ImageFolder(tmp_path, 8).image(0)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        ImageFolder(tmp_path, 8)


# published data sets


def npz(path, **arrays):
    np.savez(path, **arrays)


GRID = (1, 1, 2, 1, 2)
CLASSES = np.stack([np.zeros(4, int), *np.unravel_index(np.arange(4), GRID)], axis=1)
PIXELS = np.zeros((4, 64, 64), np.uint8)
NPZ = {
    "zero bytes": lambda path: path.write_bytes(b""),
    "an h5 called npz": lambda path: h5py.File(path, "w").close(),
    "other arrays": lambda path: npz(path, images=PIXELS),
    "too few images": lambda path: npz(path, imgs=PIXELS[:3], latents_classes=CLASSES[:3]),
    "wrong size": lambda path: npz(path, imgs=PIXELS[:, :32], latents_classes=CLASSES),
    "floating pixels": lambda path: npz(path, imgs=PIXELS.astype(np.float32), latents_classes=CLASSES),
    "pixels of 255": lambda path: npz(path, imgs=PIXELS + 255, latents_classes=CLASSES),
    "labels of another grid": lambda path: npz(path, imgs=PIXELS, latents_classes=CLASSES[::-1]),
    "NaN labels": lambda path: npz(path, imgs=PIXELS, latents_classes=CLASSES * np.nan),
    "a pickled object": lambda path: npz(path, imgs=np.array([{}] * 4, object), latents_classes=CLASSES),
}


@pytest.mark.parametrize("kind", NPZ)
def test_wrong_dsprites_files_are_named(kind, tmp_path):
    NPZ[kind](tmp_path / "dsprites.npz")
    with pytest.raises(ValueError, match=r"dsprites\.npz"):
        PublishedDSprites(tmp_path / "dsprites.npz", GRID)


def h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


SHAPES = np.zeros((4, 64, 64, 3), np.uint8)
GRID6 = (1, 1, 1, 2, 1, 2)
LABELS = np.stack(np.unravel_index(np.arange(4), GRID6), axis=1).astype(float)
H5 = {
    "zero bytes": lambda path: path.write_bytes(b""),
    "an npz called h5": lambda path: path.write_bytes(b"PK\x03\x04"),
    "no labels": lambda path: h5(path, images=SHAPES),
    "too few images": lambda path: h5(path, images=SHAPES[:2], labels=LABELS),
    "wrong size": lambda path: h5(path, images=SHAPES[:, :8], labels=LABELS),
    "16-bit pixels": lambda path: h5(path, images=SHAPES.astype(np.uint16), labels=LABELS),
    "labels in another order": lambda path: h5(path, images=SHAPES, labels=np.ascontiguousarray(LABELS[::-1])),
}


@pytest.mark.parametrize("kind", H5)
def test_wrong_3dshapes_files_are_named(kind, tmp_path):
    H5[kind](tmp_path / "3dshapes.h5")
    with pytest.raises(ValueError, match=r"3dshapes\.h5"):
        Published3DShapes(tmp_path / "3dshapes.h5", GRID6)


# weights


def foreign_safetensors(path):
    save_file({"x": torch.zeros(2)}, path)


def pickled(path):
    torch.save({"x": torch.zeros(2)}, path)


def bad_description(path):
    save_file({"x": torch.zeros(2)}, path, metadata={"about": "{no json"})


def other_kind(path):
    save_tensors(path, {"x": torch.zeros(2)}, {"kind": "cake"})


WEIGHTS = {
    "zero bytes": lambda path: path.write_bytes(b""),
    "a pickle": pickled,
    "a foreign safetensors file": foreign_safetensors,
    "a description that is no JSON": bad_description,
    "another kind of content": other_kind,
    "random bytes": lambda path: path.write_bytes(os.urandom(4096)),
}


@pytest.mark.parametrize("loader", [load_model, load_vae])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_files_that_are_no_weights_are_named(loader, kind, tmp_path):
    WEIGHTS[kind](tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        loader(tmp_path / "model.safetensors")


def test_a_shipped_model_whose_weights_are_gone_is_named_with_the_way_to_restore_it(tmp_path, monkeypatch):
    for module in (paths, shipped):
        monkeypatch.setattr(module, "DATA", tmp_path)
    (tmp_path / "rooms.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"rooms\.safetensors is missing: restore it with `git checkout"):
        load_model("rooms")
    (tmp_path / "rooms.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ValueError, match=r"rooms\.safetensors.*Git LFS pointer.*restore it with `git checkout"):
        load_model("rooms")


# checkpoints


@pytest.fixture
def run(tmp_path, shapes):
    """A folder with a finished run of ten steps, and the checkpoint before its last one."""
    train(SMALL, shapes, tmp_path, CPU, save_seconds=0, progress=False)
    assert (tmp_path / "checkpoint.previous.safetensors").exists()
    return tmp_path


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-1000] ^= 16
    path.write_bytes(bytes(data))


def lose_tensors(path):
    tensors, about = load_tensors(path)
    save_tensors(path, dict(list(tensors.items())[:5]), about)


DAMAGES = {
    "zero bytes": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one flipped bit": flip_a_bit,
    "lost tensors": lose_tensors,
    "random bytes": lambda path: path.write_bytes(os.urandom(9_999)),
    "gone": lambda path: path.unlink(),
}


def weights(folder):
    tensors, about = load_tensors(folder / "checkpoint.safetensors")
    return about["step"], tensor_digest(tensors)


@pytest.mark.parametrize("kind", DAMAGES)
def test_training_recovers_from_the_older_checkpoint_to_the_same_end(kind, run, shapes, capsys):
    end = weights(run)
    DAMAGES[kind](run / "checkpoint.safetensors")
    state = train(SMALL, shapes, run, CPU, progress=False)
    assert state.step_number == 10
    assert weights(run) == end
    assert "continued from checkpoint.previous.safetensors" in capsys.readouterr().out


def test_two_damaged_checkpoints_are_named_and_left_where_they_are(run, shapes):
    for name in ("checkpoint.safetensors", "checkpoint.previous.safetensors"):
        (run / name).write_bytes(b"damaged")
    with pytest.raises(ValueError, match="checkpoint"):
        train(SMALL, shapes, run, CPU, progress=False)
    assert (run / "checkpoint.safetensors").read_bytes() == b"damaged"


def test_a_checkpoint_of_another_run_is_refused_not_replaced_by_an_older_one(run, shapes):
    with pytest.raises(ValueError, match="differs in"):
        train(replace_config(SMALL, gamma=3.0), shapes, run, CPU, progress=False)


def test_a_full_disk_leaves_the_last_checkpoint(run, shapes, monkeypatch):
    state = Training(SMALL, shapes, CPU)
    end = weights(run)

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("wwlib.base.files.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(state, run / "checkpoint.safetensors")
    assert weights(run) == end
    assert not list(run.glob(".*"))


def test_a_run_record_that_is_no_json_is_written_anew(run, shapes):
    (run / "run.json").write_text("{half")
    train(SMALL, shapes, run, CPU, progress=False)
    assert json.loads((run / "run.json").read_text())["finished"]


def test_nothing_is_written_where_json_could_not_be_read_again(tmp_path):
    save_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError, match="JSON"):
        save_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}


def test_at_least_forty_cases_are_tried():
    assert sum(map(len, (READABLE, BROKEN, NPZ, H5, WEIGHTS, DAMAGES))) + 8 >= 40
