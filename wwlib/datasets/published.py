"""Readers of the two published files, dSprites `.npz` and 3D Shapes `.h5`, for a learner who has them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wwlib.base.arrays import DAMAGED
from wwlib.datasets.dsprites import DSprites
from wwlib.datasets.factors import FactorData
from wwlib.datasets.shapes3d import Shapes3D


class PublishedDSprites(FactorData):
    """`dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz` as published: binary, 64 px, 737,280 images.

    Args:
        path: the file.
        factor_sizes: of a smaller grid in the same format; None for the published one.

    Raises:
        FileNotFoundError, ValueError: if the file is missing or is not what it should be; the message names it.
    """

    factor_names = DSprites.factor_names
    channels = 1
    resolution = 64

    def __init__(self, path: str | Path, factor_sizes: tuple[int, ...] | None = None):
        path = _existing(path)
        self.factor_sizes = tuple(factor_sizes or DSprites.factor_sizes)
        if not zipfile.is_zipfile(path):
            raise ValueError(f"{path} is not a readable .npz file: not a zip archive")
        try:
            with np.load(path, allow_pickle=False) as archive:
                names = set(archive.files)
                if not {"imgs", "latents_classes"} <= names:
                    raise ValueError(f"must hold arrays 'imgs' and 'latents_classes', got {sorted(names)}")
                images, classes = archive["imgs"], archive["latents_classes"]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        except (*DAMAGED, AttributeError) as error:
            raise ValueError(f"{path} is not a readable .npz file: {error}") from None
        count = len(self)
        if images.shape != (count, 64, 64) or classes.shape != (count, 6):
            raise ValueError(
                f"{path} must hold {count} images of 64 x 64 and 6 classes, got {images.shape}, {classes.shape}"
            )
        if images.dtype != np.uint8 or images.max() > 1:
            raise ValueError(f"{path}: dSprites pixels are uint8, 0 or 1, got {images.dtype} up to {images.max()}")
        if not np.array_equal(classes[:, 1:], _grid(self.factor_sizes)):
            raise ValueError(f"{path}: latents_classes is not the grid {self.factor_sizes} in order")
        self._images = torch.from_numpy(images)

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 1, 64, 64]`, -1 or 1, for `factors` `[n, 5]`."""
        return self._images[_grid_index(self, factors)].to(torch.get_default_dtype())[:, None] * 2 - 1


class Published3DShapes(FactorData):
    """`3dshapes.h5` as published: 480,000 colour images of 64 px, read from disk as they are asked for.

    Args and errors as for `PublishedDSprites`.
    """

    factor_names = Shapes3D.factor_names
    channels = 3
    resolution = 64

    def __init__(self, path: str | Path, factor_sizes: tuple[int, ...] | None = None):
        import h5py

        path = _existing(path)
        self.factor_sizes = tuple(factor_sizes or Shapes3D.factor_sizes)
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ValueError(f"{path} is not a readable .h5 file: {error}") from None
        names, count = set(self._file), len(self)
        if not {"images", "labels"} <= names:
            raise ValueError(f"{path} must hold data sets 'images' and 'labels', got {sorted(names)}")
        parts = self._file["images"], self._file["labels"]
        if not all(isinstance(part, h5py.Dataset) for part in parts):
            raise ValueError(f"{path}: 'images' and 'labels' must be data sets, got {parts}")
        shapes = tuple(part.shape for part in parts)
        if shapes != ((count, 64, 64, 3), (count, 6)) or parts[0].dtype != np.uint8:
            raise ValueError(f"{path} must hold {count} uint8 images [64, 64, 3] and 6 labels each, got {shapes}")
        ranks = [np.unique(column, return_inverse=True)[1] for column in parts[1][:].T]  # labels are angles and hues
        if not np.array_equal(np.stack(ranks, axis=1), _grid(self.factor_sizes)):
            raise ValueError(f"{path}: labels are not the grid {self.factor_sizes} in order")

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, 64, 64]` in [-1, 1] for `factors` `[n, 6]`."""
        index = _grid_index(self, factors)
        unique, inverse = index.unique(return_inverse=True)  # HDF5 reads increasing positions only
        pixels = torch.from_numpy(self._file["images"][unique.numpy()])[inverse]
        return pixels.permute(0, 3, 1, 2).to(torch.get_default_dtype()) / 127.5 - 1


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}")
    return path


def _grid(sizes: tuple[int, ...]) -> np.ndarray:
    """Return every combination of factor values in grid order, `[N, K]`."""
    return np.stack(np.unravel_index(np.arange(int(np.prod(sizes))), sizes), axis=1)


def _grid_index(data: FactorData, factors: Tensor) -> Tensor:
    index = torch.zeros(len(factors), dtype=torch.int64)
    for column, size in zip(data.check_factors(factors).unbind(1), data.factor_sizes, strict=True):
        index = index * size + column
    return index
