"""The older population: its tables on made-up members whose answers are known, and facts of the shipped records."""

import numpy as np
import pytest

from wwlib.lengths import tpl_from_lengths
from wwlib.longer import age_table, load_longer, longer_choice_table, measure_table, shared
from wwlib.paths import DATA
from wwlib.population import THRESHOLD
from wwlib.selection import column, load_arrays, load_population


def member(number, seed=0, images=96_000, **scores):
    """A model that is better and shorter the larger its number; by roots it is longer."""
    value = number / 10
    scores = dict(
        factor_vae=value, dci=value, informativeness=0.6, tpl=2 - value, tpl_root=1 + value, tpl_64=2 - value,
        tpl_64_root=1 + value, tpl_fast=2 - value, tpl_fast_root=1 + value, active_codes=6, udr=None,
    ) | scores  # fmt: skip
    return dict(
        name=f"beta-vae-{number}-seed{seed}", family="beta-vae", config=dict(seed=seed, images=images), scores=scores
    )


@pytest.fixture
def old():
    return [member(number, seed, images=288_000) for seed in (0, 1) for number in range(1, 7)]


def test_only_members_of_both_ages_are_compared_and_in_one_order(old):
    young = [member(number) for number in (3, 2, 9)]
    first, second = shared(young, old)
    assert [r["name"] for r in first] == [r["name"] for r in second] == ["beta-vae-2-seed0", "beta-vae-3-seed0"]
    young = [member(number) for number in range(1, 7)]
    rows = age_table(young, old, least=4).rows
    assert [row[0] for row in rows] == ["96,000", "288,000"]
    assert rows[0][4].startswith("-1.00")


def test_a_measure_is_judged_on_seeds_that_it_was_not_found_on(old):
    table = measure_table(old, least=4)
    rows = {row[0]: row for row in table.rows}
    assert rows["TPL: VGG16 at 32 px, 25 points"][1:3] == ["-1.00", "-1.00"]
    assert table.rows[1][1] == "1.00", "by roots the order is turned here"
    assert "other seeds (n = 6)" in table.header[2]


def test_the_shortest_is_chosen_by_every_length(old):
    rows = longer_choice_table(old, least=4).rows
    assert rows[0][1] == "beta-vae-6-seed0"
    assert rows[0][3] == "0%"
    assert rows[1][1] == "beta-vae-1-seed0"
    assert rows[-1][2] == "0.350"


# the shipped records


@pytest.fixture(scope="module")
def longer():
    return load_longer()


def test_the_older_models_differ_from_the_young_in_age_alone(longer):
    young = {record["name"]: record for record in load_population()}
    for record in longer:
        mine, theirs = record["config"], young[record["name"]]["config"]
        assert {key for key in mine if mine[key] != theirs[key]} == {"images"}
        assert mine["images"] > theirs["images"]


def test_their_tpl_is_the_sum_of_the_shipped_lengths(longer):
    arrays = load_arrays(DATA / "population-long-arrays.safetensors")
    for record in longer:
        name = record["name"]
        found = tpl_from_lengths(arrays[f"{name}/lengths"], THRESHOLD, roots=arrays[f"{name}/roots"])
        assert found.score == pytest.approx(record["scores"]["tpl"], rel=1e-5)
        assert found.root_score == pytest.approx(record["scores"]["tpl_root"], rel=1e-5)
        assert found.active_codes == record["scores"]["active_codes"]
    assert np.isfinite(column(longer, "tpl_64_root")).all()
