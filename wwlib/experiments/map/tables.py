"""The ten systems in one table: what each is given and learns, what separates, what leaks, and our number.

Numbers are means and ranges over the recorded seeds of one case, the one whose network `pictures` draws with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wwlib.base.shelf import named_run, runs_of
from wwlib.base.table import Result, Table
from wwlib.datasets.styles.scenes import SHAPES
from wwlib.experiments.criteria import mean_and_range, median_and_range
from wwlib.experiments.discovery import tables as discovery
from wwlib.experiments.fusion import tables as fusion
from wwlib.experiments.interpretation import tables as interpretation
from wwlib.experiments.invariances import tables as invariances
from wwlib.experiments.landmarks import tables as landmarks
from wwlib.experiments.robust import tables as robust
from wwlib.experiments.shipped import seen
from wwlib.experiments.style import tables as style
from wwlib.experiments.translation import tables as translation
from wwlib.experiments.vunet import tables as vunet
from wwlib.metrics.seen.judges import PartOfRooms
from wwlib.metrics.seen.traversal import from_matrix
from wwlib.models.shipped import seed_names, seed_scores

FLAGSHIP = "shapes3d-32"  # recipe of Part I whose shipped seeds are reported
ROBUST, STYLE, FUSION = "strong full", "contrast of two paintings", "both"  # cases of lessons 13, 16 and 20
HEADER = ("lesson", "system", "given", "learned", "what separates", "what leaks", "our number")


@dataclass(frozen=True)
class System:
    """One line of the map.

    Args:
        lesson: number of its lesson, of the last one for Part I.
        name: of the system.
        given: to its training.
        learned: by it.
        separates: the part of the method that keeps the two things apart.
        record: reads what was measured.
        leak, number: from the record, in words around a number.
    """

    lesson: str
    name: str
    given: str
    learned: str
    separates: str
    record: Callable[[], dict]
    leak: Callable[[dict], str]
    number: Callable[[dict], str]

    @property
    def lessons(self) -> str:
        """Return all its lessons in words."""
        return "00 to 11" if self.lesson == "11" else self.lesson


def _said(text: str, *measures: Callable[[dict], np.ndarray]) -> Callable[[dict], str]:
    """Return a function from a record to a text with mean and range of measures over seeds."""
    return lambda record: text.format(*(mean_and_range(values(record)) for values in measures))


def _mixed(record: dict) -> np.ndarray:
    """Return for each shipped seed how much of all that single codes show is not about the code's main factor."""
    shown = [from_matrix(np.array(named_run(record, name)["scores"]["matrix"]), PartOfRooms.factor_names)
             for name in seed_names(FLAGSHIP)]  # fmt: skip
    awake = [score.matrix[~score.silent] for score in shown]
    return np.array([1 - rows.max(axis=1).sum() / rows.sum() for rows in awake])


def _stated(record: dict, measure: str) -> np.ndarray:
    """Return a measure of digit, ink and paper, which captions state, `[seeds, 3]`."""
    return translation.translation_values(record, "captions", measure)[:, :3]


