"""Rectangle masks that open and close along each image axis, and the module that paints codes through them.

Source of the mathematics: Zhu, Xu, Tao 2021 (PS-SC), Spatial Constriction.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def cumax(logits: Tensor) -> Tensor:
    """Return a soft step that rises from near 0 to exactly 1 along the last axis.

    It is the running sum of a softmax: the step sits where the softmax peaks.

    Args:
        logits: `[..., R]`, any real numbers (v in the paper).

    Returns:
        `[..., R]` in [0, 1], non-decreasing, last entry 1 (up to rounding).
    """
    return logits.softmax(dim=-1).cumsum(dim=-1)


def soft_window(open_logits: Tensor, close_logits: Tensor) -> Tensor:
    """Return a window that opens at one soft step and closes at another.

    `cumax(open) * (1 - cumax(close))`: g in the paper. Since `cumax` ends at 1, the last entry is always 0.

    Args:
        open_logits: `[..., R]`.
        close_logits: `[..., R]`.

    Returns:
        `[..., R]` in [0, 1].
    """
    return cumax(open_logits) * (1 - cumax(close_logits))


def rectangle_masks(logits: Tensor) -> Tensor:
    """Return the mean of J soft rectangles for each code: the spatial mask Pi.

    Args:
        logits: `[B, n, J, 4, R]`; axis 3 holds open-row, close-row, open-column, close-column.

    Returns:
        `[B, n, R, R]` in [0, 1]; the last row and the last column are 0 (up to rounding).

    Raises:
        ValueError: if `logits` does not have five axes with 4 at position 3.
    """
    if logits.dim() != 5 or logits.shape[3] != 4:
        raise ValueError(f"logits must be [B, n, J, 4, R], got {tuple(logits.shape)}")
    rows = soft_window(logits[..., 0, :], logits[..., 1, :])
    columns = soft_window(logits[..., 2, :], logits[..., 3, :])
    return torch.einsum("bnjr,bnjc->bnrc", rows, columns) / logits.shape[2]


def compositing_weights(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much of each layer, and of the ground, is visible once all layers are painted in order.

    Painting `x <- x (1 - m_i) + layer_i m_i` for i = 0..n-1 leaves `x T + sum_i w_i layer_i` with
    `w_i = m_i prod_{j>i} (1 - m_j)` and `T = prod_i (1 - m_i)`: alpha compositing.

    Args:
        masks: `[B, n, R, R]` in [0, 1], painted in the order of axis 1.

    Returns:
        `w` `[B, n, R, R]` and `T` `[B, 1, R, R]`; together they sum to 1 at every pixel.
    """
    weights: list[Tensor] = []
    ground = torch.ones_like(masks[:, :1])
    for mask in reversed(masks.split(1, dim=1)):
        weights.append(mask * ground)
        ground = ground * (1 - mask)
    return torch.cat(weights[::-1], dim=1), ground


