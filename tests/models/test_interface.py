"""What claims to be a generator offers what the tools that draw ask of it."""

import ast
import inspect

import pytest
import torch

from tests.tiny import TINY
from wwlib.base.paths import ROOT
from wwlib.metrics.lengths import perceptual_path_length, tpl
from wwlib.models.autoencoder import Autoencoder
from wwlib.models.config import build_networks
from wwlib.models.interface import GeneratorLike
from wwlib.models.vaes import VAE, VAEConfig

CASES = {
    "Generator": lambda: build_networks(TINY)[0],
    "Decoder": lambda: VAE(VAEConfig()).generator,
    "Autoencoder": lambda: Autoencoder(codes=4),
}
METHOD = "sample_noise"


class Pixels:
    provenance = "pixels"

    def embed(self, images):
        return images.flatten(1)


def claimants(folder):
    """Every class in a folder that has a method `sample_noise`: (its name, the names of that method's arguments)."""
    return [
        (node.name, [argument.arg for argument in method.args.args])
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name != GeneratorLike.__name__
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == METHOD
    ]


def test_every_generator_of_the_library_is_tried_here():
    assert {name for name, _ in claimants(ROOT / "wwlib")} == set(CASES)


def test_generators_and_those_that_stand_for_them_in_tests_take_the_same_arguments():
    expected = list(inspect.signature(GeneratorLike.sample_noise).parameters)
    found = claimants(ROOT / "wwlib") + claimants(ROOT / "tests")
    assert len(found) > len(CASES)
    assert [(name, arguments) for name, arguments in found if arguments != expected] == []


@pytest.mark.parametrize("name", CASES)
def test_a_generator_draws_with_noise_that_it_draws_itself_and_without(name):
    made = CASES[name]()
    assert type(made).__name__ == name
    codes = torch.zeros(3, made.codes)
    noise = made.sample_noise(3, torch.Generator().manual_seed(0), "cpu")
    again = made.sample_noise(3, generator=torch.Generator().manual_seed(0))
    assert [len(part) for part in noise] == [3] * len(noise)
    assert all(torch.equal(a, b) for a, b in zip(noise, again, strict=True))
    images = made(codes, noise)
    assert images.shape == made(codes).shape == (3, 3, made.resolution, made.resolution)
    assert torch.equal(images, made(codes, noise=again))


@pytest.mark.parametrize("name", CASES)
def test_every_generator_can_be_scored_by_the_lengths_of_its_paths(name):
    made = CASES[name]()
    score = tpl(made, Pixels(), traversals=2, points=3, threshold=0.0)
    assert score.every.shape == (2, made.codes)
    assert score.lengths.max() > 0
    assert perceptual_path_length(made, Pixels(), samples=4) > 0
