"""How much memory a training needs, computed from its networks, and the micro-batch that fits a budget.

What backward needs is counted where autograd saves it, on fake tensors: shapes without numbers, so that a model for a
large GPU is measured on a laptop in seconds. Not counted: the CUDA context and cuDNN's workspaces, a few hundred MB.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from wwlib.base.device import Compute
from wwlib.models.config import GROUP, Config, replace_config
from wwlib.training.step import Training

BUDGET = 6.0  # gigabytes: what a shared or a small card has to spare


@dataclass(frozen=True)
class Need:
    """Bytes that a training needs on its device.

    Args:
        kept: weights, gradients, Adam's two moments and the running average of G, whatever the batch.
        passes: of G's and D's forward pass, bytes saved for backward whatever the batch, and bytes an image.
    """

    kept: int
    passes: tuple[tuple[int, int], ...]

    def bytes(self, micro_batch: int) -> int:
        """Return the bytes needed when `micro_batch` real images go through the networks at once."""
        return self.kept + max(fixed + per_image * micro_batch for fixed, per_image in self.passes)


class _Shapes:
    """Images of which only the shape counts."""

    def __init__(self, config: Config):
        self.config = config

    def sample_images(self, n, generator):
        return torch.zeros(n, self.config.channels, self.config.resolution, self.config.resolution)


def saved_for_backward(state: Training, images: int, own: set[int]) -> tuple[int, int]:
    """Return the bytes autograd keeps for the backward pass of G's loss, and of D's with R1, on part of a batch.

    Each storage counts once. Beyond what is saved, backward holds the gradient of one map while it makes the next:
    twice the largest map is added for them.

    Args:
        state: of a training whose next step pays R1.
        images: real images in the part.
        own: identities of the storages that do not count, those of the weights.
    """
    draws, part = state._draw(), slice(0, images)
    real = draws.real[part].contiguous(memory_format=torch.channels_last)

    def generator_pass():
        state.discriminator.requires_grad_(False)
        with state.compute.autocast():
            return state._generator_loss(draws, part)

    def discriminator_pass():
        state.discriminator.requires_grad_(True)
        return state._discriminator_loss(real, torch.zeros_like(real))

    found = []
    for run in (generator_pass, discriminator_pass):
        saved = {}

        def keep(tensor, saved=saved):
            storage = tensor.untyped_storage()
            if storage._cdata not in own:
                saved[storage._cdata] = storage  # kept alive, or another could get its address
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            graph = run()
        sizes = [storage.nbytes() for storage in saved.values()]
        found.append(sum(sizes) + 2 * max(sizes))
        del graph
    return found[0], found[1]


def kept_bytes(networks: dict[str, nn.Module]) -> int:
    """Return the bytes of weights, gradients and Adam's two moments, and of the running average, which has neither."""
    return sum(
        parameter.numel() * parameter.element_size() * (1 if name == "average" else 4)
        for name, network in networks.items()
        for parameter in network.parameters()
    )


def memory_need(config: Config, dtype: torch.dtype | None = None, processes: int = 1) -> Need:
    """Return what a training needs, from two batches: all that grows with the batch grows in a line.

    Args:
        config: of the training; its batch does not matter.
        dtype: of autocast; None for float32.
        processes: that share a batch; more than one need a copy of the gradients to add them up.
    """
    sizes = (4 * GROUP, 8 * GROUP)  # enough that the largest tensor is a map, and not a layer's weights
    config = replace_config(config, batch=sizes[1])
    state = Training(config, _Shapes(config), Compute(torch.device("cpu"), dtype))
    weights = [p for network in state.networks().values() for p in network.parameters()]
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fakes = [mode.from_tensor(weight) for weight in weights]  # the mode itself holds them weakly
        own = {fake.untyped_storage()._cdata for fake in fakes}
        found = [saved_for_backward(state, images, own) for images in sizes]
    kept = kept_bytes(state.networks())
    if processes > 1:
        trained = (state.generator, state.discriminator, state.recogniser)
        kept += sum(p.numel() * p.element_size() for network in trained for p in network.parameters())
    passes = []
    for small, large in zip(*found, strict=True):
        per_image = (large - small) // (sizes[1] - sizes[0])
        passes.append((small - per_image * sizes[0], per_image))
    return Need(kept, tuple(passes))


def choose_micro_batch(
    config: Config,
    rows: int,
    gigabytes: float | None = None,
    dtype: torch.dtype | None = None,
    processes: int = 1,
) -> int:
    """Return the largest micro-batch within a budget, made even over the parts of a batch.

    Args:
        config: of the training.
        rows: real images a step that this process handles.
        gigabytes: the budget, in units of 1e9 bytes; None for 6.
        dtype: of autocast; None for float32.
        processes: that share a batch.

    Raises:
        ValueError: if not even one group of 4 images fits.
    """
    return fit(memory_need(config, dtype, processes), rows, BUDGET if gigabytes is None else gigabytes)


def fit(need: Need, rows: int, gigabytes: float) -> int:
    """Return the micro-batch of `choose_micro_batch` for a need that is known already."""
    fitting = [size for size in range(GROUP, rows + 1, GROUP) if need.bytes(size) <= gigabytes * 1e9]
    if not fitting:
        least = need.bytes(GROUP) / 1e9
        raise ValueError(f"memory must be at least {least:.2f} GB for {GROUP} images of this model, got {gigabytes:g}")
    parts = -(-rows // fitting[-1])
    return GROUP * -(-rows // (GROUP * parts))
