"""What the population says: tables on a made-up population whose answers are known, and facts of the shipped one."""

import numpy as np
import pytest

from wwlib.base.paths import DATA
from wwlib.course.lessons.readme import PEERS, REFERENCE
from wwlib.experiments.population.runs import POINTS, SHIPPED, THRESHOLD, TRAVERSALS, load_member, members
from wwlib.experiments.population.tables import (
    autoencoders,
    choice_table,
    claims_table,
    correlation_table,
    load_arrays,
    load_population,
    load_search,
    mean_and_spread,
    objective_table,
    paper_table,
    remedies_table,
    scatter,
    search_table,
    seeds_of,
    variant_table,
)
from wwlib.metrics.lengths import tpl
from wwlib.metrics.perceptual import PerceptualDistance
from wwlib.metrics.ranking import column, is_autoencoder, rank_correlation, spread_gap


def record(name, family, **scores):
    defaults = dict(
        factor_vae=0.5, dci=0.2, mig=0.1, beta_vae=0.8, sap=0.0, where=0.1, tpl=3.0, udr=0.2, active_codes=6
    )
    return dict(name=name, family=family, scores=defaults | scores)


@pytest.fixture
def known():
    """Ten autoencoders whose TPL falls as every score rises, and GANs of which PS-SC is best by far."""
    models = [
        record(f"beta-vae-{i}-seed0", "beta-vae", tpl=10 - i, tpl_fast=-i, tpl_fast_narrow=i, active_codes=6 + i % 3,
               udr=i / 10, **{s: i / 10 for s in ("factor_vae", "dci", "mig", "where")})
        for i in range(10)
    ]  # fmt: skip
    for kind, level in (("gan", 0.1), ("infogan", 0.2), ("ps", 0.3), ("sc", 0.4), ("ps-sc", 0.9)):
        models += [
            record(f"{kind}-seed{k}", kind, factor_vae=level + k / 100, where=level, where_masks=level)
            for k in range(3)
        ]
    return models


def test_a_perfect_ranking_is_reported_as_minus_one(known):
    row = correlation_table(known).rows[0]
    assert row[2].startswith("-1.00")
    assert row[3].startswith("1.00")
    assert row[4] == "−0.719"
    assert row[0].endswith("4 active codes")


def test_the_choice_by_tpl_is_the_best_here_and_chance_is_the_mean(known):
    rows = choice_table(known).rows
    assert rows[0][0] == "chosen by TPL: beta-vae-9-seed0"
    assert rows[0][2] == "0%"
    assert rows[-1][1] == "0.450"


def test_claims_are_judged_by_spreads(known):

    def verdicts(records):
        return {tuple(row[:2]): row[-1] for row in claims_table(records).rows}

    claim = ("PS-SC above PS", "FactorVAE score")
    assert verdicts(known)[claim] == "yes, spreads apart"
    assert verdicts(known)["PS-SC above PS", "DCI disentanglement"] == "no difference"
    known[-1]["scores"]["factor_vae"] = 0.0
    assert verdicts(known)[claim] == "means only"
    assert verdicts([r for r in known if r["name"] != "ps-seed2"])[claim] == "too few runs"
    without = [r for r in known if r["family"] != "gan"]
    assert [row[0] for row in claims_table(without).rows] == ["PS-SC above PS"] * 2 + [
        "PS-SC above PS: masks with the loss"
    ]
    assert spread_gap([0.3, 0.5], [0.1, 0.2]) == pytest.approx(0.1)


def test_a_mean_comes_with_its_spread_and_missing_values_do_not_count():
    assert mean_and_spread(np.array([1.0, 2.0, 3.0, np.nan])) == "2.00 ± 1.00"
    assert mean_and_spread(np.array([1.0])) == "1.00"
    assert mean_and_spread(np.array([np.nan])) == "–"


