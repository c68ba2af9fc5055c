"""The results of lesson 19's translations as tables; no other module turns their numbers into text."""

from __future__ import annotations

import numpy as np

from wwlib.base.shelf import runs_of
from wwlib.base.table import Result, Table
from wwlib.datasets.captions import STATED
from wwlib.datasets.glyphs import Glyphs
from wwlib.experiments.criteria import CRITERIA, INVERSE, PAPER_EDITS, criterion, mean_and_range
from wwlib.experiments.records import made_from
from wwlib.experiments.translation.depths import REMEDIES
from wwlib.experiments.translation.runs import load_record
from wwlib.flows.text_to_image import DEPTHS

NATS = 3.0  # least gain of likelihood from captions
AGREEMENT = 0.90  # least share of pictures that show what their caption states
POSE = (0.8, 1.2)  # spread of position and tilt under one caption, over that of the data
NAMES = Glyphs.factor_names

# of the paper, tables and figures of its project page: FID from three depths of a classifier, its flow and a plain MLP
PAPER_DEPTHS = {"early": ("34.0", "24.2"), "middle": ("23.4", "25.6"), "last": ("27.6", "264.0")}
PAPER_TEXT = {
    "Net2Net": ("34.7 ± 0.3", "30.63"),
    "SD-GAN": ("35.7", "–"),
    "DM-GAN": ("30.5", "32.64"),
    "AttnGAN": ("25.9", "35.49"),
}


def translation_values(record: dict, case: str, measure: str) -> np.ndarray:
    """Return one measure of a case, `[seeds]` or `[seeds, ...]`.

    Args:
        record: of every run.
        case: of `wwlib.experiments.translation.runs.CASES`, a depth, or "reading".
        measure: name of a score; "translation/frechet" for one inside another.

    Raises:
        ValueError: if the case is not there, or has no such measure.
    """
    values = []
    for run in runs_of(record, case):
        value = run["scores"]
        for part in measure.split("/"):
            if part not in value:
                raise ValueError(f"measure must be among {sorted(value)}, got {measure!r}")
            value = value[part]
        values.append(value)
    return np.array(values)


def nats_gained(record: dict) -> np.ndarray:
    """Return how much less a code's negative log-likelihood is with its caption than without, `[seeds]`."""
    return translation_values(record, "no caption", "nll") - translation_values(record, "captions", "nll")


def growth(record: dict, model: str, remedy: str = "") -> np.ndarray:
    """Return the distance to real pictures from the logits over that from the first maps, `[seeds]`.

    Args:
        record: of every run.
        model: "translation" or "regression".
        remedy: of `wwlib.experiments.translation.depths.REMEDIES`, or none.
    """
    first, logits = (f"{depth}, {remedy}" if remedy else depth for depth in ("first maps", "logits"))
    return translation_values(record, logits, f"{model}/frechet") / translation_values(
        record, first, f"{model}/frechet"
    )


@made_from(load_record)
def criteria_table(record: dict) -> Table:
    """Every criterion with what the recorded seeds gave, and whether all of them met it."""
    agreement, pose = (translation_values(record, "captions", name) for name in ("agreement", "pose_ratio"))
    wrong = translation_values(record, "captions", "nll_shuffled") - translation_values(record, "no caption", "nll")
    inverse = translation_values(record, "captions", "inverse_error")
    unchanged = np.array([float(run["experts_unchanged"]) for run in runs_of(record, "captions")])
    rows = [
        criterion("largest error of the inverse", inverse, INVERSE, False, ".1e"),
        criterion("both frozen networks are bit for bit the same afterwards (1: yes)", unchanged, 1, True, ".0f"),
        criterion("nats that the caption saves", nats_gained(record), NATS, True, ".2f"),
        criterion("nats that a wrong caption costs, against none", wrong, 0, True, ".1f"),
        *(criterion(f"pictures that show the {name} that their caption states", agreement[:, k], AGREEMENT, True)
          for k, name in enumerate(STATED)),
        criterion("spread of position and tilt under one caption, over the data's (least of three)", pose.min(axis=1),
                  POSE[0], True),
        criterion("the same (largest of three)", pose.max(axis=1), POSE[1], False),
        criterion("regression: distance to pictures, from the logits over from the first maps",
                  growth(record, "regression"), 1, True, ".1f"),
        criterion("translation: the same", growth(record, "translation"), 1, False, ".2f"),
        *(criterion(f"– {remedy}: the same", growth(record, "translation", remedy), 1, False, ".2f")
          for remedy in REMEDIES),
    ]  # fmt: skip
    return Table(CRITERIA, rows)


