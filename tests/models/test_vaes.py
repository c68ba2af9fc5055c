"""The autoencoders: losses against closed forms, five families that train, files that come back."""

import copy
import math

import pytest
import torch
from torch import nn

from wwlib.base.device import Compute, choose_compute
from wwlib.base.files import save_tensors
from wwlib.models.vae_losses import dip_penalty, kl_divergence, permute_codes, reconstruction_loss, total_correlation
from wwlib.models.vaes import FAMILIES, VAE, VAEConfig, double, halve, load_vae
from wwlib.training.vae import VAETraining, train_vae

CPU = choose_compute("cpu")
TINY = dict(batch=16, images=64, features=32, critic_width=16, codes=4)


def test_the_divergence_is_torchs_own():
    mean, log_variance = torch.randn(2, 8, 3)
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    theirs = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).mean(dim=0)
    assert torch.allclose(kl_divergence(mean, log_variance), theirs, atol=1e-6)


def test_a_sure_right_answer_costs_nothing_and_an_undecided_one_ln_2_a_pixel():
    images = torch.tensor([1.0, -1.0]).view(1, 1, 1, 2)
    assert reconstruction_loss(torch.tensor([50.0, -50.0]).view(1, 1, 1, 2), images) < 1e-6
    assert reconstruction_loss(torch.zeros(1, 1, 1, 2), images).item() == pytest.approx(2 * math.log(2))


def test_total_correlation_is_zero_for_one_code_and_grows_with_dependence():
    random = torch.Generator().manual_seed(0)
    mean = torch.randn(400, 2, generator=random)
    narrow = torch.full((400, 2), -2.0)
    assert total_correlation(mean[:, :1], mean[:, :1], narrow[:, :1]).abs() < 1e-5
    tied = mean[:, :1].expand(-1, 2)
    apart = total_correlation(mean, mean, narrow)
    assert total_correlation(tied, tied, narrow) > apart + 0.5


def test_total_correlation_is_the_slow_sum():
    z, mean, log_variance = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(1))
    normal = torch.distributions.Normal(mean[None], (log_variance[None] / 2).exp())
    density = normal.log_prob(z[:, None])
    slow = 0.0
    for i in range(5):
        joint = torch.log(sum(density[i, j].sum().exp() for j in range(5)))
        alone = sum(torch.log(sum(density[i, j, k].exp() for j in range(5))) for k in range(2))
        slow += (joint - alone) / 5
    assert total_correlation(z, mean, log_variance).item() == pytest.approx(slow.item(), rel=1e-4)


def test_the_dip_penalty_is_zero_at_the_identity_and_weighs_both_parts():
    assert dip_penalty(torch.eye(3), 2.0, 5.0) == 0
    assert dip_penalty(torch.tensor([[1.0, 0.5], [0.5, 3.0]]), 2.0, 5.0).item() == 2 * 2 * 0.25 + 5 * 4


def test_shuffled_codes_keep_each_code_and_break_the_ties_between_them():
    z = torch.arange(200.0)[:, None].repeat(1, 2)
    shuffled = permute_codes(z, torch.Generator().manual_seed(0))
    assert torch.equal(shuffled.sort(dim=0).values, z)
    assert torch.corrcoef(shuffled.t())[0, 1].abs() < 0.3


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_and_its_file_comes_back(family, shapes, tmp_path):
    config = VAEConfig(family, 4.0, **TINY)
    path = tmp_path / "vae.safetensors"
    model = train_vae(config, shapes, CPU, path)
    again = load_vae(path)
    images = shapes.sample_images(3, torch.Generator().manual_seed(0))
    assert torch.equal(model.recogniser(images), again.recogniser(images))
    assert again.config == config
    drawn = again.generator(again.recogniser(images))
    assert drawn.shape == images.shape
    assert drawn.abs().max() <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_weights(family, shapes):
    first, second = (train_vae(VAEConfig(family, 4.0, **TINY), shapes, CPU).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_batch_is_learned_by_heart(shapes):
    class One:
        def sample_images(self, n, generator):
            return shapes.images(torch.zeros(n, 6, dtype=torch.int64))

    state = VAETraining(VAEConfig("beta-vae", 0.0, batch=16, images=64), One(), CPU)
    before = state.step()["reconstruction"]
    for _ in range(60):
        after = state.step()["reconstruction"]
    assert after < before * 0.7


def test_only_the_critic_learns_from_the_critics_loss(shapes):
    state = VAETraining(VAEConfig("factor-vae", 4.0, **TINY), shapes, CPU)
    before = copy.deepcopy(state.critic.state_dict())
    model = copy.deepcopy(state.model.state_dict())
    state._critic_step(torch.randn(16, 4))
    assert any(not torch.equal(before[k], v) for k, v in state.critic.state_dict().items())
    assert all(torch.equal(model[k], v) for k, v in state.model.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_autocast_trains_too(family, shapes):
    losses = VAETraining(VAEConfig(family, 4.0, **TINY), shapes, Compute(torch.device("cpu"), torch.bfloat16)).step()
    assert all(torch.isfinite(value) for value in losses.values())


def test_64_px_is_the_network_of_the_reference():
    model = VAE(VAEConfig(resolution=64))
    assert [c.out_channels for c in model.encoder.convolutions] == [32, 32, 64, 64]
    assert model.generator(torch.randn(2, 10)).shape == (2, 3, 64, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(family="gamma-vae"), "family must be one of"),
        (dict(strength=-1.0), "strength must be 0 or more"),
        (dict(batch=1), "batch must be at least 2"),
        (dict(resolution=48), "resolution must be one of"),
        (dict(learning_rate=0.0), "learning_rate must be positive"),
    ],
)
def test_what_cannot_train_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        VAEConfig(**change)


def test_a_file_of_another_kind_is_refused(tmp_path):
    save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, dict(kind="model"))
    with pytest.raises(ValueError, match="must hold an autoencoder"):
        load_vae(tmp_path / "x.safetensors")


def test_blocks_of_pixels_give_the_same_convolutions():
    random = torch.Generator().manual_seed(0)
    for channels, side in ((1, 64), (3, 32), (2, 6)):
        down, up = nn.Conv2d(channels, 5, 4, 2, 1), nn.ConvTranspose2d(5, channels, 4, 2, 1)
        images = torch.randn(2, channels, side, side, generator=random)
        assert torch.allclose(halve(images, down), down(images), atol=1e-5)
        small = torch.randn(2, 5, side // 2, side // 2, generator=random)
        assert torch.allclose(double(small, up), up(small), atol=1e-5)
