"""Exercises: the stub waits, the reference passes, every wrong answer fails with a message that names the mistake."""

import json
import re

import pytest
import torch

from wwlib.course.answers import exercises, questions
from wwlib.course.exercise import as_double, describe, same
from wwlib.course.lessons.check import check, quiz
from wwlib.course.lessons.notebooks import lesson_files
from wwlib.course.lessons.release import solution
from wwlib.course.lessons.tasks import masters
from wwlib.models.masks import cumax

EXERCISES, QUESTIONS = exercises(), questions()
# formulas that the library writes inline: there is no function of it that would be the answer
FREE = ["01.1", "03.3", "04.1", "11.1", "11.2", "19.1", "19.2", "20.2"]


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
        assert "expected" in result.body or EXERCISES[id].properties


DEVICES = [
    "cpu",
    *(["cuda"] if torch.cuda.is_available() else []),
    *(["mps"] if torch.backends.mps.is_available() else []),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("id", sorted(id for id, exercise in EXERCISES.items() if exercise.cases))
def test_the_reference_keeps_to_the_number_format_and_device_of_its_input(id, device):
    exercise = EXERCISES[id]
    for number, make in enumerate(exercise.cases):
        single = make(torch.Generator().manual_seed(number))
        moved = tuple(a.to(device) if isinstance(a, (torch.Tensor, torch.nn.Module)) else a for a in single)
        results = [exercise.reference(*moved)]
        if device != "mps":  # which has no float64
            results.append(exercise.reference(*as_double(moved)))
        expected = exercise.reference(*make(torch.Generator().manual_seed(number)))
        for result in results:
            flat = result if isinstance(result, tuple) else (result,)
            back = tuple(part.cpu() if isinstance(part, torch.Tensor) else part for part in flat)
            assert same(back if isinstance(result, tuple) else back[0], expected, 1e-4)


@pytest.mark.parametrize("task", [t for master in masters().values() for t in master.tasks], ids=lambda t: t.exercise)
def test_the_written_solution_of_each_stub_passes_and_calls_nothing_of_the_library(task):
    source = solution(task.exercise, task.stub)
    assert "wwlib" not in source
    names = {"torch": torch, "F": torch.nn.functional}
    exec(source, names)
    result = check(task.exercise, names[task.function])
    assert result.passed, result


def test_every_lesson_has_two_to_four_exercises_and_the_last_is_open():
    for master in masters().values():
        ids = [task.exercise for task in master.tasks]
        assert 2 <= len(ids) <= 4
        assert [bool(EXERCISES[id].properties) for id in ids] == [False] * (len(ids) - 1) + [True]
        assert sorted(EXERCISES) == sorted(t.exercise for m in masters().values() for t in m.tasks)


def test_a_graded_answer_may_not_call_the_library_function_that_is_the_answer():
    free = [id for id, exercise in EXERCISES.items() if exercise.cases and not exercise.forbidden]
    assert sorted(free) == FREE
    assert not [name for exercise in EXERCISES.values() for name in exercise.forbidden if "answers" in name]
    assert EXERCISES["02.1"].forbidden == (f"{cumax.__module__}:cumax",)


def test_an_answer_that_is_right_in_float32_only_is_told_so():
    result = check("02.1", lambda logits: logits.float().softmax(-1).cumsum(-1))
    assert not result.passed
    assert "right in float32" in result.body


def test_an_open_exercise_says_which_property_does_not_hold_and_passes_on_what_was_raised():
    result = check("04.4", lambda first, second: "undecided")
    assert "must hold" in result.body
    assert "ZeroDivisionError" in check("04.4", lambda first, second: 1 / 0).body


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


def test_the_heading_of_an_exercise_is_the_name_that_its_check_shows():
    text = "".join(file.read_text(encoding="utf-8") for file in lesson_files())
    headings = dict(re.findall(r"### (\d\d\.\d) ([^·]*?) ·", text))
    plain = lambda titles: {id: title.lower().rstrip("?") for id, title in titles}  # noqa: E731
    assert plain(headings.items()) == plain((id, exercise.title) for id, exercise in EXERCISES.items())


def test_a_right_answer_that_changes_its_input_is_told_so():
    def in_place(codes, k, p):
        codes[torch.arange(len(k)), k] += p
        return codes

    result = check("04.1", in_place)
    assert not result.passed
    assert "changed its input in place" in result.body


def test_a_quiz_takes_a_choice_in_brackets_and_refuses_what_is_none():
    assert quiz("00.a", "(B)").passed == quiz("00.a", "b").passed
    assert "choose a, b, c or d" in quiz("00.a", "e").title


def test_a_loss_that_nothing_can_be_trained_with_is_not_right():
    result = check("03.1", lambda logits: torch.nn.functional.softplus(-logits).mean().detach())
    assert not result.passed
    assert "gradients must flow" in result.body

    def without_graph(discriminator, real, gamma):
        real = real.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(discriminator(real).sum(), real)
        return gamma / 2 * gradient.square().sum(dim=(1, 2, 3)).mean()

    assert "create_graph" in check("03.2", without_graph).body


@pytest.mark.parametrize("answer", ["28.0", 10**400, 1j, torch.zeros(2).to_sparse(), exit])
def test_odd_answers_are_refused_without_raising(answer):
    assert not check("04.3", lambda d, scale: answer() if answer is exit else answer).passed
    assert not check("02.1", lambda v: answer).passed