@made_from(load_record)
def agreement_table(record: dict) -> Table:
    """How often pictures show what their caption states: the translation, its ablation, the rival, and the ceiling."""
    lines = {
        "translation": translation_values(record, "captions", "agreement"),
        "regression (MLP)": translation_values(record, "regression", "agreement"),
        "trained with captions of other pictures": translation_values(record, "shuffled captions", "agreement"),
        "– real pictures, rebuilt by the autoencoder": translation_values(record, "captions", "rebuilt")[:, :3],
        "– the same, with the noise of their codes": translation_values(record, "captions", "rebuilt_with_noise")[
            :, :3
        ],
    }
    rows = [(name, *(mean_and_range(v[:, k], ".3f") for k in range(3)), len(v)) for name, v in lines.items()]
    return Table(["pictures from", *STATED, "seeds"], rows)


@made_from(load_record)
def likelihood_table(record: dict) -> Table:
    """Nats of unseen codes: with their caption, without any, with a wrong one, and after training with wrong ones."""
    lines = {
        "with its caption": translation_values(record, "captions", "nll"),
        "without a caption": translation_values(record, "no caption", "nll"),
        "trained with captions of other pictures": translation_values(record, "shuffled captions", "nll"),
        "with the caption of another picture": translation_values(record, "captions", "nll_shuffled"),
    }
    rows = [(name, mean_and_range(v, ".2f"), len(v)) for name, v in lines.items()]
    return Table(["negative log-likelihood of a code", "nats, mean (range)", "seeds"], rows)


@made_from(load_record)
def probe_table(record: dict) -> Table:
    """How well each factor can be read from the residual v, with captions as condition and without any."""
    rows = [
        (label, *(f"{x:.2f}" for x in translation_values(record, case, "probe").mean(axis=0)))
        for label, case in (("none", "no caption"), ("captions", "captions"))
    ]
    return Table(["condition", *(f"{name} from v" for name in NAMES)], rows)


@made_from(load_record)
def spread_table(record: dict) -> Table:
    """How much pictures of one caption differ: the translation and the rival."""
    rows = []
    for label, case in (("translation", "captions"), ("regression (MLP)", "regression")):
        within, total = (translation_values(record, case, "spread")[:, k] for k in (0, 1))
        if case == "regression":
            total = translation_values(record, case, "total")
        data, pose = (
            translation_values(record, case, "data_spread"),
            translation_values(record, case, "pose_ratio").mean(axis=0),
        )
        rows.append(
            (
                label,
                mean_and_range(within / data, ".2f"),
                mean_and_range(total / data, ".2f"),
                *(f"{x:.2f}" for x in pose),
            )
        )
    header = ["model", "spread of codes under one caption / data's", "of all codes / data's"]
    return Table([*header, *(f"{name}: spread under one caption / data's" for name in NAMES[3:])], rows)


@made_from(load_record)
def openness_table(record: dict) -> Table:
    """How freely an attribute varies where the caption leaves it out; 1 is every value as likely as any."""
    values = translation_values(record, "captions", "openness")
    return Table(
        ["left out of the caption", "entropy of what is drawn / log 10"],
        [(name, mean_and_range(values[:, k], ".3f")) for k, name in enumerate(STATED)],
    )


