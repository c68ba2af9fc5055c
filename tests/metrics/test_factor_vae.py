"""The FactorVAE score: an oracle gets 1, noise gets chance, and a slow version agrees."""

import numpy as np
import pytest
import torch

from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.points import encode_grid, encode_sample

SIZES = (4, 5, 6)


def grid():
    return torch.cartesian_prod(*(torch.arange(s) for s in SIZES))


def score(codes, factors=None, **options):
    options = dict(train_votes=600, test_votes=600) | options
    factors = grid() if factors is None else factors
    return factor_vae_score(codes, factors, torch.Generator().manual_seed(0), **options)


def test_the_oracle_scores_one():
    result = score(grid().float())
    assert result.score == 1
    assert [result.code_of(k) for k in range(3)] == [0, 1, 2]


def test_order_scale_and_sign_of_codes_do_not_matter():
    codes = grid().float()[:, [2, 0, 1]] * torch.tensor([-3.0, 0.2, 100.0])
    assert score(codes).score == 1


def test_noise_scores_near_chance():
    codes = torch.randn(120, 3, generator=torch.Generator().manual_seed(1))
    assert score(codes).score < 0.55


def test_constant_codes_are_inactive_and_all_constant_scores_zero():
    codes = torch.cat([grid().float(), torch.zeros(120, 2)], dim=1)
    result = score(codes)
    assert result.active.tolist() == [True] * 3 + [False] * 2
    assert result.votes[:, 3:].sum() == 0
    assert score(torch.ones(120, 4)).score == 0


def test_two_factors_in_one_code_cost_a_factor():
    factors = grid()
    codes = torch.stack([factors[:, 0].float(), (factors[:, 1] * 10 + factors[:, 2]).float()], dim=1)
    result = score(codes)
    assert 0.55 < result.score < 0.75


def test_it_agrees_with_a_plain_numpy_version_on_the_same_points():
    generator = torch.Generator().manual_seed(2)
    factors = grid().repeat(20, 1)
    codes = factors.float() + 1.5 * torch.randn(len(factors), 3, generator=generator)
    codes[:, 1] += codes[:, 0]
    rs = np.random.RandomState(0)
    z, f = codes.numpy(), factors.numpy()
    spread = z.var(0, ddof=1)

    def votes(n):
        table = np.zeros((3, 3))
        for _ in range(n):
            k = rs.randint(3)
            rows = np.flatnonzero(f[:, k] == rs.randint(SIZES[k]))
            table[k, (z[rs.choice(rows, 64)].var(0, ddof=1) / spread).argmin()] += 1
        return table

    majority = votes(3000).argmax(0)
    slow = votes(3000)[majority, range(3)].sum() / 3000
    assert score(codes, factors, train_votes=3000, test_votes=3000).score == pytest.approx(slow, abs=0.03)


def test_encoding_runs_over_the_whole_grid_in_order():
    from wwlib.datasets.shapes3d import SmallRooms

    codes, factors = encode_grid(lambda x: x.mean(dim=(2, 3)), SmallRooms())
    assert codes.shape == (8000, 3)
    assert factors[0].tolist() == [0, 0, 0, 0]
    assert factors[-1].tolist() == [9, 9, 9, 7]
    some, _ = encode_sample(lambda x: x.mean(dim=(2, 3)), SmallRooms(), 30, torch.Generator().manual_seed(0))
    assert some.shape == (30, 3)


def test_not_finite_and_mismatched_codes_are_refused():
    codes = grid().float()
    codes[3, 1] = torch.nan
    with pytest.raises(ValueError, match="codes must be finite"):
        score(codes)
    with pytest.raises(ValueError, match="must share N"):
        score(torch.zeros(7, 2))
