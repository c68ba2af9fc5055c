"""Flows: exact volumes, exact inverses, exact likelihoods, and errors that say what is wrong."""

import math

import pytest
import torch

from wwlib.base.files import load_tensors, save_tensors
from wwlib.flows.flow import ActNorm, Flow, block_sizes, block_slices, log_density, pair_nll, shared_variance


def random_flow(dim=6, cond_dim=0, dtype=torch.float64, seed=0, blocks=4):
    """A flow that is far from the identity: every weight drawn at random after initialisation."""
    flow = Flow(dim, cond_dim, blocks=blocks, hidden=16, seed=seed)
    random = torch.Generator().manual_seed(seed)
    cond = torch.randn(64, cond_dim, generator=random) if cond_dim else None
    flow.initialise(3 + 2 * torch.randn(64, dim, generator=random), cond)
    with torch.no_grad():
        for weight in flow.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=random))
    return flow.to(dtype)


@pytest.mark.parametrize("cond_dim", [0, 3])
def test_the_log_determinant_is_autograds(cond_dim, generator):
    flow = random_flow(cond_dim=cond_dim)
    z = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    cond = torch.randn(5, cond_dim, generator=generator, dtype=torch.float64) if cond_dim else None
    _, logdet = flow(z, cond)
    for row in range(5):
        condition = None if cond is None else cond[row : row + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda x, condition=condition: flow(x[None], condition)[0][0], z[row]
        )
        assert torch.linalg.slogdet(jacobian).logabsdet.item() == pytest.approx(logdet[row].item(), abs=1e-8)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("cond_dim", [0, 3])
def test_the_inverse_gives_the_vector_back(dtype, tolerance, cond_dim, generator):
    flow = random_flow(8, cond_dim, dtype, blocks=6)
    z = torch.randn(200, 8, generator=generator, dtype=dtype)
    cond = torch.randn(200, cond_dim, generator=generator, dtype=dtype) if cond_dim else None
    v, _ = flow(z, cond)
    assert (flow.inverse(v, cond) - z).abs().max() < tolerance
    assert (v - z).abs().max() > 0.1


def test_a_new_flow_standardises_its_data(generator):
    z = 5 + 3 * torch.randn(500, 4, generator=generator)
    v, logdet = Flow(4).initialise(z)(z)
    assert torch.allclose(v.mean(dim=0), torch.zeros(4), atol=1e-5)
    assert torch.allclose(v.std(dim=0, correction=0), torch.ones(4), atol=1e-5)
    assert torch.allclose(logdet, -z.std(dim=0, correction=0).log().sum().expand(500), atol=1e-4)


def test_standardising_a_trained_flow_restores_unit_spread_and_stays_exact(generator):
    flow, z = random_flow(6), torch.randn(400, 6, generator=generator, dtype=torch.float64)
    before, logdet = flow(z)
    v, new_logdet = flow.standardise(z)(z)
    assert torch.allclose(v.std(dim=0, correction=0), torch.ones(6).double(), atol=1e-4)
    assert torch.allclose(v, (before - before.mean(dim=0)) / before.std(dim=0, correction=0), atol=1e-4)
    expected = logdet - before.std(dim=0, correction=0).log().sum()
    assert torch.allclose(new_logdet, expected, atol=1e-4)
    assert (flow.inverse(v) - z).abs().max() < 1e-9


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_an_uninitialised_flow_says_so_in_either_mode_and_stays_uninitialised(mode):
    flow = getattr(Flow(4), mode)()
    for call in (flow, flow.inverse):
        with pytest.raises(RuntimeError, match=r"call flow\.initialise"):
            call(torch.zeros(3, 4))
    assert not any(norm.initialised for norm in flow.norms)


def test_what_forward_sees_never_changes_an_initialised_flow(generator):
    flow = Flow(4).initialise(torch.randn(50, 4, generator=generator)).train()
    before = {name: tensor.clone() for name, tensor in flow.state_dict().items()}
    flow(100 + torch.randn(9, 4, generator=generator))
    assert all(torch.equal(before[name], tensor) for name, tensor in flow.state_dict().items())


def test_actnorm_refuses_data_without_a_spread():
    for x in (torch.zeros(1, 2), torch.full((4, 2), torch.nan)):
        with pytest.raises(ValueError, match="at least 2 finite vectors"):
            ActNorm(2).initialise(x)


