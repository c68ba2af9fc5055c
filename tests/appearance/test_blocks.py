"""Shared blocks of lessons 12 and 13."""

from __future__ import annotations

import torch
from torch.distributions import Normal as Reference
from torch.distributions import kl_divergence

from wwlib.appearance.blocks import NOISE, WIDTHS, Modulation, Normal, Pyramid, kl, normal_of, with_coordinates


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_coordinates_run_from_minus_one_to_one_x_before_y():
    seen = with_coordinates(torch.zeros(2, 3, 4, 5))
    assert seen.shape == (2, 5, 4, 5)
    torch.testing.assert_close(seen[1, 3, 2], torch.linspace(-1, 1, 5))
    torch.testing.assert_close(seen[1, 4, :, 2], torch.linspace(-1, 1, 4))


def test_a_pyramid_halves_three_times():
    maps = Pyramid(3)(torch.randn(2, 3, 32, 32))
    assert [tuple(m.shape) for m in maps] == [(2, w, s, s) for w, s in zip(WIDTHS, (32, 16, 8, 4), strict=True)]


def test_modulation_scales_and_shifts_every_channel():
    modulation, h, code = Modulation(5, 3), torch.randn(2, 3, 4, 4), torch.randn(2, 5)
    a, b = modulation.affine(code).chunk(2, dim=1)
    expected = torch.stack([torch.stack([h[n, c] * (1 + a[n, c]) + b[n, c] for c in range(3)]) for n in range(2)])
    torch.testing.assert_close(modulation(h, code), expected)


def test_divergence_is_that_of_torch_distributions():
    g = seeded()
    q = Normal(torch.randn(4, 3, 2, generator=g), torch.randn(4, 3, 2, generator=g))
    p = Normal(torch.randn(4, 3, 2, generator=g), torch.randn(4, 3, 2, generator=g))
    as_reference = lambda n: Reference(n.mean, (0.5 * n.log_variance).exp())  # noqa: E731
    expected = kl_divergence(as_reference(q), as_reference(p)).sum(dim=(1, 2))
    torch.testing.assert_close(kl(q, p), expected)
    standard = Reference(torch.zeros(4, 3, 2), torch.ones(4, 3, 2))
    torch.testing.assert_close(kl(q), kl_divergence(as_reference(q), standard).sum(dim=(1, 2)))
    assert kl(q, q).abs().max() < 1e-5


def test_samples_have_the_mean_and_spread_they_claim_and_follow_the_seed():
    normal = Normal(torch.tensor([[2.0]]).expand(20_000, 1), torch.tensor([[-2.0]]).expand(20_000, 1))
    drawn = normal.sample(seeded())
    assert abs(drawn.mean() - 2) < 0.01
    assert abs(drawn.var() - torch.exp(torch.tensor(-2.0))) < 0.01
    torch.testing.assert_close(drawn, normal.sample(seeded()))


def test_a_code_starts_with_little_noise():
    normal = normal_of(torch.zeros(2, 6, 4, 4))
    assert normal.mean.shape == (2, 3, 4, 4)
    assert (normal.log_variance == NOISE).all()
