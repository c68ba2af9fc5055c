"""What the fusions of lesson 20 say, as tables: the only place where their numbers become text."""

from __future__ import annotations

import numpy as np

from wwlib.base.descent import count
from wwlib.base.shelf import runs_of
from wwlib.base.table import Result, Table
from wwlib.experiments.criteria import CRITERIA, PAPER_EDITS, criterion, mean_and_range
from wwlib.experiments.fusion.runs import HEARD, REGRESSION, REMEDIES, SHUFFLED, load_record
from wwlib.flows.world import FACTORS
from wwlib.models.autoencoder import Autoencoder

DIVERSITY = 1.3  # argmax against logits
KEPT = 0.85  # appearance of the exemplar, layout of the content
ROUND_TRIP = 1e-4
FLIPPED, CONTENT = 0.9, 0.8
GUESSED = 0.03  # from chance
APPEARANCE, LAYOUT, NAMED = (1, 2), (0, 3, 4), (0, 1, 2)  # positions in FACTORS
TITLES = {
    "domain": "domain label",
    "argmax": "layout, argmax",
    "logits": "layout, logits",
    "edges": "edges",
    "attributes": "attributes",
    "both": "label and layout",
}

# of Net2Net and Network Fusion, as printed in both papers
PAPER_ENERGY = {"fusion": "14.4 kWh, at most a day on one GPU", "generator": "BigGAN 1,260 kWh"}


def fusion_values(record: dict, case: str, measure: str) -> np.ndarray:
    """Return one measure `[seeds]` of a case.

    Args:
        record: of every run.
        case: such as "domain".
        measure: "within", "frechet", "nll", "inverse", "round trip", "flipped", "content" (the worst of digit, ink and
            paper), "departure" (of the classifier on v from chance), "appearance" (the exemplar's ink and paper, the
            worse), "layout" (the content's digit and place, the worst), "fresh appearance", "seconds".

    Raises:
        ValueError: for an unknown measure.
    """
    take = {
        "within": lambda s: s["within"],
        "frechet": lambda s: s["frechet"],
        "nll": lambda s: s["nll"],
        "inverse": lambda s: s["inverse_error"],
        "round trip": lambda s: s["round_trip"],
        "flipped": lambda s: s["turned"][5],
        "content": lambda s: min(s["turned"][k] for k in NAMED),
        "departure": lambda s: abs(s["guessing"] - 0.5),
        "appearance": lambda s: min(s["guided"]["exemplar"][k] for k in APPEARANCE),
        "layout": lambda s: min(s["guided"]["content"][k] for k in LAYOUT),
        "fresh appearance": lambda s: max(s["fresh"]["exemplar"][k] for k in APPEARANCE),
    }
    runs = runs_of(record, case)
    if measure == "seconds":
        return np.array([run["seconds"] for run in runs])
    if measure not in take:
        raise ValueError(f"measure must be one of {(*take, 'seconds')}, got {measure!r}")
    return np.array([take[measure](run["scores"]) for run in runs])


def diversity_ratio(record: dict, remedy: str = "") -> np.ndarray:
    """Return for each seed of both the variance under the argmax divided by that under the logits, `[seeds]`.

    Args:
        record: of every run.
        remedy: such as ", long" or ", young layout", of both flows.
    """
    argmax, logits = (
        {run["seed"]: run["scores"]["within"] for run in runs_of(record, name + remedy)}
        for name in ("argmax", "logits")
    )
    return np.array([argmax[seed] / logits[seed] for seed in sorted(argmax.keys() & logits.keys())])


