"""TPL and PPL: closed forms on generators whose pictures are known, and the slow definition."""

import itertools

import pytest
import torch
from torch import nn

from wwlib.metrics.lengths import PRESETS, at_most, perceptual_path_length, tpl, tpl_from_lengths, turned_plane_lengths


class Flat:
    """A distance that is the squared distance of pixels: lengths can be worked out on paper."""

    provenance = "pixels"

    def __init__(self):
        self.embedded = 0

    def embed(self, images):
        self.embedded += len(images)
        return images.flatten(1)

    def __call__(self, a, b):
        return (a - b).square().sum(dim=(1, 2, 3))


class Linear(nn.Module):
    """Code i paints `gain[i]` times its value into pixel i."""

    def __init__(self, *gain):
        super().__init__()
        self.gain, self.codes = torch.tensor(gain), len(gain)

    def forward(self, codes, noise=None):
        return (codes * self.gain)[:, None, None, :].expand(-1, 1, 2, -1)

    def sample_noise(self, batch, generator=None, device=None):
        return [torch.randn(batch, 1, 2, 2, generator=generator)]


def turned(kind):
    """The generator with its plane of two codes turned by 45 degrees."""

    class Turned(kind):
        def forward(self, codes, noise=None):
            return super().forward(codes @ torch.tensor([[1.0, 1.0], [-1.0, 1.0]]) / 2**0.5)

    return Turned


def test_a_linear_code_has_the_length_on_paper():
    points, bound = 9, 4.0
    step = 2 * bound / (points - 1)
    score = tpl(Linear(1.0, 0.5, 0.0), Flat(), traversals=3, points=points, bound=bound)
    expected = torch.tensor([1.0, 0.25, 0.0]) * 2 * (points - 1) * step**2
    assert torch.allclose(score.lengths, expected)
    assert score.score == pytest.approx(expected.sum().item())
    assert score.active_codes == 2
    assert score.provenance == "pixels"


def test_the_threshold_decides_what_is_summed_and_a_collapsed_model_scores_zero():
    score = tpl(Linear(1.0, 0.1), Flat(), traversals=2, points=5, threshold=1.0)
    assert score.active.tolist() == [True, False]
    assert score.score == score.lengths[0].item()
    assert tpl_from_lengths(score.every, 0.0).score == pytest.approx(score.lengths.sum().item())
    assert tpl(Linear(0.0, 0.0), Flat(), traversals=1, points=3).score == 0


def test_every_frame_is_embedded_once():
    distance = Flat()
    tpl(Linear(1.0, 1.0, 1.0), distance, traversals=2, points=7)
    assert distance.embedded == 2 * 3 * 7


def test_it_is_the_definition_with_pairwise_calls():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 12), nn.Tanh())

    class Curved(Linear):
        def forward(self, codes, noise=None):
            return net(codes).view(-1, 3, 2, 2)

    score = tpl(Curved(1.0, 1.0, 1.0), Flat(), traversals=3, points=6, seed=4)
    random, slow = torch.Generator().manual_seed(4), torch.zeros(3)
    for _ in range(3):
        base = torch.randn(1, 3, generator=random)
        for i in range(3):
            torch.randn(1, 1, 2, 2, generator=random)
            values = torch.linspace(-4, 4, 6)
            for a, b in itertools.pairwise(values):
                first, second = base.clone(), base.clone()
                first[:, i], second[:, i] = a, b
                with torch.no_grad():
                    slow[i] += Flat()(net(first).view(-1, 3, 2, 2), net(second).view(-1, 3, 2, 2))[0] / 3
    assert torch.allclose(score.lengths, slow, atol=1e-5)


def test_seeds_repeat_and_settings_that_make_no_traversal_are_errors():
    generator = Linear(1.0, 2.0)
    assert torch.equal(tpl(generator, Flat(), 2, 5).every, tpl(generator, Flat(), 2, 5).every)
    for bad in (dict(traversals=0), dict(points=1), dict(bound=0.0)):
        with pytest.raises(ValueError, match="tpl needs"):
            tpl(generator, Flat(), **bad)


def test_the_published_settings():
    assert PRESETS["tpl_large_0.3"] == (49, 300, 0.3)
    assert PRESETS["tpl_small_0.3"] == (25, 10, 0.3)
    assert PRESETS["vae"] == (50, 500, 0.01)