@pytest.mark.parametrize(("value", "spread"), [(0, 0), (5, 0), (5, 1e-8), (-3e5, 1e-3)])
def test_a_dimension_that_never_varies_is_only_shifted_and_training_goes_on(value, spread, generator):
    z = torch.randn(256, 8, generator=generator)
    flow = Flow(8, blocks=4, hidden=16)
    z[:, 3] = value + spread * z[:, 3]
    flow.initialise(z)
    assert flow.norms[0].log_scale[3] == 0
    assert flow(z)[0].abs().max() < 10
    optimiser, losses = torch.optim.Adam(flow.parameters(), lr=1e-3), []
    for _ in range(30):
        loss = -log_density(*flow(z)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert max(map(abs, losses)) < 20
    assert torch.allclose(flow.inverse(flow(z)[0]), z, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dim", [-2, 0, 1, 3, 11])
def test_odd_and_tiny_dimensions_are_refused(dim):
    with pytest.raises(ValueError, match=f"dim must be even and at least 2.*got {dim}"):
        Flow(dim)


def test_other_bad_sizes_and_shapes_are_refused(generator):
    with pytest.raises(ValueError, match="must be positive"):
        Flow(4, blocks=0)
    flow = random_flow(4, 2, torch.float32)
    z = torch.zeros(3, 4)
    for wrong, cond in ((torch.zeros(3, 5), torch.zeros(3, 2)), (torch.zeros(4), None)):
        with pytest.raises(ValueError, match="vectors must be"):
            flow(wrong, cond)
    for cond in (None, torch.zeros(3, 3), torch.zeros(2, 2)):
        with pytest.raises(ValueError, match="cond must be"):
            flow(z, cond)
    with pytest.raises(ValueError, match="cond must be None"):
        random_flow(4, 0, torch.float32)(z, torch.zeros(3, 2))


def test_permutations_and_initialisation_survive_a_file(tmp_path, generator):
    flow = random_flow(6, dtype=torch.float32, seed=1)
    save_tensors(tmp_path / "flow.safetensors", flow.state_dict(), {})
    other = Flow(6, blocks=4, hidden=16, seed=2)
    assert any(not torch.equal(a.order, b.order) for a, b in zip(flow.permutations, other.permutations, strict=True))
    other.load_state_dict(load_tensors(tmp_path / "flow.safetensors")[0])
    z = torch.randn(7, 6, generator=generator)
    assert torch.equal(flow(z)[0], other(z)[0])
    assert torch.equal(flow.inverse(z), other.inverse(z))


def test_the_seed_decides_the_flow_and_leaves_the_global_stream_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = Flow(8, seed=1)
    assert torch.equal(torch.rand(2), expected)
    again = Flow(8, seed=1).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.state_dict().items())


def test_the_condition_changes_the_map(generator):
    flow = random_flow(6, 3)
    z = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    one, two = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    assert (flow(z, one)[0] - flow(z, two)[0]).abs().max() > 0.01


def test_a_batch_of_one_is_no_different(generator):
    flow = random_flow(6, 3)
    z, cond = torch.randn(5, 6, generator=generator).double(), torch.randn(5, 3, generator=generator).double()
    v, logdet = flow(z, cond)
    alone, alone_logdet = flow(z[2:3], cond[2:3])
    assert torch.allclose(alone[0], v[2], atol=1e-12)
    assert torch.allclose(alone_logdet[0], logdet[2], atol=1e-12)
    assert flow.inverse(alone, cond[2:3]).shape == (1, 6)


def test_the_density_of_two_moons_integrates_to_one(generator):
    from sklearn.datasets import make_moons

    points = torch.from_numpy(make_moons(256, noise=0.1, random_state=0)[0]).float()
    flow = Flow(2, blocks=4, hidden=24).initialise(points)
    optimiser = torch.optim.Adam(flow.parameters(), lr=5e-3)
    losses = []
    for _ in range(100):
        loss = -log_density(*flow(points)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    side = torch.linspace(-4, 5, 181)
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        mass = log_density(*flow(grid)).exp().sum() * (side[1] - side[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95])
def test_the_pair_loss_is_the_negative_log_likelihood_of_the_joint_gaussian(rho, generator):
    """Against the density of one Gaussian over both vectors, its covariance written out as a matrix."""
    d, block = 6, slice(2, 5)
    a, b = torch.randn(2, 9, d, generator=generator, dtype=torch.float64)
    logdets = torch.randn(2, 9, generator=generator, dtype=torch.float64)
    covariance = torch.eye(2 * d, dtype=torch.float64)
    for i in range(block.start, block.stop):
        covariance[i, d + i] = covariance[d + i, i] = rho
    joint = torch.distributions.MultivariateNormal(torch.zeros(2 * d, dtype=torch.float64), covariance)
    expected = -(joint.log_prob(torch.cat([a, b], dim=1)) + logdets.sum(dim=0)).mean()
    assert pair_nll(a, b, *logdets, block, rho).item() == pytest.approx(expected.item(), abs=1e-10)


def test_the_pair_loss_refuses_a_correlation_of_one():
    v, zero = torch.zeros(2, 4), torch.zeros(2)
    with pytest.raises(ValueError, match="rho"):
        pair_nll(v, v, zero, zero, slice(0, 2), 1.0)


def test_log_density_is_the_standard_normals():
    assert log_density(torch.zeros(1, 3), torch.zeros(1)).item() == pytest.approx(-1.5 * math.log(2 * math.pi))


def test_shared_variance_is_the_correlation_of_what_pairs_share(generator):
    shared = torch.randn(200_000, 1, generator=generator)
    a, b = (torch.cat([shared, torch.randn(200_000, 3, generator=generator)], dim=1) for _ in range(2))
    assert shared_variance(a, b).item() == pytest.approx(0.25, abs=0.01)
    assert shared_variance(a, a).item() == pytest.approx(1)


def test_block_sizes_follow_the_formula_and_the_residual_takes_the_rest():
    shares = torch.tensor([0.6, 0.0])
    weights = [math.e, math.exp(0.6), 1.0]
    floors = [int(64 * w / sum(weights)) for w in weights[1:]]
    assert block_sizes(shares, 64) == [64 - sum(floors), *floors]
    assert block_slices([3, 2, 1]) == [slice(0, 3), slice(3, 5), slice(5, 6)]
    with pytest.raises(ValueError, match="a dimension"):
        block_sizes(torch.zeros(5), 4)