@made_from(load_record)
def edit_table(record: dict) -> Table:
    """One word changed: how often each factor is what it should be afterwards, mean over seeds."""
    edits = translation_values(record, "captions", "edits")
    rebuilt = translation_values(record, "captions", "rebuilt").mean(axis=0)
    rows = [
        (f"{name} changed", *(f"{x:.3f}" for x in line)) for name, line in zip(STATED, edits.mean(axis=0), strict=True)
    ]
    rows.append(("– nothing changed: rebuilt and read", *(f"{x:.3f}" for x in rebuilt)))
    return Table(["word", *(f"{name} is right" for name in NAMES)], rows)


@made_from(load_record)
def transfer_table(record: dict) -> Table:
    """The caption of one picture with the residual of another: whom each factor follows, mean over seeds."""
    caption, residual = translation_values(record, "captions", "transfer").mean(axis=0)
    rows = [
        (source, *(f"{x:.3f}" for x in line))
        for source, line in (("whose caption it is", caption), ("whose residual it is", residual))
    ]
    return Table(["like the picture", *NAMES], rows)


@made_from(load_record)
def depth_table(record: dict) -> Table:
    """From three depths of a classifier: Frechet distance and spread of pictures, translation beside regression."""
    rows = []
    for depth in DEPTHS:
        distances = (
            mean_and_range(translation_values(record, depth, f"{model}/frechet"), ",.0f")
            for model in ("translation", "regression")
        )
        ratio = translation_values(record, depth, "regression/total")
        rows.append((depth, *distances, mean_and_range(translation_values(record, depth, "translation/total"), ".2f"),
                     mean_and_range(ratio, ".2f"), len(ratio)))  # fmt: skip
    floor = translation_values(record, "logits", "rebuilt/frechet")
    rows.append(("– nothing translated: rebuilt, with noise", mean_and_range(floor, ",.0f"), "–", "–", "–", len(floor)))
    header = ["condition", "translation: Frechet distance to real pictures", "regression (MLP): the same",
              "translation: spread of codes / data's", "regression: spread", "seeds"]  # fmt: skip
    return Table(header, rows)


@made_from(load_record)
def remedies_table(record: dict) -> Table:
    """The same for translations with more pictures, a larger flow, or both and more steps."""
    rows = []
    for remedy in REMEDIES:
        for depth in DEPTHS:
            distance = translation_values(record, f"{depth}, {remedy}", "translation/frechet")
            total = translation_values(record, f"{depth}, {remedy}", "translation/total")
            rows.append((depth, remedy, mean_and_range(distance, ",.0f"), mean_and_range(total, ".2f"), len(distance)))
    return Table(
        ["condition", "remedy", "Frechet distance to real pictures", "spread of codes / data's", "seeds"], rows
    )


@made_from(load_record)
def depth_reading_table(record: dict) -> Table:
    """What the drawn pictures share with the one that the classifier saw, mean over seeds."""
    rows = [
        (depth, label, *(f"{x:.2f}" for x in translation_values(record, depth, f"{model}/right").mean(axis=0)))
        for depth in DEPTHS
        for label, model in (("translation", "translation"), ("regression (MLP)", "regression"))
    ]
    return Table(["condition", "model", *(f"same {name}" for name in STATED)], rows)


@made_from(load_record)
def reading_table(record: dict) -> Table:
    """How often encoders read what captions state: in order, and as a bag of words."""
    rows = []
    for label, name in (("in order (GRU)", "in order"), ("bag of words", "bag of words")):
        for wording in ("clean", "distorted"):
            values = translation_values(record, "reading", f"{name}/{wording}")
            rows.append((label, wording, *(mean_and_range(values[:, k], ".3f") for k in range(3)), len(values)))
    return Table(["encoder", "captions", *STATED, "seeds"], rows)


