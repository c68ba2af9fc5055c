"""The results of examining the shipped portraits model as tables, for lesson 11."""

from __future__ import annotations

from wwlib.base.files import load_json
from wwlib.base.paths import DATA
from wwlib.base.table import Result, Table
from wwlib.experiments.examination.runs import RECORD, THRESHOLD
from wwlib.models.shipped import shipped_record
from wwlib.training.recipes import make_data

NAMES = DATA / "lesson11-names.json"
# lengths per code on the paper's poster, and what it calls the code
POSTER = {
    "CelebA": {"azimuth": 1.238, "fringe": 0.437, "background": 0.420, "elevation": 0.218, "hair colour": 0.202},
    "FFHQ": {"azimuth": 2.109, "hair thickness": 0.893, "hair style": 0.359, "saturation": 0.075},
}


def load_examination() -> dict:
    """Return the record that `examine` wrote."""
    return load_json(RECORD)


def names_by_a_language_model() -> dict:
    """Return what a language model that knew neither model nor factors called each code, and how it was asked."""
    return load_json(NAMES)


def codes_table(record: dict) -> Table:
    """For each code: what a language model called it, how long its path is, and which factors vote for it."""
    names, model = names_by_a_language_model()["codes"], shipped_record(record["model"])
    factors = make_data(model["config"]["dataset"], model["config"]["resolution"]).factor_names
    votes = model["scores"]["votes"]
    rows = []
    for code, (name, length) in enumerate(zip(names, record["tpl"]["lengths"], strict=True)):
        shares = {factor: row[code] / sum(row) for factor, row in zip(factors, votes, strict=True)}
        owned = [f"{factor} {share:.0%}" for factor, share in shares.items() if share >= 0.25]
        rows.append((code, name or "no change worth a name", f"{length:.3f}", ", ".join(owned) or "–"))
    return Table(
        ["code", "what the language model called it", "length", "factors that give it a quarter of their votes"], rows
    )


def projection_table(record: dict) -> Table:
    """Errors of projecting unseen pictures, beside answers that need no model."""
    rows = [
        (what, f"{e['squared']:.4f}", f"{e['explained']:.0%}", f"{e['lpips']:.3f}")
        for what, e in record["projection"]["errors"].items()
    ]
    return Table(["answer", "mean squared error", "explained", "LPIPS (VGG)"], rows)


def transfer_table(record: dict) -> Table:
    """Errors of taking one factor from another picture, inside the factor's footprint."""
    rows = []
    for row in record["transfer"]:
        errors = [f"{row[what]:.3f}" for what in ("none", "transfer", "rebuilt")]
        rows.append((row["factor"], row["code"], f"{row['share_of_votes']:.0%}", *errors))
    header = ["taken from the source", "code", "share of votes", "no transfer", "transfer", "true picture rebuilt"]
    return Table(header, rows)


def real_paper_table(record: dict) -> Table:
    """What the paper reports of its models of faces beside ours."""
    lengths = sorted((v for v in record["tpl"]["lengths"] if v >= THRESHOLD), reverse=True)
    shown = {data: ", ".join(f"{name} {v:.3f}" for name, v in codes.items()) for data, codes in POSTER.items()}
    rows = [
        ("pictures", "photographs: CelebA at 128 px, FFHQ at 512 px", "drawn portraits at 64 px"),
        ("codes", "25 on CelebA, 36 on FFHQ", f"{len(record['tpl']['lengths'])}, {len(lengths)} of them active"),
        ("lengths of codes, CelebA", shown["CelebA"], f"{lengths[0]:.3f} to {lengths[-1]:.3f}"),
        ("lengths of codes, FFHQ", shown["FFHQ"], "the same"),
        ("TPL, sum of active codes", "not recovered", f"{record['tpl']['score']:.2f}"),
        ("FID", "not recovered", "not measured: its network's weights are not to be had offline"),
        (
            "projection of real pictures",
            "by its author's word not good enough; no number",
            f"{record['projection']['errors']['search']['explained']:.0%} explained "
            f"(the nearest of 2,000 others: {record['projection']['errors']['nearest of 2,000']['explained']:.0%})",
        ),
    ]
    return Table(["", "paper", "ours"], rows)


RESULTS = (
    Result(
        "11",
        "The portraits' codes",
        "What a language model that sees pictures called each code, and which factors vote for it: a few codes have "
        "clear names, most do little.",
        lambda: codes_table(load_examination()),
    ),
    Result(
        "11",
        "Unseen portraits, projected",
        "Searching for codes explains unseen pictures better than the recogniser's guess, and worse than the "
        "nearest of many other pictures.",
        lambda: projection_table(load_examination()),
    ),
    Result(
        "11",
        "One factor taken from another portrait",
        "Large colours are transferred as well as the model can draw them; clothes, beard and mouth are not "
        "transferred at all.",
        lambda: transfer_table(load_examination()),
    ),
    Result(
        "11",
        "Beside the paper",
        "Drawn portraits, not photographs: a length of ours does not compare with one of the paper's.",
        lambda: real_paper_table(load_examination()),
    ),
)