def test_only_images_above_256_px_are_made_smaller():
    assert at_most(torch.zeros(1, 3, 32, 32), 256).shape[-1] == 32
    assert at_most(torch.zeros(1, 3, 512, 512), 256).shape[-1] == 256


def test_the_shortest_angle_of_a_plane_is_along_its_axes():
    """Squared steps add up the same at every angle of a linear code; a code that bends makes the axes short."""

    class Product(Linear):
        def forward(self, codes, noise=None):
            on = (codes > 0).float()
            return torch.stack([on[:, 0], on[:, 1]], dim=1)[:, None, None].expand(-1, 1, 2, -1)

    lengths = turned_plane_lengths(
        Product(1.0, 1.0), Flat(), 0, 1, torch.tensor([0.0, 30.0, 45.0, 90.0]), side=8, seeds=1
    )
    assert lengths.argmin() in (0, 3)
    assert lengths[1] > lengths[0]
    assert lengths[2] > lengths[0]
    straight = turned_plane_lengths(Linear(1.0, 1.0), Flat(), 0, 1, torch.tensor([0.0, 30.0, 90.0]), seeds=1)
    assert torch.allclose(straight, straight[:1].expand(3), rtol=1e-3)


def test_squares_cannot_tell_how_linear_codes_are_turned_and_distances_can():
    axes, diagonals = (
        tpl(kind(1.0, 0.2), Flat(), traversals=2, points=9, threshold=0.01) for kind in (Linear, turned(Linear))
    )
    assert diagonals.score == pytest.approx(axes.score, rel=1e-4)
    # along the axes the strengths are 1 and 0.2, turned by 45 degrees both are the root of their mean square
    assert diagonals.root_score / axes.root_score == pytest.approx(2 * (1.04 / 2) ** 0.5 / 1.2, rel=1e-4)


def test_the_length_of_a_straight_path_by_roots_does_not_depend_on_the_number_of_points():
    for points in (5, 9, 33):
        score = tpl(Linear(1.0, 0.5, 0.0), Flat(), traversals=2, points=points)
        assert score.roots.mean(dim=0).tolist() == pytest.approx([8 * 2**0.5, 4 * 2**0.5, 0.0])
        assert score.root_score == pytest.approx(12 * 2**0.5)
    asleep = tpl(Linear(1.0, 0.1), Flat(), traversals=2, points=5, threshold=1.0)
    assert asleep.root_score == pytest.approx(8 * 2**0.5), "the squares decide who is awake"
    with pytest.raises(ValueError, match="roots must be given"):
        tpl_from_lengths(asleep.every, 0.1).root_score  # noqa: B018


def test_codes_that_saturate_keep_squares_from_being_blind_however_dense_the_points():
    """Straight traversals at changing speed: turned codes are slow and fast elsewhere, so the sum does change."""

    class Saturating(Linear):
        def forward(self, codes, noise=None):
            return super().forward(codes.tanh())

    for points in (25, 193):
        axes, diagonals = (tpl(kind(1.0, 1.0), Flat(), 200, points, 0.0) for kind in (Saturating, turned(Saturating)))
        assert diagonals.score / axes.score == pytest.approx(2**0.5, rel=0.05)


def test_ppl_of_a_linear_generator_is_the_squared_distance_of_its_ends():
    random = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 2000, 2, generator=random)
    expected = 2 * (second - first).square().sum(dim=1).mean().item()
    generator = Linear(1.0, 1.0)
    length = perceptual_path_length(generator, Flat(), 2000, batch=2000, epsilon=1e-2, crop_outliers=False)
    assert length == pytest.approx(expected, rel=1e-3)
    everywhere = perceptual_path_length(
        generator, Flat(), 2000, batch=2000, epsilon=1e-2, crop_outliers=False, ends=False
    )
    assert everywhere == pytest.approx(expected, rel=0.1)
    assert perceptual_path_length(generator, Flat(), 2000, batch=2000, epsilon=1e-2) < expected


def test_on_the_sphere_the_speed_is_the_angle():
    generator = Linear(1.0, 1.0)
    length = perceptual_path_length(generator, Flat(), 4000, "slerp", epsilon=1e-2, batch=4000, crop_outliers=False)
    assert length == pytest.approx(2 * torch.pi**2 / 3, rel=0.05)  # angles in the plane are uniform on [0, pi]
    with pytest.raises(ValueError, match="space"):
        perceptual_path_length(generator, Flat(), 10, "warp")
