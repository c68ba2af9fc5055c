"""Interpretation on a world whose answer is known: codes that are two factors and noise, mixed by a rotation."""

import math

import pytest
import torch

from wwlib.base.codes import copy_codes
from wwlib.flows.flow import Flow, block_slices
from wwlib.flows.interpretation import (
    Schedule,
    block_response,
    partners,
    probe_gaps,
    probe_r2,
    sizes_from,
    swap_scores,
    train_interpretation,
)
from wwlib.flows.latents import Latents

SIZES = [2, 2, 2]
MIX = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1)))[0]


def circle(values, count):
    angle = 2 * math.pi * values / count
    return torch.stack([angle.cos(), angle.sin()], dim=1) * 2**0.5


def world(n, seed):
    """Latents of a host that mixes a class of 3, an angle of 4 values and two dimensions of noise."""
    random = torch.Generator().manual_seed(seed)
    factors = torch.stack([torch.randint(3, (n,), generator=random), torch.randint(4, (n,), generator=random)], dim=1)
    parts = [torch.randn(n, 2, generator=random), circle(factors[:, 0], 3), circle(factors[:, 1], 4)]
    mean = torch.cat(parts, dim=1) @ MIX
    return Latents(mean, torch.full_like(mean, 0.2), factors)


def read(z):
    """The judge of this world: undo the mixing, and name the nearest value of each factor."""
    parts = (z @ MIX.t())[:, 2:].split(2, dim=1)
    return torch.stack([(p @ circle(torch.arange(c), c).t()).argmax(dim=1) for p, c in zip(parts, (3, 4), strict=True)],
                       dim=1)  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    """The same short training with pairs and without."""
    short = dict(blocks=4, hidden=32, steps=250, batch=64, rate=4e-3)
    return {
        pairs: train_interpretation(world(4000, 0), SIZES, Schedule(**short, pairs=pairs))[0] for pairs in (True, False)
    }


def test_pairs_make_blocks_follow_their_factor_and_plain_likelihood_does_not(trained):
    tested = world(600, 9)
    gaps = {}
    for pairs, flow in trained.items():
        follows, stays = swap_scores(flow, lambda z: z, read, SIZES, tested.mean, tested.factors)
        gaps[pairs] = (follows[1:].diagonal().min(), stays[1, 1], stays[2, 0])
    assert min(gaps[True]) >= 0.9
    assert gaps[False][0] < gaps[True][0] - 0.3


def test_a_probe_finds_each_factor_in_its_block_only(trained):
    tested = world(900, 10)
    v = trained[True](tested.draw(torch.arange(900), torch.Generator().manual_seed(0)))[0]
    assert (probe_gaps(probe_r2(v, tested.factors, SIZES, train=600)) > 0.5).all()


def test_translated_codes_are_standard_normal_and_come_back(trained):
    tested = world(2000, 11)
    z = tested.draw(torch.arange(2000), torch.Generator().manual_seed(0))
    v = trained[True](z)[0]
    assert v.mean(dim=0).abs().max() < 0.2
    assert (v.std(dim=0) - 1).abs().max() < 0.2
    assert (trained[True].inverse(v) - z).abs().max() < 1e-4


def test_a_response_is_large_for_the_block_that_an_output_reads(trained):
    tested = world(200, 12)
    by_class = lambda z: (z @ MIX.t())[:, 2:4]  # noqa: E731
    response = block_response(trained[True], by_class, SIZES, tested.mean, torch.Generator().manual_seed(0))
    assert response[1] > 3 * max(response[0], response[2])


def test_the_same_seed_trains_the_same_flow():
    schedule = Schedule(blocks=1, hidden=4, steps=3, batch=8)
    first, again = (train_interpretation(world(50, 0), SIZES, schedule)[0].state_dict() for _ in range(2))
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())


def test_a_partner_has_the_same_value_and_is_otherwise_random(generator):
    values = torch.randint(5, (400,), generator=generator)
    rows = torch.randint(400, (3000,), generator=generator)
    others = partners(values, rows, generator)
    assert torch.equal(values[others], values[rows])
    assert len(others.unique()) > 350


def test_a_swap_moves_one_block_and_leaves_its_inputs(generator):
    a, b = torch.randn(2, 5, 6, generator=generator)
    before = a.clone()
    mixed = copy_codes(a, b, slice(2, 4))
    assert torch.equal(mixed[:, 2:4], b[:, 2:4])
    assert torch.equal(mixed[:, [0, 1, 4, 5]], a[:, [0, 1, 4, 5]])
    assert torch.equal(a, before)


def test_sizes_grow_with_what_pairs_share():
    sizes, shares = sizes_from(world(4000, 3), torch.Generator().manual_seed(0))
    assert sum(sizes) == 6
    assert len(block_slices(sizes)) == 3
    # each circle holds 2 of about 6.24 units of variance
    assert torch.allclose(shares, torch.tensor([2 / 6.24, 2 / 6.24]), atol=0.04)


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="mean and std"):
        Latents(torch.zeros(3, 2), torch.zeros(3, 3), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="must be positive"):
        Schedule(steps=0)


def test_an_uninitialised_flow_is_refused_by_a_swap():
    with pytest.raises(RuntimeError, match="initialise"):
        swap_scores(Flow(6), lambda z: z, read, SIZES, torch.zeros(4, 6), torch.zeros(4, 2).long())
