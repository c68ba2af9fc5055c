"""Fixtures shared by all tests: one thread, no front end, reference arrays, and the rule on skips."""

import os

os.environ.setdefault("WW_HEADLESS", "1")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def generator():
    """A seeded CPU random generator."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def shapes():
    """Rendered 3D Shapes at 32 px."""
    from wwlib.shapes3d import Shapes3D

    return Shapes3D(32)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where everything is installed (`WW_NO_SKIPS=1`, CI), a skipped test is a failed one."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("WW_NO_SKIPS") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {report.longrepr}"