@made_from(load_record)
def paper_table(record: dict) -> Table:
    """What the paper reports beside what our miniature gave; other data, other networks: only orders compare."""
    rows = []
    for (place, (flow, mlp)), depth in zip(PAPER_DEPTHS.items(), DEPTHS, strict=True):
        ours = (translation_values(record, depth, f"{m}/frechet").mean() for m in ("translation", "regression"))
        rows.append((f"classifier to image, {place} layer: translation / MLP (paper: FID; ours: Frechet distance in "
                     "the judge's features)", f"{flow} / {mlp}", " / ".join(f"{x:,.0f}" for x in ours)))  # fmt: skip
    frechet = (
        translation_values(record, "captions", "frechet").mean(),
        translation_values(record, "regression", "frechet").mean(),
    )
    others = ", ".join(f"{name} {fid}" for name, (_, fid) in PAPER_TEXT.items() if fid != "–")
    rows.append(("text to image, COCO: FID (ours: the same distance, translation / MLP)", others,
                 " / ".join(f"{x:,.0f}" for x in frechet)))  # fmt: skip
    scores = ", ".join(f"{name} {score}" for name, (score, _) in PAPER_TEXT.items())
    rows.append(("text to image, COCO: inception score, more is better", scores, "not measured"))
    edits = ", ".join(f"{name} {a} / {b}" for name, (a, b) in PAPER_EDITS.items())
    rows.append(("attribute edits on faces, FID: translation / StarGAN", edits, "judged, see the table of edits"))
    return Table(["what", "paper", "ours"], rows)


RESULTS = (
    Result(
        "19",
        "Every criterion",
        "A translation between a frozen reader of captions and a frozen autoencoder draws what captions state; "
        "one bar is missed in every seed: the distance to real pictures was not to rise with depth, and it does, "
        "by far less than a regression's. Lines that begin with a dash are remedies.",
        criteria_table,
    ),
    Result(
        "19",
        "Pictures that show what their caption states",
        "The translation comes near what the autoencoder itself allows; trained with captions of other pictures "
        "it is at chance.",
        agreement_table,
    ),
    Result(
        "19",
        "What a caption saves",
        "Its own caption makes a code far likelier, a wrong one far less likely.",
        likelihood_table,
    ),
    Result(
        "19",
        "What the residual still knows",
        "With captions as condition the residual v no longer tells digit, ink or paper, while place and tilt stay "
        "in it.",
        probe_table,
    ),
    Result(
        "19",
        "Pictures of one caption differ",
        "Under one caption the translation varies place and tilt nearly as the data do; the regression draws one "
        "picture.",
        spread_table,
    ),
    Result(
        "19",
        "What the caption leaves out",
        "Where a caption leaves an attribute out, the translation draws nearly every value; 1 would be every "
        "value equally often.",
        openness_table,
    ),
    Result(
        "19",
        "One word changed",
        "After one word is changed the named factors are right; changing the digit moves its place and tilt somewhat.",
        edit_table,
    ),
    Result(
        "19",
        "One picture's caption, another's residual",
        "Digit, ink and paper follow the caption; place and, less well, tilt follow the residual.",
        transfer_table,
    ),
    Result(
        "19",
        "From three depths of a classifier",
        "From deeper layers a plain regression collapses to a mean picture; the translation gets worse by far less.",
        depth_table,
    ),
    Result(
        "19",
        "From three depths, with remedies",
        "More pictures or a wider flow alone change little; both, with more steps, bring the translation's distance "
        "down, and it still grows with depth.",
        remedies_table,
    ),
    Result(
        "19",
        "What the drawn pictures share with the original",
        "From the logits the digit survives and the colours are gone, as the classifier never needed them.",
        depth_reading_table,
    ),
    Result(
        "19",
        "Readers of captions",
        "An encoder that ignores the order of words confuses ink and paper; one that reads in order does not.",
        reading_table,
    ),
    Result(
        "19",
        "Beside the paper",
        "Other data, other networks and another distance, so only the order of methods compares.",
        paper_table,
    ),
)
