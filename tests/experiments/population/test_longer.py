"""The older population: its tables on made-up members whose answers are known, and facts of the shipped records."""

import numpy as np
import pytest

from wwlib.base.paths import DATA
from wwlib.experiments.population.longer import (
    MEASURES,
    age_table,
    labels_table,
    load_longer,
    longer_choice_table,
    measure_table,
    seed_groups,
    shared,
)
from wwlib.experiments.population.runs import THRESHOLD
from wwlib.experiments.population.tables import (
    LEAST,
    autoencoders,
    claims_table,
    load_arrays,
    load_population,
    seeds_of,
)
from wwlib.metrics.lengths import tpl_from_lengths
from wwlib.metrics.ranking import choose, column, partial_correlation, rank_correlation, standing

LENGTHS = [by for by in MEASURES if by.startswith("tpl")]


def member(number, seed=0, images=96_000, sign=-1, **scores):
    """A model that is better the larger its number, and shorter (sign -1) or longer by every measure."""
    value = number / 10
    scores = dict(
        factor_vae=value, dci=value, informativeness=0.6, active_codes=5 + (3 * number) % 7, udr=None,
        **dict.fromkeys(LENGTHS, 2 + sign * value),
    ) | scores  # fmt: skip
    config = dict(seed=seed, images=images)
    return dict(name=f"beta-vae-{number}-seed{seed}", family="beta-vae", config=config, scores=scores)


@pytest.fixture
def old():
    """Six settings: with seed 0 the better models are longer, with seed 1 shorter."""
    return [member(n, seed, 288_000, sign) for seed, sign in ((0, 1), (1, -1)) for n in range(1, 7)]


def test_only_members_of_both_ages_are_compared_and_in_one_order(old):
    first, second = shared([member(number) for number in (3, 2, 9)], old)
    assert [r["name"] for r in first] == [r["name"] for r in second] == ["beta-vae-2-seed0", "beta-vae-3-seed0"]
    young = [member(number, factor_vae=number / 20) for number in range(1, 7)]
    young[0]["scores"]["active_codes"] = 1
    rows = age_table(young, old, least=LEAST).rows
    assert [row[0] for row in rows] == ["96,000", "288,000"]
    assert [row[1] for row in rows] == ["0.20", "0.40"], "means over the five that have enough codes at both ages"
    assert [row[4].split()[0] for row in rows] == ["-1.00", "1.00"]
    assert rows[1][4].endswith("n = 5")


def test_a_measure_is_judged_on_seeds_that_it_was_not_found_on(old):
    assert [len(group) for group in seed_groups(old)] == [6, 6]
    table = measure_table([*old, member(7, seed=1)], "dci", least=LEAST)
    rows = {row[0]: row for row in table.rows}
    assert rows["AlexNet at 64 px, 13 points, squares"][1] == "1.00"
    assert rows["AlexNet at 64 px, 13 points, squares"][2].startswith("-1.00")
    assert table.header[1:3] == ["DCI disentanglement: seed 0 (6)", "other seeds (7)"]
    assert len(rows["number of active codes alone"]) == len(table.header)


def test_every_length_chooses_its_shortest(old):
    later = [record for record in old if record["config"]["seed"] == 1]
    for number, by in enumerate(LENGTHS, start=1):
        later[number % 6]["scores"][by] = 0.0
    rows = longer_choice_table(later, least=LEAST).rows
    assert [row[1] for row in rows[:-1]] == [later[number % 6]["name"] for number in range(1, len(LENGTHS) + 1)]
    assert rows[4][3] == "0%", "the fifth length chooses the best of six"
    assert rows[-1][2] == "0.350"


def test_labels_are_compared_with_each_other(old):
    young = [member(number, dci=1 - number / 10) for number in range(1, 7)]
    assert [row[1].split()[0] for row in labels_table(young, old, LEAST).rows] == ["-1.00", "1.00"]


# the shipped records


@pytest.fixture(scope="module")
def longer():
    return load_longer()


def test_they_are_the_first_seed_of_every_setting_and_others_of_every_family(longer):
    first, others = seed_groups(autoencoders(longer))
    assert len(first) == 29, "five families at six strengths, of which two are the same"
    assert {record["family"] for record in others} == {record["family"] for record in first}
    assert len(others) >= 10


def test_the_older_models_differ_from_the_young_in_age_alone(longer):
    young = {record["name"]: record for record in load_population()}
    for record in longer:
        mine, theirs = record["config"], young[record["name"]]["config"]
        assert {key for key in theirs if mine[key] != theirs[key]} == {"images"}
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


def test_lesson_09_says_of_them_what_is_true(longer):
    kept = autoencoders(longer, LEAST)

    def with_dci(by, group=kept):
        return rank_correlation(column(group, by), column(group, "dci")).value

    for group in (kept, *seed_groups(kept)):
        assert max(with_dci("tpl_64", group), with_dci("tpl_root", group)) < min(with_dci("tpl", group) - 0.1, -0.5)
    assert with_dci("tpl_fast_root") < with_dci("tpl_fast") < with_dci("tpl_fast_narrow")
    assert abs(with_dci("tpl_64") - with_dci("tpl_64_root")) < 0.15, "where squares see well, the root changes little"
    for by in ("tpl_64", "tpl_root"):
        assert with_dci(by, seed_groups(kept)[1]) < -0.719, "on the other seeds as in the paper"
    counts, dci = (column(kept, score) for score in ("active_codes", "dci"))
    assert partial_correlation(column(kept, "tpl"), dci, counts) < with_dci("tpl")
    for by in ("tpl_64", "tpl_root"):
        assert with_dci(by) < with_dci("active_codes")
        chosen = choose(kept, by, LEAST)
        assert standing(kept, chosen, "dci") <= 0.1 < standing(kept, chosen, "factor_vae")
    assert min(standing(kept, choose(kept, "tpl", LEAST), score) for score in ("dci", "factor_vae")) > 0.1
    assert min(rank_correlation(column(kept, by), column(kept, "factor_vae")).value for by in LENGTHS) > -0.596


def test_lesson_10_says_of_the_longer_gans_what_is_true(longer):
    verdicts = {tuple(row[:2]): row[-1] for row in claims_table(longer).rows}
    assert verdicts["PS above GAN", "DCI disentanglement"] == "yes, spreads apart"
    assert verdicts["PS-SC above PS", "DCI disentanglement"] == "means only"
    assert verdicts["PS-SC above PS: masks with the loss", "where score"] == "means only"
    assert verdicts["PS-SC above PS", "FactorVAE score"] == "no difference"
    assert "yes, spreads apart" not in [v for (_, score), v in verdicts.items() if score == "FactorVAE score"]
    means = {kind: [column(seeds_of(rs, kind), "where").mean() for rs in (load_population(), longer)]
             for kind in ("gan", "ps", "ps-sc")}  # fmt: skip
    assert all(older > young for young, older in means.values()), "all have come nearer to the right places"
