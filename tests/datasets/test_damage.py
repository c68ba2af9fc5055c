"""Damaged and wrong inputs: a clear error that names the file, or recovery from an older checkpoint; nothing lost."""

import errno
import json
import os
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from wwlib.base.device import choose_compute
from wwlib.base.files import load_tensors, save_json, save_tensors, tensor_digest
from wwlib.datasets.pictures import ImageFolder
from wwlib.datasets.published import Published3DShapes, PublishedDSprites
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
    "a folder called png": lambda path: path.mkdir(),
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


def test_a_folder_of_links_in_a_circle_ends(tmp_path):
    write_png(tmp_path / "a.png")
    (tmp_path / "round").symlink_to(tmp_path)
    assert len(ImageFolder(tmp_path, 8)) >= 1


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
