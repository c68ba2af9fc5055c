"""The smallest PS-SC training there is, shared by the tests of training."""

import torch

from wwlib.base.device import Compute
from wwlib.models.config import Config, replace_config
from wwlib.training.loop import train
from wwlib.training.recipes import recipe

CPU = Compute(torch.device("cpu"))
# for a fork server, so that its processes are born with what otherwise takes them seconds to import
PRELOAD = ["tests.tiny", "torch._dynamo"]
TINY = Config(
    modules=("Const-8", "C_spgroup-2-2", "ResConv-up-1", "C_spgroup-2-2", "Noise-1", "ResConv-up-1", "C_global-1"),
    widths={8: 8, 16: 4},
    discriminator_widths={8: 4, 4: 8},
    recogniser_widths={8: 4, 4: 8},
    features=8,
    resolution=16,
    batch=4,
    images=80,
    r1_every=4,
    dataset="small rooms",
)

# the same for pictures of 32 px
TINY_32 = replace_config(
    recipe("shapes3d-32"),
    modules=("Const-8", "C_spgroup-2-3", "ResConv-up-1", "C_spgroup-2-3", "ResConv-up-1", "ResConv-up-1"),
    widths={8: 8, 16: 4, 32: 4},
    discriminator_widths={16: 4, 8: 8, 4: 8},
    recogniser_widths={16: 4, 8: 8, 4: 8},
    discriminator_residual=(),
    recogniser_residual=(),
    features=8,
    batch=4,
    images=16,
)


class Noise:
    """Images without factors, from the run's own random stream."""

    def __init__(self, resolution: int = 16):
        self.resolution = resolution

    def sample_images(self, n, generator):
        return torch.rand(n, 3, self.resolution, self.resolution, generator=generator) * 2 - 1


def flat(state):
    """Every weight of a training's networks as one vector."""
    return torch.cat([p.detach().flatten() for network in state.networks().values() for p in network.parameters()])


def curve(log):
    """A log without its wall times."""
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in log]


MORTAL = replace_config(TINY, images=4 * 300)


def live(folder, save_seconds):
    """What a process does that trains until it is done or killed."""
    torch.set_num_threads(1)
    train(MORTAL, Noise(), folder, CPU, save_seconds=save_seconds, log_every=10, progress=False)
