"""The results of lesson 09's population as tables and pictures; `longer` has those of the one trained longer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wwlib.base.files import load_json, load_tensors
from wwlib.base.paths import DATA
from wwlib.base.table import Result, Table
from wwlib.base.viz import FAINT, Picture, figure_picture
from wwlib.metrics.ranking import (
    by_family,
    choose,
    column,
    enough_active,
    is_autoencoder,
    rank_correlation,
    spread_gap,
    standing,
    without_seed,
)
from wwlib.metrics.scores import SCORES
from wwlib.models.shipped import seed_names, seed_scores, shipped_record

SHOWN = {name: score.label for name, score in SCORES.items()} | {"where": "where score"}
PAPER = {"dci": -0.719, "factor_vae": -0.596}  # poster, dSprites, about 1,450 of 1,800 models
LEAST = 4  # active codes a model needs to enter; the author's scripts try more than 3 and more than 4
OBJECTIVES = {
    "gan": "GAN",
    "infogan": "InfoGAN",
    "ps": "PS (no masks)",
    "sc": "SC (masks, plain GAN loss)",
    "ps-sc": "PS-SC",
}
COLOURS = ("#0b6fb8", "#d1495b", "#2e8b57", "#8e5ea2", "#e0a030", "#1b1f2a", "#7a8494", "#5bc0be", "#b5651d", "#c71585")


def with_minus(value: float, digits: int = 3) -> str:
    """Return a number with a typographic minus."""
    return f"{value:.{digits}f}".replace("-", "−")


def distinct(records: list[dict]) -> list[dict]:
    """Return the records without repetitions: at strength 1 beta-TCVAE is beta-VAE, with equal seeds the same model."""
    return [record for record in records if without_seed(record["name"]) != "beta-tcvae-1"]


def autoencoders(records: list[dict], least: int = 0) -> list[dict]:
    """Return the different autoencoders with at least `least` active codes."""
    return enough_active([record for record in distinct(records) if is_autoencoder(record)], least)


def correlation_table(records: list[dict], least: int = LEAST) -> Table:
    """Spearman's correlation of TPL and UDR with supervised scores, with the paper's beside it."""
    groups = {
        f"autoencoders with at least {least} active codes": autoencoders(records, least),
        "all autoencoders": autoencoders(records),
        f"all models with at least {least} active codes": enough_active(distinct(records), least),
    }
    rows = []
    for label, group in groups.items():
        for score in ("dci", "factor_vae", "mig", "where"):
            values = [str(rank_correlation(column(group, by), column(group, score))) for by in ("tpl", "udr")]
            rows.append((label, SHOWN[score], *values, with_minus(PAPER[score]) if score in PAPER else "–"))
    return Table(["models", "score", "TPL [95 %]", "UDR [95 %]", "paper, TPL"], rows)


def remedies_table(records: list[dict], least: int = LEAST) -> Table:
    """What else could rank the autoencoders without labels: TPL as defined, changed, and what it hides."""
    group = autoencoders(records, least)
    count = column(group, "active_codes")
    candidates = {
        "TPL (VGG16, ±4, 4 traversals of 25 points)": column(group, "tpl"),
        "mean length of an active code": column(group, "tpl") / np.maximum(count, 1),
        "TPL by AlexNet at 64 px, 6 traversals of 13 points": column(group, "tpl_fast"),
        "the same over codes from −2 to 2": column(group, "tpl_fast_narrow"),
        "the number of active codes alone": count,
        "UDR": column(group, "udr"),
    }
    rows = [
        (label, *(str(rank_correlation(values, column(group, score))) for score in ("dci", "factor_vae")))
        for label, values in candidates.items()
    ]
    return Table(["score without labels", SHOWN["dci"], SHOWN["factor_vae"]], rows)


def choice_table(records: list[dict], least: int = LEAST) -> Table:
    """Which model each label-free score picks, what labels say of it, and the best and mean for comparison."""
    candidates = autoencoders(records, least)
    rows = []
    for by, label in (("tpl", "TPL"), ("udr", "UDR")):
        chosen = choose(candidates, by, least)
        rows.append((f"chosen by {label}: {chosen['name']}", *judged(candidates, chosen)))
    for score in ("factor_vae", "dci"):
        best = max(candidates, key=lambda record: record["scores"][score])
        rows.append((f"best by {SHOWN[score]} (needs labels): {best['name']}", *judged(candidates, best)))
    rows.append((f"at random (mean of {len(candidates)})", *at_random(candidates)))
    return Table(["model", "FactorVAE score", "models above it", "DCI", "models above it"], rows)


def judged(candidates: list[dict], record: dict) -> tuple[str, ...]:
    """Return a record's FactorVAE score and DCI as cells, each with the share of candidates above it."""
    cells = []
    for score in ("factor_vae", "dci"):
        cells += [f"{record['scores'][score]:.3f}", f"{standing(candidates, record, score):.0%}"]
    return tuple(cells)


