"""FID by torch-fidelity with a stand-in for Inception: the closed form, and what is said offline."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm

from wwlib.__main__ import main
from wwlib.datasets.pictures import ImageFolder
from wwlib.metrics.frechet import fid, inception_weights

torch_fidelity = pytest.importorskip("torch_fidelity", reason="FID needs torch-fidelity")
COLOURS = "mean colours"


class MeanColours(torch_fidelity.FeatureExtractorBase):
    """Three features of a picture: the mean of each colour, in [-1, 1]."""

    def __init__(self, name, features_list, **_):
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list():
        return ("means",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "means"

    @staticmethod
    def can_be_compiled():
        return False

    def forward(self, pixels):
        return ((pixels.double() / 127.5 - 1).mean(dim=(2, 3)),)


torch_fidelity.register_feature_extractor(COLOURS, MeanColours)


class Plain:
    """A generator of one-coloured pictures: the colour is `offset + spread * codes`."""

    codes = 3

    def __init__(self, offset, spread):
        self.offset, self.spread = torch.tensor(offset), torch.tensor(spread)

    def __call__(self, codes, noise):
        return (self.offset + self.spread * codes)[:, :, None, None].expand(-1, -1, 8, 8)

    def sample_noise(self, batch, generator, device):
        return []


class Drawn:
    """Stands for a folder of one-coloured pictures without reading any; counts what is asked of it."""

    resolution = 8

    def __init__(self, colours, file):
        self.colours, self.files, self.read = colours, [file] * len(colours), 0
        file.touch()

    def __len__(self):
        return len(self.colours)

    def pixels(self, index):
        self.read += 1
        return ((self.colours[index] + 1) * 127.5).round().to(torch.uint8)[:, None, None].expand(-1, 8, 8)


def frechet(a, b):
    """The distance of the two Gaussians that have the samples' means and covariances."""
    covariances = [np.cov(x, rowvar=False) for x in (a, b)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty torch cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_fid_is_the_frechet_distance_of_two_gaussians(tmp_path):
    random = torch.Generator().manual_seed(5)
    mean, spread = torch.tensor([0.1, -0.2, 0.0]), torch.tensor([0.10, 0.05, 0.20])
    real = Drawn((mean + spread * torch.randn(3_000, 3, generator=random)).clamp(-1, 1), tmp_path / "file")
    offset, width = [-0.1, 0.1, 0.2], [0.05, 0.15, 0.10]
    distance = fid(Plain(offset, width), real, 3_000, extractor=COLOURS)
    closed = ((mean - torch.tensor(offset)) ** 2 + (spread - torch.tensor(width)) ** 2).sum().item()
    assert distance == pytest.approx(closed, rel=0.05)

    colours = torch.randn(4_000, 3, generator=random).numpy() * width + offset
    assert distance == pytest.approx(frechet(colours, real.colours.numpy()), rel=0.05)
    once = real.read
    again = fid(Plain(offset, width), real, 3_000, extractor=COLOURS)
    assert again == distance
    assert real.read <= once + 1, "what is known of the real pictures is not worked out again"


def test_equal_pictures_have_distance_zero(tmp_path):
    random = torch.Generator().manual_seed(0)
    real = Drawn(torch.rand(500, 3, generator=random), tmp_path / "file")

    class Copies(Plain):
        start = 0

        def __call__(self, codes, noise):
            self.start += len(codes)
            return real.colours[self.start - len(codes) : self.start, :, None, None].expand(-1, -1, 8, 8)

    assert abs(fid(Copies([0.0], [0.0]), real, 500, extractor=COLOURS)) < 1e-6


def test_codes_and_noise_are_seeded(tmp_path):
    real = Drawn(torch.rand(64, 3, generator=torch.Generator().manual_seed(0)), tmp_path / "file")
    values = [fid(Plain([0.0] * 3, [0.3] * 3), real, 64, extractor=COLOURS, seed=seed) for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_without_weights_and_internet_one_line_says_what_to_put_where(tmp_path, monkeypatch, capsys):
    def offline(url, *_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (32, 32)).save(folder / "a.png")
    assert main(["score", "shapes3d-32-seed0", "--pictures", str(folder), "--device", "cpu"]) == 1
    errors = capsys.readouterr().err
    place = tmp_path / "torch" / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    assert errors.count("\n") == 1
    assert errors.startswith("error: FID needs https://")
    assert f" as {place}, and it could not be fetched" in errors


def test_a_file_that_is_not_the_weights_is_never_unpickled(tmp_path):
    place = tmp_path / "torch" / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    with pytest.raises(ValueError, match="must have a SHA-256 that begins with 6726825d"):
        inception_weights()


def test_one_picture_has_no_spread(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="images must be at least 2, got 1"):
        fid(Plain([0.0], [1.0]), ImageFolder(tmp_path, 8), 1)
