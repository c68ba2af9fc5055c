"""The traversal score: 1 for an oracle; 0 for ignored, hidden and turned codes; its two numbers worked out by hand."""

import numpy as np
import pytest
import torch

from tests.metrics.seen.worlds import (
    LEVELS,
    NAMES,
    SIDE,
    Drawn,
    hidden,
    mixed,
    reads_two_levels,
    rooms_of,
    turned,
    two_levels,
)
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.metrics.seen.judges import load_room_judge
from wwlib.metrics.seen.observer import RoomObserver
from wwlib.metrics.seen.traversal import entropy, from_matrix, told, traversal_score
from wwlib.models.vaes import VAE, VAEConfig


def score(generator, **options):
    return traversal_score(generator, reads_two_levels, NAMES, bases=40, **options)


def test_what_a_position_tells_is_worked_out_by_hand():
    """Nothing if the reading stays, all if it runs through every value, a half if it takes two of four."""
    stays = torch.tensor([0.7, 0.1, 0.1, 0.1]).expand(4, 4)
    two = torch.eye(4)[[0, 0, 1, 1]]
    assert told(torch.stack([stays, torch.eye(4), two])).tolist() == pytest.approx([0, 1, 0.5])
    doubt = torch.full((4, 4), 0.25)
    assert told(doubt).item() == 0, "a judge that guesses everywhere reads nothing"
    assert entropy(torch.tensor([0.5, 0.5, 0.0])).item() == pytest.approx(np.log(2))


def test_the_oracle_scores_one():
    result = score(Drawn(2, two_levels))
    assert (result.purity, result.compactness) == (pytest.approx(1), pytest.approx(1))
    assert result.matrix[0, 1] == result.matrix[1, 0] == 0
    # of nine positions, the outer three on either side fall on the outer level
    shares = np.array([3, 1, 1, 1, 3]) / 9
    assert result.shown == pytest.approx([-(shares * np.log(shares)).sum() / np.log(LEVELS)] * 2)
    assert [result.name_of(code) for code in range(2)] == ["left", "right"]


def test_a_generator_that_ignores_its_codes_scores_zero():
    result = score(Drawn(3, lambda codes: two_levels(codes * 0)))
    assert (result.purity, result.compactness, result.matrix.max()) == (0, 0, 0)
    assert [result.name_of(code) for code in range(3)] == ["nothing"] * 3


def test_codes_that_are_turned_score_almost_nothing_though_all_pictures_stay_possible():
    result = score(Drawn(2, lambda codes: two_levels(turned(codes))))
    assert result.purity < 0.02
    assert result.compactness < 0.02
    assert result.shown.min() > 0.5, "every factor is seen to move"


def test_codes_hidden_in_a_faint_texture_score_zero():
    grey = torch.zeros(1, SIDE, SIDE)
    result = score(Drawn(2, lambda codes: hidden(codes, grey)))
    assert (result.purity, result.compactness) == (0, 0)


def test_an_idle_code_costs_nothing_and_a_second_code_for_one_factor_costs_compactness():
    idle = score(Drawn(3, two_levels))
    assert (idle.purity, idle.compactness) == (pytest.approx(1), pytest.approx(1))
    assert idle.silent.tolist() == [False, False, True]

    def shared(codes):
        both = codes.clone()
        both[:, 0] = (codes[:, 0] + codes[:, 2]) / 2**0.5
        return two_levels(both)

    result = score(Drawn(3, shared))
    assert result.purity == pytest.approx(1, abs=1e-6)
    assert 0.5 < result.compactness < 0.8


def test_both_numbers_weigh_rows_and_columns_as_dci_does():
    """One code moves two of four factors alike, another the third: the fourth factor counts in neither number."""
    result = from_matrix(np.array([[0.4, 0.4, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0]]), tuple("abcd"))
    assert result.purity == pytest.approx((0.8 * (1 - np.log(2) / np.log(4)) + 0.2) / 1.0)
    assert result.compactness == pytest.approx(1)
    assert result.shown.tolist() == [0.4, 0.4, 0.2, 0.0]
    assert result.name_of(0) == "a, b"
    with pytest.raises(ValueError, match=r"code must be 0\.\.1, got 2"):
        result.name_of(2)


def test_rows_of_doubt_do_not_count():
    """The largest entry of the second row is below 0.05: a judge's doubt, however pure it looks."""
    doubt = from_matrix(np.array([[0.3, 0.3], [0.04, 0.0]]), NAMES)
    assert doubt.purity == pytest.approx(0)
    assert doubt.silent.tolist() == [False, True]


def test_decoders_are_scored_as_generators_are_and_the_seed_decides_everything():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = VAE(VAEConfig(codes=3, features=16)).generator
    judge = lambda images: [images.mean(dim=(2, 3)) * 50, images.amax(dim=(2, 3)) * 50]  # noqa: E731
    first, again, other = (
        traversal_score(decoder, judge, NAMES, bases=3, least=0.0, seed=seed).matrix for seed in (1, 1, 2)
    )
    assert first.shape == (3, 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_picture_of_the_matrix_says_what_it_shows():
    picture = score(Drawn(2, two_levels)).plot()
    assert picture.alt.startswith("purity 1.00, compactness 1.00")


def test_senseless_settings_are_refused():
    generator = Drawn(2, two_levels)
    with pytest.raises(ValueError, match="bases must be a whole number of at least 1, got 0"):
        traversal_score(generator, reads_two_levels, NAMES, bases=0)
    with pytest.raises(ValueError, match="positions must be a whole number of at least 2, got 1"):
        traversal_score(generator, reads_two_levels, NAMES, positions=1)
    with pytest.raises(ValueError, match="factor_names must name the judge's 2 factors, got"):
        traversal_score(generator, reads_two_levels, ("left",), bases=1)


@pytest.mark.parametrize("reader", [load_room_judge, RoomObserver])
def test_judge_and_observer_tell_an_oracle_of_rooms_from_its_imitations(reader):
    judge, names = reader(32), Shapes3D.factor_names

    def rooms(codes, draw):
        result = traversal_score(Drawn(codes, draw), judge, names, bases=20)
        return result.purity, result.compactness

    one_room = rooms_of(torch.zeros(1, 6))[0]
    assert min(rooms(6, rooms_of)) > 0.95
    assert max(rooms(8, lambda codes: rooms_of(mixed(codes)))) < 0.15
    assert rooms(6, lambda codes: rooms_of(codes * 0)) == (0, 0)
    assert rooms(6, lambda codes: hidden(codes, one_room)) == (0, 0)
