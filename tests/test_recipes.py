"""Recipes: each builds, and the paper's setting is the recovered one."""

import pytest
import torch

from wwlib.config import build_networks, replace_config
from wwlib.device import Compute
from wwlib.networks import count_codes
from wwlib.recipes import RECIPES, make_data, recipe
from wwlib.training import Training


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_networks_for_its_images(name):
    config = recipe(name)
    generator, discriminator, recogniser = build_networks(config)
    images = generator(torch.zeros(4, generator.codes))
    assert images.shape == (4, config.channels, config.resolution, config.resolution)
    assert discriminator(images).shape == (4,)
    assert recogniser(images).shape == (4, count_codes(config.modules))


def test_the_papers_setting_is_the_one_recovered_from_the_authors_scripts():
    config = recipe("paper-64")
    assert (config.images, config.batch, config.learning_rate) == (15_000_000, 128, 0.002)
    assert (config.C_lambda, config.gamma, config.perturbation) == (0.1, 1.0, 6.0)
    assert count_codes(config.modules) == 9


def test_the_papers_setting_takes_a_step_on_its_own_images():
    config = replace_config(recipe("paper-64"), batch=4)
    state = Training(config, make_data(config.dataset, config.resolution), Compute(torch.device("cpu")))
    assert all(value.isfinite() for value in state.step().values())


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"recipe must be one of .*shapes3d-32.* got 'shapes'"):
        recipe("shapes")
