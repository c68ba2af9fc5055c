"""Lesson 04's small pairs: an interrupted training continues to the same end."""

import os
import signal
import threading

import pytest
import torch

from tests.tiny import flat
from wwlib.experiments.perturbation import runs
from wwlib.experiments.perturbation.runs import train_pair


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(runs, "_kept", {})


class Interrupting(runs.Training):
    """A training in whose fifth step the stop button is pressed."""

    def step(self):
        if self.step_number == 5 and not getattr(self, "pressed", False):
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)
        return super().step()


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT to this process alone")
@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread")
def test_an_interrupted_pair_continues_to_the_bit_and_a_finished_one_is_not_lost(monkeypatch, capsys):
    whole = flat(train_pair("ps", 80, 0))
    runs._kept.clear()
    first = train_pair("infogan", 80, 0)
    monkeypatch.setattr(runs, "Training", Interrupting)
    with pytest.raises(KeyboardInterrupt, match="ps: stopped at step 6 of 10; run it again"):
        train_pair("ps", 80, 0)
    assert train_pair("infogan", 80, 0) is first
    assert torch.equal(flat(train_pair("ps", 80, 0)), whole)
    assert capsys.readouterr().out == "ps: continued at step 6 of 10\n"


def test_other_settings_begin_anew_and_no_more_than_three_pairs_are_kept():
    pairs = [train_pair("ps", 16, seed) for seed in range(4)]
    assert len({id(pair) for pair in pairs}) == 4
    assert len(runs._kept) == 3
    assert train_pair("ps", 16, 3) is pairs[3]
    assert train_pair("ps", 24, 3) is not pairs[3]