def test_the_other_tables_and_pictures_are_made(known):
    assert len(objective_table(known).rows) == 5
    assert variant_table(known).rows[0][1] == "3"
    older = [
        record
        | {
            "scores": record["scores"] | dict.fromkeys(("tpl_root", "tpl_64"), record["scores"]["tpl"]),
            "config": dict(seed=1, images=99),
        }
        for record in known
        if record["family"] != "sc"
    ]
    rows = paper_table([record | {"config": dict(seed=0, images=50)} for record in known], older).rows
    assert len(rows) == 8 + 5 + 4 + 1, "correlations, five kinds of GAN, four of them longer, the shipped model"
    assert [row[1] for row in rows[6:8]] == ["–", "–"], "the paper knows no sum of distances"
    assert [row[1].split()[0] for row in remedies_table(known).rows[2:4]] == ["-1.00", "1.00"]
    for ranks in (False, True):
        assert scatter(known, "dci", "points", ranks=ranks).data.startswith(b"\x89PNG")


# the shipped population


@pytest.fixture(scope="module")
def shipped_population():
    return load_population()


def test_the_shipped_population_is_whole(shipped_population):
    assert [r["name"] for r in shipped_population] == list(members())
    assert sum(is_autoencoder(r) for r in shipped_population) == 60
    for kind in ("gan", "infogan", "ps", "sc", "ps-sc"):
        assert len(seeds_of(shipped_population, kind)) == 3
    arrays = load_arrays()
    for r in shipped_population:
        assert len(arrays[f"{r['name']}/codes"]) == 2000
        assert np.isfinite(column([r], "tpl")).all()


def test_a_model_that_occurs_under_two_names_counts_once(shipped_population):
    by_name = {record["name"]: record["scores"] for record in shipped_population}
    for seed in (0, 1):
        assert by_name[f"beta-tcvae-1-seed{seed}"] == by_name[f"beta-vae-1-seed{seed}"]
    assert len(autoencoders(shipped_population)) == 58


def test_what_is_shipped_of_it_stays_small():
    files = [*(DATA / "population").iterdir(), *DATA.glob("population*.json"), *DATA.glob("population*.safetensors")]
    assert len(files) == len(SHIPPED) + 4, "records and arrays of the population and of the one trained longer"
    assert {f.stem for f in (DATA / "population").iterdir()} == set(SHIPPED)
    assert sum(f.stat().st_size for f in files) < 60e6
    assert max(f.stat().st_size for f in files) < 5e6


def test_a_records_tpl_is_what_its_weights_give(shipped_population):
    """The first traversal of a shipped member, measured again."""
    name = "ps-sc-seed0"
    distance = PerceptualDistance("vgg")
    found = tpl(load_member(DATA / "population" / f"{name}.safetensors").generator, distance, 1, POINTS, THRESHOLD)
    assert np.allclose(found.every[0], load_arrays()[f"{name}/lengths"][0], rtol=0.05, atol=0.01)
    assert len(load_arrays()[f"{name}/lengths"]) == TRAVERSALS


def test_our_digits_are_the_references():
    import json

    ours = json.loads(PEERS.read_text())["libraries"]["wwlib"]
    theirs = REFERENCE["disentanglement_lib"]
    for name in ("mig", "modularity", "sap"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-9)
    for name in ("dci", "completeness"):  # ties between equal float32 values
        assert ours[name] == pytest.approx(theirs[name], abs=1e-4)


def test_the_recorded_search_says_what_lesson_09_and_the_readme_say():
    record = load_search()
    ended = [trial for trial in record["trials"] if trial["state"] == "complete"]
    best = max((t for t in record["trials"] if "scores" in t), key=lambda trial: trial["scores"]["factor_vae"])
    assert best["number"] == record["chosen"] == min(ended, key=lambda trial: trial["tpl"])["number"]
    for score in ("factor_vae", "dci"):
        assert rank_correlation([t["tpl"] for t in ended], [t["scores"][score] for t in ended]).value < 0
    assert "--images 192000" in record["command"]
    assert search_table().markdown().count("(chosen)") == 1
