"""Recipes: each builds, and the paper's setting is the recovered one."""

import re
from types import SimpleNamespace

import pytest
import torch

from wwlib.base.device import Compute
from wwlib.models.config import build_networks, replace_config
from wwlib.models.masks import SpatialConstriction
from wwlib.models.networks import count_codes
from wwlib.training.recipes import RECIPES, make_data, recipe
from wwlib.training.step import Training


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_networks_for_its_images(name):
    config = recipe(name)
    generator, discriminator, recogniser = build_networks(config)
    with torch.no_grad():
        images = generator(torch.zeros(1, generator.codes))
        assert images.shape == (1, config.channels, config.resolution, config.resolution)
        assert discriminator(images).shape == (1,)
        assert recogniser(images).shape == (1, count_codes(config.modules))


def test_the_papers_setting_is_the_one_recovered_from_the_authors_scripts():
    config = recipe("paper-64")
    assert (config.images, config.batch, config.learning_rate) == (15_000_000, 128, 0.002)
    assert (config.C_lambda, config.gamma, config.perturbation) == (0.1, 1.0, 6.0)
    assert count_codes(config.modules) == 9


def test_the_papers_celeba_setting_is_the_one_of_its_readme():
    config = recipe("paper-128")
    assert (config.resolution, config.batch, config.images, config.seed) == (128, 8, 25_000_000, 1000)
    assert (config.C_lambda, config.gamma, config.perturbation) == (0.01, 100.0, 6.0)
    assert (config.learning_rate, config.decay_from, config.ema_images) == (0.002, 1.0, 10_000)
    assert config.mirror
    assert count_codes(config.modules) == 25
    group = ["ResConv-up-1", "C_spgroup-4-5", "ResConv-id-1", "Noise-2"]
    assert [token.partition("@")[0] for token in config.modules] == ["Const-512", *group * 5, "ResConv-id-2"]


def test_channels_follow_the_position_in_the_list_as_in_the_paper():
    """Six modules share a width: 512 twice, then 256 and 128, whatever the resolution; 37.3 million weights."""
    config = recipe("paper-128")
    generator = build_networks(config)[0]
    widths = [max(128, min(512, 1024 >> position // 6)) for position in range(len(config.modules))]
    width, side, expected, walk = 512, 4, 512 * 16, []
    for token, out in zip(config.modules[1:], widths[1:], strict=True):
        token = token.partition("@")[0]
        layers = int(token.rsplit("-", 1)[1])
        if token.startswith("C_"):  # logits of 5 codes x 4 rectangles x 4 edges, and a scale and shift per code
            expected += width * 5 * 4 * 4 * side + 5 * (2 * width + 2 * width)
            walk.append((side, width))
            continue
        side *= 2 if "up" in token else 1
        expected += (9 * width * out + out) + (layers - 1) * (9 * out * out + out)
        expected += layers if token.startswith("Noise") else width * out + out
        width = out
    expected += width * 3 + 3
    assert walk == [(8, 512), (16, 512), (32, 512), (64, 256), (128, 256)]
    masks = [block for block in generator.blocks if isinstance(block, SpatialConstriction)]
    assert [(block.resolution, block.channels) for block in masks] == walk
    count = sum(parameter.numel() for parameter in generator.parameters())
    assert count == expected
    assert round(count / 1e6, 1) == 37.3


def test_the_celeba_setting_takes_a_step_with_an_eighth_of_its_channels():
    config = recipe("paper-128")
    thin = {name: {side: width // 8 for side, width in getattr(config, name).items()}
            for name in ("widths", "discriminator_widths", "recogniser_widths")}  # fmt: skip
    modules = tuple(re.sub(r"(Const-|@)(\d+)", lambda m: f"{m[1]}{int(m[2]) // 8}", token) for token in config.modules)
    config = replace_config(config, modules=modules, batch=4, features=64, **thin)
    images = torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    data = SimpleNamespace(sample_images=lambda n, generator: images[:n])
    state = Training(config, data, Compute(torch.device("cpu")))
    for _ in range(2):
        assert all(value.isfinite() for value in state.step().values())


def test_the_papers_setting_takes_a_step_on_its_own_images():
    config = replace_config(recipe("paper-64"), batch=4)
    state = Training(config, make_data(config.dataset, config.resolution), Compute(torch.device("cpu")))
    assert all(value.isfinite() for value in state.step().values())


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"recipe must be one of .*shapes3d-32.* got 'shapes'"):
        recipe("shapes")
