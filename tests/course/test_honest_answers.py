"""Every honest style of a right answer passes: loops, numpy, lists, float32 accumulators, helpers, einsum."""

import ast
import importlib
import inspect

import pytest

from wwlib.course.answers import LESSONS, exercises
from wwlib.course.judgement import first_fault
from wwlib.course.lessons.check import check

RIGHT = {
    id: answers
    for lesson in LESSONS
    for id, answers in importlib.import_module(f"tests.course.honest.lesson_{lesson}").RIGHT.items()
}
ANSWERS = [(id, answer) for id, answers in RIGHT.items() for answer in answers]
EACH = pytest.mark.parametrize(("id", "answer"), ANSWERS, ids=[f"{id}-{answer.__name__}" for id, answer in ANSWERS])


@EACH
def test_a_right_answer_in_any_style_passes(id, answer):
    result = check(id, answer)
    assert result.passed, result


@EACH
def test_and_on_other_inputs_as_graders_use_them(id, answer):
    exercise = exercises(id[:2])[id]
    for double in [None] if exercise.properties else [False, True]:
        fault = first_fault(exercise, answer, 1_234, double)
        assert fault is None, fault


def test_every_exercise_has_six_right_answers_that_are_written_differently():
    assert sorted(RIGHT) == sorted(exercises())
    for id, answers in RIGHT.items():
        bodies = {ast.dump(ast.Module(ast.parse(inspect.getsource(a)).body[0].body, [])) for a in answers}
        assert len(bodies) >= 6, id


def test_no_right_answer_leans_on_the_library():
    for lesson in LESSONS:
        source = inspect.getsource(importlib.import_module(f"tests.course.honest.lesson_{lesson}"))
        assert not [line for line in source.splitlines() if line.startswith(("import wwlib", "from wwlib"))]