def criteria_table(record: dict | None = None) -> Table:
    """Every criterion with what the recorded seeds gave, and how many of them met it."""
    record = record or load_record()
    models = {run["image_model"] for run in record["runs"]}
    rows = [("weights of the image model over all runs, bit for bit", "1 version", f"{len(models)} version", "–",
             f"{len(record['runs'])} runs")]  # fmt: skip
    found = [("variance in the judge's features: argmax over logits", DIVERSITY, diversity_ratio(record), True)]
    found += [
        ("layout, argmax: the exemplar's ink and paper are kept (worse)", KEPT,
         fusion_values(record, "argmax", "appearance"), True),
        ("layout, argmax: the content's digit and place are kept (worst)", KEPT,
         fusion_values(record, "argmax", "layout"), True),
    ]  # fmt: skip
    for case in ("domain", "both"):
        found += [
            (f"{TITLES[case]}: the domain turns", FLIPPED, fusion_values(record, case, "flipped"), True),
            (f"{TITLES[case]}: digit, ink and paper stay (worst)", CONTENT,
             fusion_values(record, case, "content"), True),
            (f"{TITLES[case]}: round trip, largest error", ROUND_TRIP,
             fusion_values(record, case, "round trip"), False),
            (f"{TITLES[case]}: a classifier on v, distance from chance", GUESSED,
             fusion_values(record, case, "departure"), False),
        ]  # fmt: skip
    found += [
        ("– label heard in 2 blocks only: the domain turns", FLIPPED, fusion_values(record, HEARD, "flipped"), True),
        ("– label heard in 2 blocks only: digit, ink and paper stay (worst)", CONTENT,
         fusion_values(record, HEARD, "content"), True),
        ("– label heard in 2 blocks only: a classifier on v, distance from chance", GUESSED,
         fusion_values(record, HEARD, "departure"), False),
        *((f"– {name}: variance, argmax over logits", DIVERSITY, diversity_ratio(record, f", {name}"), True)
          for name in ("long", "wide", "wide and long", "young layout")),
    ]  # fmt: skip
    lines = [
        criterion(what, values, limit, low, ".1e" if limit == ROUND_TRIP else ".3f")
        for what, limit, values, low in found
    ]
    return Table(CRITERIA, [*rows, *lines])


def domain_table(record: dict | None = None) -> Table:
    """Each way to turn the domain: does it turn, what stays, how near the true counterpart; mean over seeds."""
    record = record or load_record()
    ways = {"the true counterparts, rebuilt": None, "label": "domain"}
    ways |= {f"label: {case.split(', ')[1]}": case for case in REMEDIES if case.startswith("domain")}
    ways |= {"label and layout": "both", "label, shuffled in training": SHUFFLED}
    rows = []
    for title, case in ways.items():
        runs = runs_of(record, case or "domain")
        turned = np.mean([run["scores"]["turned" if case else "rebuilt"] for run in runs], axis=0)
        error = np.mean([run["scores"]["target_error" if case else "target_floor"] for run in runs])
        flipped, kept = f"{turned[5]:.3f}", (f"{turned[k]:.3f}" for k in (*NAMED, 3, 4))
        guessed = np.mean([run["scores"]["guessing"] for run in runs])
        steps = f"{runs[0]['schedule']['steps']:,}" if case else "–"
        rows.append((title, steps, flipped, *kept, f"{error:.3f}", f"{guessed:.3f}" if case else "–", len(runs)))
    header = ["turned by", "steps", "turns", *(f"{FACTORS[k]} stays" for k in (*NAMED, 3, 4)), "error to the truth",
              "label guessed from v", "seeds"]  # fmt: skip
    return Table(header, rows)


def guidance_table(record: dict | None = None) -> Table:
    """Whose factors a drawing shows, the content's or the exemplar's, for each expert; mean over seeds."""
    record, rows = record or load_record(), []
    for case, title in TITLES.items():
        runs = runs_of(record, case)
        content, exemplar = (
            np.mean([run["scores"]["guided"][side] for run in runs], axis=0) for side in ("content", "exemplar")
        )
        rows.append((title, *(f"{c:.2f} / {e:.2f}" for c, e in zip(content, exemplar, strict=True)), len(runs)))
    return Table(["condition from the content, v from the exemplar", *FACTORS, "seeds"], rows)


def exemplar_table(record: dict | None = None) -> Table:
    """The exemplar's ink and paper with its own v, and with a fresh one."""
    record, rows = record or load_record(), []
    for case in ("argmax", "edges"):
        own, fresh = (fusion_values(record, case, measure) for measure in ("appearance", "fresh appearance"))
        rows.append((TITLES[case], mean_and_range(own), mean_and_range(fresh), len(runs_of(record, case))))
    return Table(["expert", "v of the exemplar: ink and paper kept (worse)", "v drawn anew (better)", "seeds"], rows)


