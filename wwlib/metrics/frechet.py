"""FID, the distance between generated and real pictures measured by features of Inception; and Frechet distances.

torch-fidelity computes FID (Heusel et al. 2017). Two FIDs compare only if they use equally many pictures: with fewer
pictures the distance is larger. The paper's figures (FID-50k) use 50,000.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wwlib.datasets.pictures import ImageFolder
from wwlib.metrics.points import LARGEST, as_numbers
from wwlib.models.interface import GeneratorLike

EXTRACTOR = "inception-v3-compat"  # torch-fidelity's name of the network that FID is defined with


def fid(
    generator: GeneratorLike,
    pictures: ImageFolder,
    images: int = 50_000,
    device: torch.device | str = "cpu",
    extractor: str = EXTRACTOR,
    batch: int = 64,
    seed: int = 0,
) -> float:
    """Return the FID of a generator whose codes are drawn from N(0, I).

    Args:
        generator: G; its images are clipped to [-1, 1] here.
        pictures: the real ones; all of them, or the first `images`. Their features are stored in torch-fidelity's
            cache, so that a run computes them once.
        images: to generate.
        device: CUDA or the CPU.
        extractor: a feature extractor known to torch-fidelity.
        batch: pictures at a time.
        seed: of codes and noise.

    Raises:
        ValueError: if torch-fidelity is not installed, or for fewer than two images.
        FileNotFoundError: if Inception's weights can neither be found nor downloaded; the message says what to do.
    """
    if images < 2:
        raise ValueError(f"images must be at least 2, got {images}")
    fidelity = _torch_fidelity()
    if extractor == EXTRACTOR:
        inception_weights()
    device = torch.device(device)
    with contextlib.redirect_stderr(io.StringIO()):  # its notes on caching
        measured = fidelity.calculate_metrics(
            input1=_drawings(fidelity, generator, device, seed),
            input1_model_num_samples=images,
            input2=_Pixels(pictures, images),
            input2_cache_name=_name(pictures, images),
            fid=True,
            cuda=device.type == "cuda",
            feature_extractor=extractor,
            batch_size=batch,
            rng_seed=seed,
            save_cpu_ram=True,
            verbose=False,
        )
    return measured[fidelity.KEY_METRIC_FID]


def check_ready() -> None:
    """Raise, as `fid` would, if torch-fidelity or Inception's weights are missing and cannot be downloaded."""
    _torch_fidelity()
    inception_weights()


def inception_weights() -> Path:
    """Return the file of Inception's weights in torch's cache, downloaded if necessary and checked by its SHA-256.

    Raises:
        FileNotFoundError: without the file and without internet.
        ValueError: if the file's SHA-256 is another than its name says.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL

    path = Path(torch.hub.get_dir()) / "checkpoints" / URL.rsplit("/", 1)[1]
    begins = path.stem.rsplit("-", 1)[1]  # as torch.hub has it, the name ends in the first digits of the hash
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL, str(path), hash_prefix=begins, progress=False)
        except (URLError, OSError) as error:
            raise FileNotFoundError(f"FID needs {URL} as {path}, and it could not be fetched: {error}") from None
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if not sha256.startswith(begins):
        raise ValueError(f"{path} must have a SHA-256 that begins with {begins}, got {sha256[:8]}; delete it")
    return path


def _torch_fidelity():
    try:
        import torch_fidelity
    except ImportError:
        raise ValueError("FID needs the package torch-fidelity: pip install torch-fidelity") from None
    return torch_fidelity


def _drawings(fidelity, generator: GeneratorLike, device: torch.device, seed: int):
    """Return the generator in the form that torch-fidelity asks for, from codes to uint8 pictures."""
    random = torch.Generator().manual_seed(seed)

    class Drawings(fidelity.GenerativeModelBase):
        z_size, z_type, num_classes = generator.codes, "normal", 0

        def forward(self, codes: Tensor) -> Tensor:
            images = generator(codes.to(device), generator.sample_noise(len(codes), random, device))
            return to_bytes(images.expand(-1, 3, -1, -1)).to(codes.device)

    return Drawings()


def to_bytes(images: Tensor) -> Tensor:
    """Return images in [-1, 1], clipped, as uint8."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


class _Pixels(Dataset):
    def __init__(self, pictures: ImageFolder, images: int):
        self.pictures, self.count = pictures, min(images, len(pictures))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        return self.pictures.pixels(index)


def _name(pictures: ImageFolder, images: int) -> str:
    """Return a name for the cached features of these files; it changes with the files, their number or their sizes."""
    hasher = hashlib.sha256(f"{pictures.resolution} {images}".encode())
    for file in pictures.files[:images]:
        state = file.stat()
        hasher.update(f"{file.resolve()} {state.st_size} {state.st_mtime_ns}".encode())
    return f"wwlib-{hasher.hexdigest()[:32]}"


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return the Frechet distance of two Gaussians fitted to two samples of features, `[n, F]` and `[m, F]`.

    |mean difference|^2 + tr(A + B - 2 (A B)^(1/2)) with covariances A and B (Heusel et al. 2017).

    Raises:
        ValueError: for other shapes, a sample of fewer than two vectors, numbers that are not finite or too large.
    """
    first, second = _vectors(first, "first"), _vectors(second, "second")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"first and second must have one length F, got {first.shape[1]} and {second.shape[1]}")
    a, b = (torch.atleast_2d(some.t().cov()) for some in (first, second))
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.t()
    cross = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    shift = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    return float(shift + a.trace() + b.trace() - 2 * cross)


def _vectors(features, name: str) -> Tensor:
    """Return a sample of features as float64 `[n, F]`; ValueError, under the argument's `name`, for anything else."""
    array = as_numbers(features, name)
    if array.ndim != 2 or len(array) < 2 or not array.shape[1]:
        raise ValueError(f"{name} must hold at least 2 vectors, [n, F], got the shape {array.shape}")
    if (largest := np.abs(array).max()) > LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST:g} in size, since it is squared, got {largest:g}")
    return torch.from_numpy(array.astype(np.float64))
