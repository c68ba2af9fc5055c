"""The small pairs of lesson 04: what a stop leaves."""

import pytest

from wwlib.experiments.perturbation.runs import train_pair
from wwlib.training.step import Training


@pytest.fixture
def stopped_at_the_third_step(monkeypatch):
    take = Training.step

    def step(training):
        if training.step_number == 2:
            raise KeyboardInterrupt
        return take(training)

    monkeypatch.setattr(Training, "step", step)


def test_a_lesson_goes_on_with_the_steps_that_a_stopped_pair_has(stopped_at_the_third_step, capsys):
    pair = train_pair("ps", 64, 0, until_interrupted=True)
    assert pair.step_number == 2
    assert "stopped: the ps pair has 2 of 8 steps" in capsys.readouterr().out


def test_a_stopped_command_stops(stopped_at_the_third_step):
    with pytest.raises(KeyboardInterrupt):
        train_pair("ps", 64, 0)
