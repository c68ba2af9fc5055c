"""Networks: module lists are read as the paper writes them, and the three players have the stated shapes."""

import pytest
import torch

from wwlib.models.masks import SpatialConstriction
from wwlib.models.networks import Discriminator, Generator, Recogniser, count_codes

MODULES = (
    "Const-16",
    "C_spgroup-2-1",
    "ResConv-up-1",
    "C_spgroup-4-2",
    "ResConv-id-1",
    "Noise-1",
    "ResConv-up-2",
    "C_global-3",
)
WIDTHS = {8: 8, 16: 4}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Generator(MODULES, WIDTHS)


def test_generator_has_the_shapes_of_its_module_list(network):
    images, masks = network(torch.randn(3, 6), return_masks=True)
    assert images.shape == (3, 3, 16, 16)
    assert [tuple(m.shape) for m in masks] == [(3, 1, 4, 4), (3, 2, 8, 8)]
    assert network.noise_resolutions == [8]


def test_masks_of_the_first_module_are_the_same_for_every_sample(network):
    _, masks = network(torch.randn(5, 6), return_masks=True)
    assert torch.allclose(masks[0], masks[0][:1].expand(5, -1, -1, -1), atol=1e-6)
    assert not torch.allclose(masks[1], masks[1][:1].expand(5, -1, -1, -1), atol=1e-4)


def test_a_code_changes_nothing_where_its_mask_is_zero():
    torch.manual_seed(0)
    module = SpatialConstriction(4, 8, 1)
    features = torch.randn(2, 4, 8, 8)
    a, masks = module(features, torch.zeros(2, 1), return_masks=True)
    b = module(features, torch.ones(2, 1))
    change = (a - b).abs().amax(dim=1)
    assert change[:, -1].max() < 1e-4
    assert change[:, :, -1].max() < 1e-4
    assert change.max() > 1e-2
    assert masks[:, 0, -1].max() < 1e-5


def test_shared_noise_makes_the_generator_repeatable(network):
    network.blocks[4].strength.data.fill_(1.0)
    codes = torch.randn(2, 6)
    noise = network.sample_noise(2, torch.Generator().manual_seed(1))
    assert torch.equal(network(codes, noise), network(codes, noise))
    assert not torch.equal(network(codes), network(codes))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (("ResConv-up-1",), "must begin with 'Const"),
        ((), "must begin with 'Const"),
        (("Const-8", "Resconv-up-1"), "'Resconv-up-1' is none of"),
        (("Const-8", "Noise-0"), "'Noise-0' is none of"),
        (("Const-8", "ResConv-up-1", "C_spgroup-4-2@8"), "only ResConv and Noise take channels"),
        (("Const-8", "ResConv-up-1@wide"), "only ResConv and Noise take channels"),
        (("Const-8", "ResConv-up-1", "ResConv-up-1", "ResConv-up-1"), "must name resolution 32"),
    ],
)
def test_a_wrong_module_list_is_named(modules, message):
    with pytest.raises(ValueError, match=message):
        Generator(modules, WIDTHS)


def test_noise_layers_are_single_ones_in_a_row_and_channels_can_change_within_a_resolution():
    torch.manual_seed(0)
    modules = ("Const-8", "ResConv-up-1", "C_spgroup-4-2", "Noise-2@6", "ResConv-id-1", "ResConv-up-1")
    network = Generator(modules, {8: 8, 16: 4})
    shapes = [tuple(block.conv.weight.shape[:2]) for block in network.blocks if hasattr(block, "strength")]
    assert shapes == [(6, 8), (6, 6)]
    assert network.blocks[4].main[0].weight.shape[:2] == (6, 6), "the width stays until the next resolution"
    assert network.noise_resolutions == [8, 8]
    assert network(torch.zeros(2, 2)).shape == (2, 3, 16, 16)


def test_count_codes_is_what_the_generator_takes(network):
    assert count_codes(MODULES) == network.codes == 6
    with pytest.raises(ValueError, match=r"codes must be \[B, 6\], got \(2, 5\)"):
        network(torch.randn(2, 5))


def test_recogniser_answers_each_image_alone_and_the_discriminator_its_group():
    torch.manual_seed(0)
    options = dict(resolution=16, widths={8: 8, 4: 8}, residual=(8,), features=16)
    recogniser, discriminator = Recogniser(5, **options), Discriminator(**options)
    images = torch.randn(8, 3, 16, 16)
    assert recogniser(images).shape == (8, 5)
    assert discriminator(images).shape == (8,)
    assert torch.allclose(recogniser(images)[:1], recogniser(images[:1]), atol=1e-5)
    assert not torch.allclose(discriminator(images)[:1], discriminator(images[:1]), atol=1e-5)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"images must be \[B, 3, 16, 16\], got \(2, 3, 8, 8\)"):
        Recogniser(5, 16, {8: 4, 4: 4})(torch.zeros(2, 3, 8, 8))
