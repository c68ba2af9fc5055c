"""The frozen networks and judges that lessons 17 to 20 share: how each is trained, shipped and loaded."""

from __future__ import annotations

import time

from wwlib.base.paths import DATA
from wwlib.base.shelf import Shelf
from wwlib.datasets.glyphs import Glyphs
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.flows.hosts import ClassifierHost, RecogniserHost
from wwlib.models.autoencoder import Autoencoder, train_autoencoder
from wwlib.models.judges import Judge, new_judge, train_judge
from wwlib.models.shipped import load_model

RECORD = DATA / "interpretation.json"
WEIGHTS = DATA / "interpretation-weights.safetensors"
INTERPRETATION = Shelf(WEIGHTS, RECORD, "python -m wwlib remake interpretation")
TRANSLATION = Shelf(
    DATA / "translation-weights.safetensors", DATA / "translation.json", "python -m wwlib remake translation"
)
JUDGES_TILTS = (-9, -3, 3, 9)  # degrees; the models under test see -12, 0 and 12
JUDGED = (10, 10, 10)  # values of digit, ink and paper, and of the three hues of 3D Shapes
POSE = (10, 10, 10, 3, 3, 3)  # values of all six factors, which the judge of poses names
CLASSIFIER = dict(features=32)
MODEL = "shapes3d-32-seed1"  # Part I's model to interpret
HOSTS = ("judge-digits", "judge-rooms", "classifier", "autoencoder")  # the networks that are trained here
HOSTED = ("autoencoder", "recogniser", "classifier")  # those that lesson 17 interprets


def train_named_judge(kind: str) -> Judge:
    """Train the judge of "digits" (digit, ink, paper) or of "rooms" (the three hues, which are easy)."""
    data, steps = {"digits": (Glyphs(tilts=JUDGES_TILTS), 450), "rooms": (Shapes3D(32), 200)}[kind]
    return train_judge(new_judge(JUDGED, 1234), data, steps, seed=4321)


def train_classifier(steps: int = 400, seed: int = 3) -> Judge:
    """Train the classifier of digits that the lesson cuts open; colours and pose vary and are no label."""
    return train_judge(new_judge((10,), seed, **CLASSIFIER), Glyphs(), steps, seed=seed)


def load_judge(kind: str) -> Judge:
    """Return the shipped judge of "digits" or "rooms"."""
    return INTERPRETATION.load(f"judge-{kind}", new_judge(JUDGED, 0))


def load_host(name: str):
    """Return one of the three frozen networks, ready to be interpreted.

    Raises:
        ValueError: for another name.
    """
    if name == "autoencoder":
        return INTERPRETATION.load(name, Autoencoder())
    if name == "classifier":
        return ClassifierHost(INTERPRETATION.load(name, new_judge((10,), 0, **CLASSIFIER)))
    if name == "recogniser":
        return RecogniserHost(load_model(MODEL))
    raise ValueError(f"name must be one of {HOSTED}, got {name!r}")


def make_host(name: str) -> float:
    """Train one network that the interpretations need, write its weights, and return the seconds it took."""
    start = time.perf_counter()
    if name == "autoencoder":
        found = train_autoencoder(Glyphs())
    else:
        found = train_classifier() if name == "classifier" else train_named_judge(name.removeprefix("judge-"))
    seconds = round(time.perf_counter() - start, 1)
    INTERPRETATION.keep({name: found}, half=True)
    return seconds


def train_pose_judge(steps: int = 500) -> Judge:
    """Train the judge of poses: all six factors of the tilts that the autoencoder saw, with a seed of its own."""
    return train_judge(new_judge(POSE, 77), Glyphs(), steps, seed=78)


def load_pose_judge() -> Judge:
    """Return the shipped judge of poses."""
    return TRANSLATION.load("poses", new_judge(POSE, 0))