class Paint(torch.autograd.Function):
    """`x T + x_hat sum_i w_i (1 + a_i) + sum_i w_i b_i` with the instance-normalised x_hat, and its gradient.

    The gradient is written out, since autograd would go over the whole feature map about twice as often. Maps are
    `[B, P, C]`, pixels before channels, which a channels-last map is without a copy. Normalising is part of the
    formula, `x_hat S + b = x (S / std) + (b - S mean / std)`, so the normalised map is never stored.
    """

    @staticmethod
    def forward(ctx, x: Tensor, mean: Tensor, shares: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return the painted map `[B, P, C]`.

        Args:
            x: `[B, P, C]`.
            mean: `[B, 1, C]`, the mean of x over pixels, which the masks have needed already; a constant to autograd.
            shares: `[B, n + 1, P]`: w, and T as the last one.
            scale, shift: `[B, n, C]`: 1 + a and b.
        """
        inverse_std = ((x - mean).square_().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        slope = torch.cat([scale * inverse_std, torch.ones_like(mean)], dim=1)
        offset = torch.cat([shift - slope[:, :-1] * mean, torch.zeros_like(mean)], dim=1)
        pixels = shares.transpose(1, 2)
        multiply = pixels @ slope
        ctx.save_for_backward(x, shares, scale, slope, offset, multiply, mean, inverse_std)
        return torch.addcmul(pixels @ offset, x, multiply)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, Tensor, Tensor, Tensor]:
        """Return the gradients of x (through its mean as well), shares, scale and shift."""
        x, shares, scale, slope, offset, multiply, mean, inverse_std = ctx.saved_tensors
        product = gradient * x
        d_offset = (shares @ gradient)[:, :-1]
        d_slope = (shares @ product)[:, :-1] - d_offset * mean
        d_shares = torch.baddbmm(slope @ product.transpose(1, 2), offset, gradient.transpose(1, 2))
        d_mean = -(d_offset * slope[:, :-1]).sum(dim=1, keepdim=True)
        d_variance = (d_slope * scale).sum(dim=1, keepdim=True) * inverse_std.pow(3) / -2
        # the mean of x and the mean of x^2 over P pixels give x a gradient that is an affine map of x
        d_moments = torch.addcmul((d_mean - 2 * mean * d_variance) / x.shape[1], x, 2 * d_variance / x.shape[1])
        return d_moments.addcmul_(gradient, multiply), None, d_shares, d_slope * inverse_std, d_offset


class SpatialConstriction(nn.Module):
    """Let each of n codes restyle the feature map, but only inside a mask that is computed from the map itself.

    `SC(x, c)`: instance-normalise x once, give each code its own scale `1 + a_i` and shift `b_i` per channel (AdaIN),
    and paint the styled maps over x through the masks, later codes over earlier ones. Instead of a loop over codes,
    the painting is done in closed form (`compositing_weights`): every styled map shares the normalised x, so the
    result is `x T + x_hat sum_i w_i (1 + a_i) + sum_i w_i b_i`.

    Args:
        channels: channels C of the feature map.
        resolution: height and width R of the feature map, pixels.
        codes: number of codes n that act here.
        rectangles: number of rectangles J averaged into each mask.

    Raises:
        ValueError: if an argument is not a positive whole number.
    """

    def __init__(self, channels: int, resolution: int, codes: int, rectangles: int = 4):
        super().__init__()
        for name, value in dict(channels=channels, resolution=resolution, codes=codes, rectangles=rectangles).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive whole number, got {value!r}")
        self.channels, self.resolution, self.codes, self.rectangles = channels, resolution, codes, rectangles
        self.mask_weight = nn.Parameter(torch.randn(codes * rectangles * 4 * resolution, channels))
        self.style_weight = nn.Parameter(torch.randn(codes, 2 * channels))
        self.style_bias = nn.Parameter(torch.zeros(codes, 2 * channels))

    def masks(self, features: Tensor) -> Tensor:
        """Return the masks Pi `[B, n, R, R]` of a feature map `[B, C, R, R]`."""
        return self._masks(features.mean(dim=(2, 3)))

    def _masks(self, summary: Tensor) -> Tensor:
        logits = summary @ self.mask_weight.t() * self.channels**-0.5
        return rectangle_masks(logits.view(-1, self.codes, self.rectangles, 4, self.resolution))

    def forward(self, features: Tensor, code: Tensor, return_masks: bool = False):
        """Return `features` `[B, C, R, R]` with `code` `[B, n]` painted in; with `return_masks` also the masks."""
        self._check(features, code)
        with torch.autocast(features.device.type, enabled=False):  # moments of many pixels need float32
            x = features if features.dtype == torch.float64 else features.float()
            flat = x.permute(0, 2, 3, 1).flatten(1, 2)
            mean = flat.mean(dim=1, keepdim=True)
            masks = self._masks(mean[:, 0])
            shares = torch.cat(compositing_weights(masks), dim=1).flatten(2)
            style = code.to(x.dtype)[:, :, None] * self.style_weight + self.style_bias
            scale, shift = style.split(self.channels, dim=2)
            painted = Paint.apply(flat, mean.detach(), shares, 1 + scale, shift)
        painted = painted.to(features.dtype).unflatten(1, features.shape[2:]).permute(0, 3, 1, 2)
        return (painted, masks) if return_masks else painted

    def _check(self, features: Tensor, code: Tensor) -> None:
        expected = (self.channels, self.resolution, self.resolution)
        if features.dim() != 4 or tuple(features.shape[1:]) != expected:
            raise ValueError(
                f"features must be [B, {expected[0]}, {expected[1]}, {expected[2]}], got {tuple(features.shape)}"
            )
        if tuple(code.shape) != (features.shape[0], self.codes):
            raise ValueError(f"code must be [{features.shape[0]}, {self.codes}], got {tuple(code.shape)}")