def at_random(candidates: list[dict]) -> tuple[str, ...]:
    """Return what `judged` would of a model drawn blindly, on average."""
    means = (f"{column(candidates, score).mean():.3f}" for score in ("factor_vae", "dci"))
    return tuple(cell for mean in means for cell in (mean, "50 %"))


def search_table() -> Table:
    """The recorded search without labels: every trial, and what labels said of it afterwards."""
    record = load_search()
    rows = []
    for trial in record["trials"]:
        scores = trial.get("scores", {})
        shown = [f"{scores[name]:.3f}" if name in scores else "–" for name in ("factor_vae", "dci")]
        mark = " (chosen)" if trial["number"] == record["chosen"] else ""
        length = "–" if trial["tpl"] is None else f"{trial['tpl']:.2f}"
        rows.append((f"{trial['number']}{mark}", f"{trial['family']} {trial['strength']:.1f}", trial["state"],
                     "–" if trial["active_codes"] is None else trial["active_codes"], length, *shown))  # fmt: skip
    return Table(["trial", "settings", "state", "active codes", "TPL", "FactorVAE score", "DCI"], rows)


def seeds_of(records: list[dict], kind: str) -> list[dict]:
    """Return the seeds of one kind of GAN, such as "ps-sc", without its variants."""
    return [record for record in records if without_seed(record["name"]) == kind]


def mean_and_spread(values: np.ndarray) -> str:
    """Return "mean ± standard deviation", or the value alone if there is but one."""
    values = values[np.isfinite(values)]
    if not len(values):
        return "–"
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def _means(records: list[dict], kinds: dict[str, str], scores: tuple[str, ...]) -> list[tuple]:
    """A row for each kind of GAN that was trained: label, how many runs, every score's mean and spread over them."""
    groups = {label: seeds_of(records, kind) for kind, label in kinds.items()}
    return [
        (label, len(group), *(mean_and_spread(column(group, score)) for score in scores))
        for label, group in groups.items()
        if group
    ]


def objective_table(records: list[dict]) -> Table:
    """GAN, InfoGAN, PS, SC and PS-SC after the same short training: mean and spread over seeds."""
    rows = _means(records, OBJECTIVES, ("factor_vae", "dci", "where", "tpl", "active_codes"))
    return Table(["model", "seeds", "FactorVAE score", "DCI", "where score", "TPL", "active codes"], rows)


def variant_table(records: list[dict]) -> Table:
    """PS-SC with a part changed, one run each, beside the spread of the unchanged runs."""
    variants = {
        "ps-sc": "PS-SC, unchanged",
        "ps-sc-no-average": "no averaging of unchanged codes",
        "ps-sc-small-steps": "perturbation 0.2 in place of 2",
        "ps-sc-one-rectangle": "one rectangle a code in place of four",
        "ps-sc-lambda0.02": "C_lambda 0.02 in place of 0.1",
        "ps-sc-lambda0.5": "C_lambda 0.5 in place of 0.1",
    }
    rows = _means(records, variants, ("factor_vae", "dci", "where", "where_masks", "tpl"))
    return Table(["model", "runs", "FactorVAE score", "DCI", "where score", "where, by mask", "TPL"], rows)


