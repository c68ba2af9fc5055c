"""The observer of rooms: a judge that is not trained. It compares a picture with every room that there is.

The renderer is known, so the probability of each of the 480,000 rooms, given a picture, can be computed: a picture is
taken for a room to which every pixel adds noise. This is the judge to compare trained judges with; nothing that it
reads is an accident of a training.
"""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor

from wwlib.datasets.shapes3d import Shapes3D, cached_layers

CANDIDATES = 24  # geometries, of 480, whose colours are compared one by one


class RoomObserver:
    """Names the factors of a picture by its distances to all rooms; called as a trained judge is.

    Args:
        resolution: side of the pictures, 32 to 128 pixels.
        doubt: standard deviation of the noise in every pixel of a picture of 32 px; from black to white it is 2. The
            larger it is, the less sure the observer is.
    """

    def __init__(self, resolution: int = 32, doubt: float = 0.3):
        self.resolution, self.doubt = resolution, doubt
        self._layers = cached_layers(resolution).flatten(2)  # [480, 3, P]
        palette = torch.tensor([colorsys.hsv_to_rgb(hue / 10, 1, 1) for hue in range(10)])
        self._palette, self._alike = palette, palette @ palette.t()
        self._overlaps = self._layers @ self._layers.transpose(1, 2)  # [480, 3, 3]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return the logarithms `[B, size]` of the probabilities of every factor's values, for images in [-1, 1].

        Raises:
            ValueError: for images of another size.
        """
        if images.shape[1:] != (3, self.resolution, self.resolution):
            raise ValueError(f"images must be [B, 3, {self.resolution}, {self.resolution}], got {tuple(images.shape)}")
        return _joined([self._read(some) for some in images.split(64)])

    def _read(self, images: Tensor) -> list[Tensor]:
        """Return the log-probabilities of a few images, from the squared distance |image - room|^2 of every room.

        A room is the sum over floor, wall and object of light times colour. Its distance is a sum of one term for each
        of the three and one for each pair of them, since at their edges two may share a pixel.
        """
        light = (images.flatten(2) + 1) / 2
        seen = torch.einsum("gsp,bcp->bgsc", self._layers, light)
        own = self._overlaps.diagonal(dim1=1, dim2=2)[..., None] * self._alike.diagonal()
        single = own - 2 * seen @ self._palette.t()  # [B, 480, 3, 10]
        # the terms of pairs are never negative, so the best sum without them is a lower bound
        chosen = single.amin(dim=3).sum(dim=2).topk(CANDIDATES, dim=1, largest=False).indices
        single = single.gather(1, chosen[..., None, None].expand(-1, -1, 3, 10))
        floor, wall, thing = single.unbind(dim=2)
        both = (2 * self._overlaps[chosen])[..., None, None] * self._alike  # [B, candidates, 3, 3, 10, 10]
        floor_wall = floor[..., :, None] + wall[..., None, :] + both[:, :, 0, 1]
        floor_thing, wall_thing = thing[..., None, :] + both[:, :, 0, 2], both[:, :, 1, 2]
        distance = floor_wall[..., None] + floor_thing[..., :, None, :] + wall_thing[..., None, :, :]
        distance *= 4 * 32**2 / self.resolution**2  # in [-1, 1], and as if there were 32 x 32 pixels
        room = (-distance / (2 * self.doubt**2)).flatten(1).softmax(dim=1).unflatten(1, distance.shape[1:])
        geometry = room.new_zeros(len(room), len(self._layers)).scatter_(1, chosen, room.sum(dim=(2, 3, 4)))
        geometry = geometry.unflatten(1, Shapes3D.factor_sizes[3:])
        parts = [room.sum(dim=d) for d in ((1, 3, 4), (1, 2, 4), (1, 2, 3))]
        parts += [geometry.sum(dim=d) for d in ((2, 3), (1, 3), (1, 2))]
        return [part.clamp(min=1e-12).log() for part in parts]


def _joined(parts: list[list[Tensor]]) -> list[Tensor]:
    return [torch.cat(columns) for columns in zip(*parts, strict=True)]