SYSTEMS = (
    System(
        "11", "PS-SC GAN", "pictures alone", "a generator, and a mask for each of its codes",
        "masks, and one code moved at a time that must be read back", seen.load_record,
        _said("share of what codes show that is not about their main factor: {}", _mixed),
        lambda record: f"FactorVAE score {median_and_range(seed_scores(FLAGSHIP))}",
    ),
    System(
        "12", "Variational U-Net", "pictures with their skeletons", "a code of appearance",
        "the pose is given for nothing, the code costs nats", vunet.load_record,
        _said("pose read from the code: R² {}", lambda record: vunet.vunet_values(record, "coarse", "pose")),
        _said("new pose, against the right picture: {} dB",
         lambda record: vunet.vunet_values(record, "coarse", "transfer")),
    ),
    System(
        "13", "Robust disentangling", "pairs: one figure in two poses", "codes of pose and of appearance",
        "a critic against the encoder, and noise", robust.load_record,
        _said("colours read from the pose code: R² {}; pose from the appearance code: R² {}",
         lambda record: robust.robust_values(runs_of(record, ROBUST), "appearance"),
              lambda record: robust.robust_values(runs_of(record, ROBUST), "pose in appearance")),
        _said("new pose, against the right picture: {} dB",
         lambda record: robust.robust_values(runs_of(record, ROBUST), "transfer")),
    ),
    System(
        "14", "Part landmarks", "single pictures", "landmarks, and a look for each",
        "warps move places, jitter changes looks; only a point and its spread pass", landmarks.load_record,
        _said("colours read from the landmarks: R² {}",
         lambda record: landmarks.landmark_values(record, "full", "colours")),
        _said("share of an exchanged part's change inside the part: {}",
         lambda record: landmarks.landmark_values(record, "full", "inside")),
    ),
    System(
        "15", "Part discovery", "pairs: one figure in two poses", "a mask for each part, from a shape code",
        "looks of one picture are painted into the masks of the other", discovery.load_record,
        _said("colours read from the shape code: R² {}",
         lambda record: discovery.discovery_values(record, "full", "colours")),
        _said("overlap of masks with true parts: mIoU {}",
         lambda record: discovery.discovery_values(record, "full", "miou")),
    ),
    System(
        "16", "Content and style", "photos; paintings sorted by family, in pairs of one style",
        "codes of content and of style",
        "the style read from a drawing must be its reference's; contrast of real paintings", style.load_record,
        _said(f"shapes read from the style code: {{}}, chance {1 / len(SHAPES):.2f}",
         lambda record: style.style_values(record, STYLE, "shape_from_style")),
        _said("agreement of drawn hues with the references': {}",
         lambda record: style.style_values(record, STYLE, "hue")),
    ),
    System(
        "17", "Invertible interpretation", "a frozen autoencoder; pairs that share a factor",
        "a flow that sorts its code into blocks", "the shared block of a pair must agree", interpretation.load_record,
        _said("swaps of a block that change another factor, the worst: {}",
         lambda record: 1 - interpretation.interpretation_values(runs_of(record, "autoencoder"), "stays")),
        _said("swaps of a block that change its own factor, the worst: {}",
         lambda record: interpretation.interpretation_values(runs_of(record, "autoencoder"), "follows")),
    ),
    System(
        "18", "Invariances of a layer", "a frozen classifier and a frozen autoencoder",
        "a flow of codes, given what the layer says", "likelihood: the residual is N(0, 1) under every condition",
        invariances.load_record,
        _said("share of the ink that the digit's logits still decide: {}",
         lambda record: invariances.shares_of(record, invariances.LAST, "logits", "ink")),
        _said("share of the digit that they decide: {}",
         lambda record: invariances.shares_of(record, invariances.LAST, "logits", "digit")),
    ),
    System(
        "19", "Network-to-network", "a frozen reader of captions and a frozen autoencoder",
        "a flow of codes, given a caption", "likelihood: the residual is N(0, 1) under every caption",
        translation.load_record,
        _said("stated factors read from the residual, the best: R² {}",
         lambda record: _stated(record, "probe").max(axis=1)),
        _said("drawings that show what the caption states, the worst factor: {}",
         lambda record: _stated(record, "agreement").min(axis=1)),
    ),
    System(
        "20", "Network fusion", "a frozen image model, and what experts say of its pictures",
        "a flow of codes, given label and layout", "likelihood: the residual is N(0, 1) under every condition",
        fusion.load_record,
        _said("label guessed from the residual: {}, chance 0.50",
         lambda record: np.array([run["scores"]["guessing"] for run in runs_of(record, FUSION)])),
        _said("other domain: digit, ink and paper stay, the worst: {}",
         lambda record: fusion.fusion_values(record, FUSION, "content")),
    ),
)  # fmt: skip


def line_of(system: System, record: dict) -> tuple[str, ...]:
    """Return the cells of a system under `HEADER`.

    Args:
        system: of `SYSTEMS`.
        record: that its `record` reads, or one like it.
    """
    described = system.lessons, system.name, system.given, system.learned, system.separates
    return *described, system.leak(record), system.number(record)


def map_table(records: Mapping[str, dict] | None = None) -> Table:
    """Return the map of all ten systems, a line each.

    Args:
        records: by lesson; those that are left out are read from `data/`.
    """
    given = records or {}
    return Table(
        HEADER,
        [line_of(system, given[system.lesson] if system.lesson in given else system.record()) for system in SYSTEMS],
    )


RESULTS = (
    Result(
        "16",
        "The map of all ten systems",
        "What each system is given and learns, what separates, what leaks, and our number.",
        map_table,
    ),
)
