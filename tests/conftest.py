"""Fixtures shared by all tests: one thread, no front end, reference arrays, and the rule on skips."""

import os
import time
from pathlib import Path

os.environ.setdefault("WW_HEADLESS", "1")
# numpy's and scipy's BLAS, here and in every process below: where two tests run at a time, its threads wait for each
# other and burn both cores, and a probe of lesson 17 takes 24 s in place of 0.6
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def generator():
    """A seeded CPU random generator."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def eventually():
    """A function that waits until another one returns something true, and returns that."""

    def wait(what, seconds=300):
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.2)
        return found

    return wait


@pytest.fixture(scope="session")
def shapes():
    """Rendered 3D Shapes at 32 px."""
    from wwlib.datasets.shapes3d import Shapes3D

    return Shapes3D(32)


@pytest.fixture(scope="session")
def fixed_points():
    """10,000 + 5,000 codes and factors of a fixed representation, the ones the reference numbers were computed on."""
    with np.load(Path(__file__).parent / "reference" / "fixed_points.npz") as archive:
        return dict(archive)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Files with slow tests and lessons first; the many quick files last, so that `make test`'s processes end together.

    xdist hands out whole files, by itself those with most tests first: last came files of three tests and a minute.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow and item.path.suffix != ".ipynb")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where everything is installed (`WW_NO_SKIPS=1`, CI), a skipped test is a failed one.

    Only tests marked `needs_photographs` may skip there: no lesson needs the 30 MB of Fashion-MNIST that they read.
    """
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("WW_NO_SKIPS") == "1" and not item.get_closest_marker("needs_photographs"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {report.longrepr}"


@pytest.fixture(scope="session")
def colab_packages():
    """The folder with Colab's own packages, fetched once, or None; and why not."""
    from tests.colab.machine import packages

    return packages()


@pytest.fixture(scope="module")
def colab(tmp_path_factory, colab_packages):
    """A fresh machine like Colab's; where its packages cannot be fetched, the test skips with the reason."""
    from tests.colab.machine import Machine

    fetched, reason = colab_packages
    if fetched is None:
        pytest.skip(reason)
    return Machine(tmp_path_factory.mktemp("colab"), fetched)
