"""The memory that a training needs, computed from its networks, and the micro-batch that fits a budget.

The tensors that autograd saves for the backward pass are counted on fake tensors, which have a shape but no numbers, so
that a model for a large GPU is measured on a laptop in seconds. The CUDA context and cuDNN's workspaces, a few hundred
MB, are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from wwlib.base.device import Compute
from wwlib.models.config import GROUP, Config, replace_config
from wwlib.training.batch import loss_of_discriminator, loss_of_generator
from wwlib.training.step import Training

BUDGET = 6.0  # gigabytes that are usually free on a shared or small card


@dataclass(frozen=True)
class Need:
    """Bytes that a training needs on its device.

    Args:
        kept_bytes: of weights, gradients, Adam's two moments and the running average of G, for any batch.
        passes: for G's and D's forward pass, the bytes saved for backward: a constant, and those for each image.
    """

    kept_bytes: int
    passes: tuple[tuple[int, int], ...]

    def bytes(self, micro_batch: int) -> int:
        """Return the bytes needed when `micro_batch` real images go through the networks at once."""
        return self.kept_bytes + max(fixed + per_image * micro_batch for fixed, per_image in self.passes)


class _Shapes:
    """A data set of zeros, since only the images' shape matters here."""

    def __init__(self, config: Config):
        self.config = config

    def sample_images(self, n, generator):
        return torch.zeros(n, self.config.channels, self.config.resolution, self.config.resolution)


def saved_for_backward(state: Training, images: int, own: set[int]) -> tuple[int, int]:
    """Return the bytes that autograd saves for the backward pass of G's loss, and of D's with R1, on part of a batch.

    Each storage counts once. In addition, the backward pass holds the gradient of one map while it computes the next;
    for these, twice the largest map is added.

    Args:
        state: of a training.
        images: real images in the part.
        own: identities of the storages that do not count, those of the weights.
    """
    part = state.draw().part(slice(0, images), 0, state.compute.device)

    def generator_pass():
        state.discriminator.requires_grad_(False)
        with state.compute.autocast():
            return loss_of_generator((state.generator, state.discriminator, state.recogniser), part, state.config)

    def discriminator_pass():
        state.discriminator.requires_grad_(True)
        fake = torch.zeros_like(part.real)
        return loss_of_discriminator(state.discriminator, part.real, fake, state.config, True, state.compute)

    saved_bytes = []
    for run in (generator_pass, discriminator_pass):
        saved = {}

        def keep(tensor, saved=saved):
            storage = tensor.untyped_storage()
            if storage._cdata not in own:
                saved[storage._cdata] = storage  # kept alive, so that no other storage can get its address
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            graph = run()
        sizes = [storage.nbytes() for storage in saved.values()]
        saved_bytes.append(sum(sizes) + 2 * max(sizes))
        del graph
    return saved_bytes[0], saved_bytes[1]


def kept_bytes(networks: dict[str, nn.Module]) -> int:
    """Return the bytes of weights, gradients and Adam's two moments, and of the running average, which has neither."""
    return sum(
        parameter.numel() * parameter.element_size() * (1 if name == "average" else 4)
        for name, network in networks.items()
        for parameter in network.parameters()
    )


def memory_need(config: Config, dtype: torch.dtype | None = None, processes: int = 1) -> Need:
    """Return the need of a training, computed from two batch sizes, since it grows linearly with the batch.

    Args:
        config: of the training; its batch does not matter.
        dtype: of autocast; None for float32.
        processes: that share a batch; more than one need a copy of the gradients to add them up.
    """
    sizes = (4 * GROUP, 8 * GROUP)  # so large that the largest tensor is a map, not a layer's weights
    config = replace_config(config, batch=sizes[1])
    state = Training(config, _Shapes(config), Compute(torch.device("cpu"), dtype))
    weights = [p for network in state.networks().values() for p in network.parameters()]
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fakes = [
            mode.from_tensor(weight) for weight in weights
        ]  # kept in a list, since the mode holds weak references only
        own = {fake.untyped_storage()._cdata for fake in fakes}
        saved = [saved_for_backward(state, images, own) for images in sizes]
    permanent = kept_bytes(state.networks())
    if processes > 1:
        trained = (state.generator, state.discriminator, state.recogniser)
        permanent += sum(p.numel() * p.element_size() for network in trained for p in network.parameters())
    passes = []
    for small, large in zip(*saved, strict=True):
        per_image = (large - small) // (sizes[1] - sizes[0])
        passes.append((small - per_image * sizes[0], per_image))
    return Need(permanent, tuple(passes))


def choose_micro_batch(
    config: Config,
    rows: int,
    gigabytes: float | None = None,
    dtype: torch.dtype | None = None,
    processes: int = 1,
) -> int:
    """Return the micro-batch that fits a budget and splits the batch into the fewest, about equal, parts.

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
    """Return the micro-batch of `choose_micro_batch` for a need that has been computed already."""
    fitting = [size for size in range(GROUP, rows + 1, GROUP) if need.bytes(size) <= gigabytes * 1e9]
    if not fitting:
        least = need.bytes(GROUP) / 1e9
        raise ValueError(f"memory must be at least {least:.2f} GB for {GROUP} images of this model, got {gigabytes:g}")
    parts = -(-rows // fitting[-1])
    return GROUP * -(-rows // (GROUP * parts))