def diversity_table(record: dict | None = None) -> Table:
    """How much each expert leaves open, how well its samples fit real pictures, and the rival that has no v."""
    record, rows = record or load_record(), []
    largest = max(fusion_values(record, case, "within").mean() for case in TITLES)
    for case, title in {**TITLES, REGRESSION: "layout, argmax: regression, no v"}.items():
        within, frechet = (fusion_values(record, case, name) for name in ("within", "frechet"))
        nll = "–" if case == REGRESSION else mean_and_range(fusion_values(record, case, "nll"), ".1f")
        rows.append((title, mean_and_range(within / largest), nll, mean_and_range(frechet, ",.0f"), len(within)))
    header = ["expert", "variance left open (largest = 1)", "nats a code", "Frechet distance to rebuilt pictures",
              "seeds"]  # fmt: skip
    return Table(header, rows)


def cost_table(record: dict | None = None) -> Table:
    """What each fusion costs beside the image model that it steers."""
    record = record or load_record()
    whole, size = record["hosts"]["image-model"], count(Autoencoder())
    rows = [("image model", f"{whole:.0f}", "1", f"{size:,}", "1", "1")]
    for case, title in TITLES.items():
        runs, seconds = runs_of(record, case), fusion_values(record, case, "seconds")
        own = runs[0]["parameters"]
        costs = mean_and_range(seconds, ".0f"), f"{seconds.mean() / whole:.2f}", f"{own:,}", f"{own / size:.2f}"
        rows.append((title, *costs, len(runs)))
    header = ["what", "CPU-seconds", "of the image model's", "parameters", "of the image model's", "seeds"]
    return Table(header, rows)


def said_and_measured(record: dict | None = None) -> Table:
    """What the papers report beside what our miniature gave; other data, other networks: only orders compare."""
    record = record or load_record()
    seconds = np.array([fusion_values(record, case, "seconds").mean() for case in TITLES])
    whole = record["hosts"]["image-model"]
    fids = ", ".join(f"{name} {ours} / {rival}" for name, (ours, rival) in PAPER_EDITS.items())
    rows = [
        ("cost of one fusion", PAPER_ENERGY["fusion"], f"{seconds.min():.0f} to {seconds.max():.0f} CPU-seconds"),
        ("cost of the image model", PAPER_ENERGY["generator"], f"{whole:.0f} CPU-seconds"),
        ("edits by attribute, FID: flow / StarGAN", fids, "no such rival here; see the table of variances"),
        ("argmax leaves more open than logits", "shown in pictures, no number",
         f"{mean_and_range(diversity_ratio(record))} times the variance"),
        ("label alone, unaligned domains", "shown in pictures, no number",
         f"turns {mean_and_range(fusion_values(record, 'domain', 'flipped'))}, "
         f"content stays {mean_and_range(fusion_values(record, 'domain', 'content'))}"),
    ]  # fmt: skip
    return Table(["what", "paper", "ours"], rows)


RESULTS = (
    Result(
        "20",
        "Every criterion",
        "One frozen image model of two domains, steered by experts that it never met. Two bars are missed in "
        "every seed: content under the label alone (label and layout together meet it; a label heard in two "
        "blocks only does on average, and then stays in the residual), and the ratio of variances (met by wider "
        "flows that trained longer). Lines that begin with a dash are remedies.",
        criteria_table,
    ),
    Result(
        "20",
        "Turning the domain",
        "A label alone turns the domain and loses content; label and layout together keep it.",
        domain_table,
    ),
    Result(
        "20",
        "Whose factors a drawing shows",
        "In each cell, how often the factor is the content's / the exemplar's: experts decide different factors.",
        guidance_table,
    ),
    Result(
        "20",
        "The exemplar's colours",
        "The exemplar's residual carries its ink and paper for a layout map, and less well for edges; a fresh "
        "residual does not.",
        exemplar_table,
    ),
    Result(
        "20",
        "What each expert leaves open",
        "A map of logits leaves less open than their argmax; a regression, which has no residual, leaves nothing "
        "open and draws badly.",
        diversity_table,
    ),
    Result(
        "20",
        "Cost",
        "A fusion takes less computing than the image model that it steers, and has fewer parameters.",
        cost_table,
    ),
    Result(
        "20",
        "Beside the papers",
        "Other data and other networks, so only the order compares.",
        said_and_measured,
    ),
)
