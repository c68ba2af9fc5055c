"""Exercises: the stub waits, the reference passes, every wrong answer fails with a message that names the mistake."""

import json

import pytest
import torch

from wwlib.answers import EXERCISES, QUESTIONS
from wwlib.exercises import check, describe, quiz, same
from wwlib.notebooks import lesson_files


def stub(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("id", sorted(EXERCISES))
def test_the_library_function_passes(id):
    assert check(id, EXERCISES[id].reference).passed


@pytest.mark.parametrize("id", sorted(EXERCISES))
def test_the_stub_waits_without_complaint(id):
    result = check(id, stub)
    assert not result.passed
    assert "waiting for your answer" in result.title


@pytest.mark.parametrize(
    ("id", "number"), [(id, n) for id, exercise in sorted(EXERCISES.items()) for n in range(len(exercise.mistakes))]
)
def test_every_mistake_fails_and_is_named(id, number):
    mistake = EXERCISES[id].mistakes[number]
    result = check(id, mistake.wrong)
    assert not result.passed
    if "raised" not in result.body:
        assert mistake.why in result.body
        assert "expected" in result.body


def test_every_exercise_has_at_least_three_mistakes():
    assert all(len(exercise.mistakes) >= 3 for exercise in EXERCISES.values())


def test_check_never_raises():
    def broken(v):
        return v.nonsense

    result = check("02.1", broken)
    assert "AttributeError" in result.body
    assert "line 2 of your function" in result.body
    assert not check("02.1", 3).passed
    assert not check("99.9", broken).passed
    assert not check("02.1", lambda v: None).passed
    assert not check("02.1", lambda a, b, c: a).passed


def test_a_result_reads_as_text_and_as_a_coloured_block():
    good, bad = check("02.1", EXERCISES["02.1"].reference), check("02.1", lambda v: v)
    assert "right" in repr(good)
    assert "<script" not in bad._repr_html_()
    assert "expected" in bad._repr_html_()
    assert good.colour in good._repr_html_()


def test_same_compares_structure_shape_and_kind():
    assert same((torch.ones(2), 1.0), (torch.ones(2), 1), 1e-6)
    assert not same(torch.ones(2, 1), torch.ones(2), 1e-6)
    assert not same(torch.ones(2), torch.ones(2).bool(), 1e-6)
    assert not same(torch.tensor([torch.nan]), torch.ones(1), 1e-6)
    assert not same("no number", 1.0, 1e-6)
    assert describe(torch.zeros(2, 3)).startswith("tensor[2, 3] of float32: 0, 0")


@pytest.mark.parametrize("id", sorted(QUESTIONS))
def test_exactly_one_choice_of_each_question_is_right(id):
    results = [quiz(id, choice) for choice in "abcd"]
    assert sum(result.passed for result in results) == 1
    assert quiz(id, next(c for c in "ABCD" if quiz(id, c).passed)).body
    assert not quiz(id, "").passed
    assert not quiz("99.z", "a").passed


def test_lessons_use_every_exercise_and_every_question():
    text = "".join("".join(c["source"]) for f in lesson_files() for c in json.loads(f.read_text())["cells"])
    assert [id for id in EXERCISES if f'check("{id}"' not in text] == []
    assert [id for id in QUESTIONS if f'quiz("{id}"' not in text] == []