def claims_table(records: list[dict]) -> Table:
    """The paper's order of methods, claim by claim: by how much the spreads are apart, or overlap.

    A claim on a method that these records lack is left out.
    """
    orders = (("PS above GAN", "ps", "gan"), ("PS-SC above PS", "ps-sc", "ps"), ("PS-SC above GAN", "ps-sc", "gan"))
    claims = (
        *((claim, SHOWN[score], score, *kinds) for score in ("factor_vae", "dci") for claim, *kinds in orders),
        ("SC above GAN: masks alone", "where score", "where", "sc", "gan"),
        ("PS-SC above PS: masks with the loss", "where score", "where", "ps-sc", "ps"),
    )
    rows = []
    for claim, label, score, first, second in claims:
        above, below = (column(seeds_of(records, kind), score) for kind in (first, second))
        if not (len(above) and len(below)):
            continue
        gap, difference = spread_gap(above, below), round(above.mean() - below.mean(), 2)
        if min(len(above), len(below)) < 3:
            verdict = "too few runs"
        elif gap > 0:
            verdict = "yes, spreads apart"
        elif difference == 0:
            verdict = "no difference"
        else:
            verdict = "means only" if difference > 0 else "no"
        rows.append((claim, label, f"{len(above)} and {len(below)}", f"{difference:+.2f}", f"{gap:+.2f}", verdict))
    return Table(["claim", "in", "runs", "difference of means", "gap between spreads", "holds here"], rows)


def paper_table(records: list[dict], older: list[dict], least: int = LEAST) -> Table:
    """What the paper reports beside ours: mean and spread, seeds or models, data.

    Args:
        records: of the population.
        older: of the one that was trained longer, which also has TPL by roots.
        least: active codes a model needs to count.
    """
    later = [record for record in older if record["config"]["seed"] > 0]
    author = " (dSprites, about 1,450 models)"
    rows = []
    for what, by, group, known in (
        ("TPL", "tpl", records, True),
        ("TPL, models trained longer", "tpl", older, True),
        ("TPL at 64 px with 13 points, trained longer, seeds it was not found on", "tpl_64", later, True),
        ("sum of distances (ours), the same models", "tpl_root", later, False),
    ):
        members = autoencoders(group, least)
        for score in ("dci", "factor_vae"):
            correlation = rank_correlation(column(members, by), column(members, score))
            published = with_minus(PAPER[score]) + author if known else "–"
            ours = f"{correlation.value:.2f} [{correlation.low:.2f}, {correlation.high:.2f}]"
            models = f"{correlation.models} models"
            rows.append((f"Spearman with {SHOWN[score]}: {what}", published, ours, models, "rendered 3D Shapes, 32 px"))
    for kind, label in OBJECTIVES.items():
        for seeds in (seeds_of(records, kind), seeds_of(older, kind)):
            if seeds:
                cells = [mean_and_spread(column(seeds, score)) for score in ("factor_vae", "where")]
                rows.append((f"{label}: FactorVAE score / where score", "not recovered", " / ".join(cells),
                             f"{len(seeds)} seeds",
                             f"rendered 3D Shapes, 32 px, {seeds[0]['config']['images']:,} images"))  # fmt: skip
    shipped = np.array(seed_scores("shapes3d-32"))
    images = {shipped_record(name)["images"] for name in seed_names("shapes3d-32")}
    rows.append(("PS-SC, shipped: FactorVAE score", "not recovered", mean_and_spread(shipped), f"{len(shipped)} seeds",
                 f"rendered 3D Shapes, 32 px, {max(images):,} images shown"))  # fmt: skip
    return Table(["result", "paper", "ours", "from", "data"], rows)


