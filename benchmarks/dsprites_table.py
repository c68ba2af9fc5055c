"""A made-up representation of the dSprites factor grid: ten codes from clean to collapsed, equal on any machine."""

import numpy as np

SIZES = (3, 6, 40, 32, 32)  # shape, scale, orientation, x, y
STRIDES = np.array([6 * 40 * 32 * 32, 40 * 32 * 32, 32 * 32, 32, 1])


def build() -> np.ndarray:
    """Return the table `[737280, 10]`, float32."""
    factors = np.stack(np.unravel_index(np.arange(np.prod(SIZES)), SIZES), axis=-1)
    shape, scale, _, x, y = (factors / (np.array(SIZES) - 1) * 2 - 1).T
    angle = factors[:, 2] / 40 * 2 * np.pi
    noiseless = [
        1.5 * x + 0.1 * np.sin(3 * x),
        1.5 * y,
        1.4 * scale + 0.3 * shape,
        0.25 * np.cos(angle),
        0.25 * np.sin(angle),
        0.5 * shape + 0.6 * scale,
        0.7 * x + 0.7 * y,
        0 * x,
        0 * x,
        0.4 * x * np.cos(angle) + 0.2 * scale,
    ]
    noise = np.array([0.4, 0.2, 0.3, 1.0, 1.0, 0.3, 0.3, 0.01, 1.0, 0.5])
    random = np.random.RandomState(1234).randn(len(factors), 10)
    return (np.stack(noiseless, axis=1) + noise * random).astype(np.float32)
