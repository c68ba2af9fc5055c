"""What the caller has switched on around it does not reach a training."""

import pytest
import torch

from tests.tiny import CPU, TINY, Noise, flat
from wwlib.base.descent import descend
from wwlib.models.config import build_networks
from wwlib.models.editing import project
from wwlib.models.vaes import VAEConfig
from wwlib.training.step import Training
from wwlib.training.vae import VAETraining

AROUND = {
    "no_grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


def steps_of_a_gan():
    state = Training(TINY, Noise(), CPU)
    state.step()
    state.step()
    return flat(state)


def steps_of_an_autoencoder():
    config = VAEConfig(family="factor-vae", codes=2, features=8, critic_width=8, batch=4)
    state = VAETraining(config, Noise(32), CPU)
    state.step()
    return torch.cat([weight.detach().flatten() for weight in state.model.parameters()])


def a_descent():
    network = torch.nn.Linear(4, 4, bias=False)
    torch.nn.init.eye_(network.weight)
    points = torch.arange(8.0).view(2, 4)
    descend(network, lambda _: network(points).square().mean(), steps=3, rate=0.1)
    return network.weight.detach()


def a_projection():
    generator, _, recogniser = build_networks(TINY)
    images = Noise().sample_images(2, torch.Generator().manual_seed(0))
    return project(generator, recogniser, images, steps=2)[0]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("train", [steps_of_a_gan, steps_of_an_autoencoder, a_descent, a_projection])
def test_training_inside_of_no_grad_or_autocast_gives_the_same_bits(train, around):
    """The reports: "element 0 of tensors does not require grad", and autocast that reaches what never asked for it."""
    expected = train()
    with AROUND[around]():
        got = train()
    assert torch.equal(got, expected)
    assert got.dtype == torch.float32