def scatter(
    records: list[dict], score: str, alt: str = "", least: int = LEAST, ranks: bool = False, caption: str = ""
) -> Picture:
    """Plot a supervised score against TPL by family; models with too few active codes are drawn faintly.

    Args:
        records: of the population.
        score: which supervised score.
        alt: what the picture shows.
        least: active codes a model needs to count.
        ranks: plot ranks among the models that count in place of values.
        caption: a short text below the picture; then `alt` may be left out.
    """
    figure = Figure(figsize=(7, 3.6))
    axis = figure.subplots()
    counted = enough_active(records, least)
    names = [record["name"] for record in counted]
    places = [column(counted, s).argsort().argsort() + 1 for s in ("tpl", score)]
    for (family, group), colour in zip(by_family(records).items(), COLOURS, strict=False):
        inside = [record for record in group if record["name"] in names]
        if ranks:
            rows = [names.index(record["name"]) for record in inside]
            axis.plot(places[0][rows], places[1][rows], "o", color=colour, label=family, markersize=5)
            continue
        outside = [record for record in group if record["name"] not in names]
        axis.plot(column(inside, "tpl"), column(inside, score), "o", color=colour, label=family, markersize=5)
        axis.plot(column(outside, "tpl"), column(outside, score), "o", markerfacecolor="none", markeredgecolor=FAINT,
                  markersize=4)  # fmt: skip
    axis.set(
        xlabel="rank by TPL, shortest first" if ranks else "TPL", ylabel=("rank by " if ranks else "") + SHOWN[score]
    )
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure_picture(figure, alt, caption=caption)


SEARCH = DATA / "select.json"  # what the recorded search tried and chose


RECORDS, ARRAYS = DATA / "population.json", DATA / "population-arrays.safetensors"


def load_search() -> dict:
    """Return the record of the shipped search without labels: its trials, the chosen one's number, the command."""
    return load_json(SEARCH)


def load_population(path: Path = RECORDS) -> list[dict]:
    """Return the records of the shipped population."""
    return load_json(path)["members"]


def load_arrays(path: Path = ARRAYS) -> dict:
    """Return arrays of the shipped population by "member/codes", "member/lengths", and so on."""
    return load_tensors(path)[0]


RESULTS = (
    Result(
        "09",
        "Does TPL rank models as labels do?",
        "Hardly: TPL should have a clearly negative correlation with each score, UDR a clearly positive one; as "
        "published, and on our models, both fall short (95 % bootstrap intervals).",
        lambda: correlation_table(load_population()),
    ),
    Result(
        "09",
        "Other scores without labels",
        "The number of active codes alone ranks our models better than TPL does.",
        lambda: remedies_table(load_population()),
    ),
    Result(
        "09",
        "What each score chooses",
        "The models chosen without labels among the autoencoders with enough active codes: TPL's choice is a "
        "little better than a blind one by FactorVAE score, UDR's is worse.",
        lambda: choice_table(load_population()),
    ),
    Result(
        "09",
        "A search without labels",
        "Every trial of `python -m wwlib select`; labels were shown only afterwards, and the chosen one has the "
        "best FactorVAE score of those scored, not the best DCI.",
        search_table,
    ),
    Result(
        "10",
        "Five methods, trained alike",
        "GAN, InfoGAN, the perturbation loss PS, masks alone (SC) and both (PS-SC) after the same short training: "
        "PS-SC has the highest mean FactorVAE score, and spreads overlap.",
        lambda: objective_table(load_population()),
    ),
    Result(
        "10",
        "One part of PS-SC changed",
        "One run each, so a difference within the spread of the unchanged runs means nothing.",
        lambda: variant_table(load_population()),
    ),
    Result(
        "10",
        "The paper's claims",
        "Three seeds each, a short training, one change at a time: the masks' claims on *where* hold with "
        "spreads apart, those on FactorVAE score in the means only.",
        lambda: claims_table(load_population()),
    ),
)
