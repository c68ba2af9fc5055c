"""The VP score: high for an oracle, chance where codes are ignored, and blind to what its docstring says."""

import numpy as np
import pytest
import torch

from tests.metrics.seen.worlds import SIDE, Drawn, hidden, turned, two_levels
from wwlib.metrics.seen.predictability import pairs_of_pictures, vp_score


def score(generator):
    return vp_score(generator, pairs=600, share=0.2, runs=1, steps=120)


def smooth(codes):
    """Two halves of grey that move with the first two codes at every step."""
    return codes[:, :2].tanh()[:, None, None].repeat_interleave(SIDE // 2, dim=3).expand(-1, 1, SIDE, SIDE)


def test_the_oracle_is_named_right():
    result = score(Drawn(2, smooth))
    assert result.score > 0.9
    assert result.named.diagonal().min() > 0.85
    assert result.named.sum(axis=1) == pytest.approx([1, 1])
    assert result.plot().alt.startswith(f"VP score {result.score:.2f}")


def test_ignored_codes_are_named_at_chance():
    result = score(Drawn(4, lambda codes: smooth(codes * 0)))
    assert result.score == pytest.approx(result.chance, abs=0.05)
    assert result.chance == 0.25


def test_it_is_blind_to_whether_anything_can_be_seen():
    grey = torch.zeros(1, SIDE, SIDE)
    assert score(Drawn(4, lambda codes: hidden(codes, grey))).score > 0.9


def test_it_is_blind_to_turned_codes():
    assert score(Drawn(2, lambda codes: smooth(turned(codes)))).score > 0.8


def test_two_codes_that_do_the_same_cannot_be_told_apart():
    result = score(Drawn(2, lambda codes: smooth(codes.sum(dim=1, keepdim=True).expand(-1, 2))))
    assert result.score == pytest.approx(0.5, abs=0.1)


def test_pairs_differ_in_one_code_and_share_their_noise(generator):
    class Listening(Drawn):
        def __call__(self, codes, noise=None):
            heard.append((codes, noise[0]))
            return two_levels(codes)

        def sample_noise(self, batch, generator=None, device=None):
            return [torch.randn(batch, 1, 4, 4, generator=generator)]

    heard = []
    changes, moved = pairs_of_pictures(Listening(3, None), 60, generator)
    assert changes.shape == (60, 1, SIDE, SIDE)
    assert moved.bincount().tolist() == [20, 20, 20]
    seconds, firsts = heard[0::2], heard[1::2]
    for (second, its_noise), (first, same_noise) in zip(seconds, firsts, strict=True):
        assert torch.equal(its_noise, same_noise)
        assert ((first != second).sum(dim=1) == 1).all()
    differs = torch.cat([a for a, _ in seconds]) != torch.cat([b for b, _ in firsts])
    assert torch.equal(differs.float().argmax(dim=1), moved)


def test_the_seed_decides_the_score_and_runs_are_averaged():
    options = dict(pairs=100, runs=2, steps=5)
    first, again = (vp_score(Drawn(2, smooth), **options, seed=4) for _ in range(2))
    assert first.every == again.every
    assert len(first.every) == 2
    assert first.score == pytest.approx(np.mean(first.every))


def test_senseless_settings_are_refused():
    with pytest.raises(ValueError, match="codes must be a whole number of at least 2, got 1"):
        vp_score(Drawn(1, smooth))
    with pytest.raises(ValueError, match=r"share must leave pairs to test on, .* got 1\.0 of 100 pairs"):
        vp_score(Drawn(2, smooth), pairs=100, share=1.0)
    with pytest.raises(ValueError, match=r"and to train every run, got 0\.4 of 100 pairs"):
        vp_score(Drawn(2, smooth), pairs=100, share=0.4)
    with pytest.raises(ValueError, match="runs must be a whole number of at least 1, got 0"):
        vp_score(Drawn(2, smooth), runs=0)
