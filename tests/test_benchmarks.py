"""The port that we measure against computes what the specification says."""

import torch

from benchmarks import flow_speed
from benchmarks.official import Generator, OfficialStep, SequentialConstriction, fir_filter
from wwlib.models.losses import perceptual_simplicity_loss, perturb
from wwlib.models.masks import SpatialConstriction
from wwlib.training.recipes import recipe


def test_its_constriction_equals_ours():
    torch.manual_seed(0)
    fast, slow = SpatialConstriction(8, 16, 3), SequentialConstriction(8, 16, 3, 4)
    slow.copy_weights(fast)
    x, code = torch.randn(4, 8, 16, 16), torch.randn(4, 3)
    assert torch.allclose(fast(x, code), slow(x, code), atol=1e-5)


def test_its_loss_equals_ours():
    random = torch.Generator().manual_seed(0)
    codes = torch.randn(6, 5, generator=random)
    perturbed, k = perturb(codes, 6.0, random)
    answers = torch.randn(6, 5, generator=random), torch.randn(6, 5, generator=random)
    ours = perceptual_simplicity_loss(codes, perturbed, k, *answers)
    assert torch.allclose(ours, OfficialStep._ps_loss(codes, perturbed, k, *answers), rtol=1e-5)


def test_its_filter_keeps_a_flat_image():
    flat = torch.ones(1, 2, 9, 9)
    assert torch.allclose(fir_filter(flat, 1.0, (2, 1))[..., 2:-2, 2:-2], torch.ones(1, 2, 5, 5), atol=1e-6)


def test_it_draws_at_the_shipped_resolution_and_takes_a_step(shapes):
    config = recipe("shapes3d-32")
    assert Generator(config)(torch.zeros(2, Generator(config).codes)).shape == (2, 3, 32, 32)
    run = OfficialStep(config, shapes)
    run.step()
    assert all(p.isfinite().all() for p in run.generator.parameters())


def test_without_the_peer_the_row_on_flows_says_so(monkeypatch):
    monkeypatch.setattr(flow_speed, "peer", lambda: None)
    ((_, goal, measured),) = flow_speed.flows(lambda jobs, rounds: {})
    assert goal == "≥ 1×"
    assert measured == "FrEIA not installed"
