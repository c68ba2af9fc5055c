"""Exercises: the stub waits, the reference passes, every wrong answer fails with a message that names the mistake."""

import ast
import importlib
import json
import re

import pytest
import torch

from wwlib.course.answers import exercises, questions
from wwlib.course.answers.lesson_04 import poster_loss
from wwlib.course.describe import describe
from wwlib.course.judgement import as_double, same
from wwlib.course.lessons.check import check, quiz
from wwlib.course.lessons.notebooks import lesson_files
from wwlib.course.lessons.release import solution
from wwlib.course.lessons.tasks import masters
from wwlib.models.masks import cumax

EXERCISES, QUESTIONS = exercises(), questions()
# one step away from the library's functions: none of them would be the answer
FREE = [
    "01.1",
    "01.2",
    "02.2",
    "02.3",
    "03.1",
    "03.2",
    "03.3",
    "04.1",
    "04.2",
    "04.3",
    "05.2",
    "06.1",
    "07.1",
    "07.2",
    "07.3",
    "08.1",
    "08.2",
    "09.2",
    "09.3",
    "10.1",
    "11.1",
    "11.2",
    "12.1",
    "12.2",
    "12.3",
    "13.1",
    "13.2",
    "13.3",
    "14.1",
    "14.2",
    "14.3",
    "15.1",
    "15.2",
    "15.3",
    "16.1",
    "16.2",
    "16.3",
    "17.1",
    "17.2",
    "17.3",
    "18.1",
    "18.2",
    "19.1",
    "19.2",
    "20.1",
    "20.2",
    "20.3",
]


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


def test_an_answer_that_is_right_to_six_digits_passes_with_a_remark():
    result = check("02.1", lambda logits: logits.float().softmax(-1).flip(-1).cumsum(-1).flip(-1))
    assert result.passed
    assert "A remark: right to six digits" in result.body
    assert "A remark" not in check("02.1", EXERCISES["02.1"].reference).body


def test_an_answer_that_only_float32_can_compute_passes_with_a_remark():
    result = check("02.1", lambda logits: logits.softmax(-1) @ torch.ones(logits.shape[-1], logits.shape[-1]).tril())
    assert result.passed
    assert "A remark: in float64 it raises RuntimeError" in result.body


def test_numpy_lists_and_numbers_pass_where_no_gradients_are_asked_for():
    assert check("07.1", lambda table, entropy: EXERCISES["07.1"].reference(table, entropy).numpy()).passed
    assert check("07.1", lambda table, entropy: EXERCISES["07.1"].reference(table, entropy).tolist()).passed
    assert check("08.1", lambda embedded: float((embedded - embedded.roll(1, 0)).square().sum())).passed
    assert "return a tensor: a float has no gradients" in check("04.2", lambda *a: float(poster_loss(*a))).body


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


@pytest.mark.parametrize("id", sorted(QUESTIONS))
def test_every_wrong_choice_is_told_in_a_sentence_why_it_tempts(id):
    right = quiz(id, next(choice for choice in "abcd" if quiz(id, choice).passed))
    sentences = [quiz(id, choice).body for choice in "abcd" if not quiz(id, choice).passed]
    assert len(set(sentences)) == 3
    for sentence in sentences:
        assert 5 <= len(sentence.split()) <= 25
        assert sentence[-1] in ".?"
        assert right.body not in sentence


def test_no_letter_is_right_much_more_often_than_another():
    keys = [choice for id in sorted(QUESTIONS) for choice in "abcd" if quiz(id, choice).passed]
    assert max(map(keys.count, "abcd")) - min(map(keys.count, "abcd")) <= 2


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
    def in_place(target, source, positions):
        target[:, positions] = source[:, positions]
        return target

    result = check("06.3", in_place)
    assert not result.passed
    assert "changed its input in place" in result.body


def test_a_quiz_takes_a_choice_in_brackets_and_refuses_what_is_none():
    assert quiz("00.a", "(B)").passed == quiz("00.a", "b").passed
    assert "choose a, b, c or d" in quiz("00.a", "e").title


def test_a_loss_that_nothing_can_be_trained_with_is_not_right():
    result = check("04.2", lambda *a: poster_loss(*a).detach())
    assert not result.passed
    assert "gradients must flow" in result.body

    def without_graph(discriminator, real, gamma):
        real = real.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(discriminator(real).sum(), real)
        return gamma * (gradient.flatten(1).norm(dim=1) - 1).square().mean()

    assert "create_graph" in check("03.2", without_graph).body


def is_scalar(value):
    return isinstance(value, torch.Tensor) and value.dim() == 0


def test_a_stub_asks_for_a_tensor_exactly_where_gradients_are_asked_for():
    stubs = {task.exercise: task.stub for master in masters().values() for task in master.tasks}
    trained = [id for id, exercise in EXERCISES.items() if exercise.trains]
    assert trained == ["03.1", "03.2", "04.2"]
    assert all("a tensor" in stubs[id] for id in [*trained, "02.4", "15.4", "16.4"])
    assert [id for id in stubs if "a tensor" in stubs[id]] == ["02.4", *trained, "15.4", "16.4"]


@pytest.mark.parametrize("id", sorted(id for id, exercise in EXERCISES.items() if exercise.cases))
def test_a_number_may_be_a_float_or_a_tensor_where_no_gradients_are_asked_for(id):
    exercise = EXERCISES[id]
    value = exercise.reference(*exercise.cases[0](torch.Generator().manual_seed(0)))
    if is_scalar(value) or isinstance(value, float):
        assert check(id, lambda *a: float(exercise.reference(*a))).passed != bool(exercise.trains)
        if not exercise.trains:
            assert check(id, lambda *a: torch.as_tensor(exercise.reference(*a))).passed


def test_gradients_count_only_for_what_is_trained():
    """Two ways to write one formula: they split what the codes get between the two pictures differently."""

    def from_one_side(codes, perturbed, moved, recognised, recognised_perturbed):
        both = (recognised + recognised_perturbed) / 2
        alone = (codes - recognised).square() + (perturbed - recognised_perturbed).square()
        return torch.where(moved, alone, 2 * (codes - both).square()).mean()

    assert check("04.2", from_one_side).passed


def test_a_loss_that_a_mask_is_fitted_with_must_reach_the_mask():
    right = EXERCISES["02.4"].reference
    assert check("02.4", right).passed
    for stopped in (
        lambda m, t: right((m > 0.5).float(), t),
        lambda m, t: torch.tensor([float(x) for x in right(m, t)]),
    ):
        result = check("02.4", stopped)
        assert not result.passed
        assert "gradients reach every mask" in result.body


def test_a_forgotten_return_is_named():
    assert "is a `return` missing?" in check("02.1", lambda logits: None).body
    assert "is a `return` missing?" in check("02.4", lambda mask, target: None).body
    assert "is a `return` missing?" in check("04.4", lambda first, second: None).body


def test_a_message_names_the_learners_function_and_gives_shapes_of_large_tensors():
    def my_cumax(logits):
        return logits

    assert "called     my_cumax(tensor[7] of float32: " in check("02.1", my_cumax).body
    assert "called     my_dice(tensor[5, 9, 9] of bool,\n" in check("06.1", dice_of_nothing()).body


def dice_of_nothing():
    def my_dice(a, b):
        return torch.zeros(len(a))

    return my_dice


def test_an_open_exercise_shows_the_learners_own_numbers():
    body = check("03.4", lambda images: float(images.std())).body
    assert re.search(r"called     your_function\(tensor\[8, 3, 32, 32\] of float32\)\nreturned   0\.\d+", body)
    assert "returned   'undecided'" in check("04.4", lambda first, second: "undecided").body


@pytest.mark.parametrize("id", sorted(id for id, exercise in EXERCISES.items() if exercise.properties))
def test_an_open_exercise_never_speaks_of_its_own_attributes(id):
    for nonsense in ([0.5], [], {}, object(), 3, "text"):
        body = check(id, lambda *arguments, value=nonsense: value).body
        assert "has no attribute" not in body
        assert "must hold" in body
        assert "returned" in body


@pytest.mark.parametrize("answer", ["28.0", 10**400, 1j, torch.zeros(2).to_sparse(), exit])
def test_odd_answers_are_refused_without_raising(answer):
    assert not check("04.3", lambda d, scale, share: answer() if answer is exit else answer).passed
    assert not check("02.1", lambda v: answer).passed


def printed_functions(lesson):
    """The functions that a lesson prints in the cells named after a module."""
    sources = ["".join(c["source"]) for c in json.loads(lesson.read_text(encoding="utf-8"))["cells"]]
    cells = [(named[1], text) for text in sources if (named := re.match(r"# (wwlib(?:\.\w+)+)\n", text))]
    names = [(module, node.name) for module, text in cells for node in ast.parse(text).body if hasattr(node, "name")]
    return [getattr(importlib.import_module(module), name) for module, name in names]


@pytest.mark.parametrize("lesson", [f for f in lesson_files() if f.name < "18"], ids=lambda f: f.stem)
def test_no_easy_exercise_asks_for_a_function_that_the_lesson_prints(lesson):
    easy = re.findall(r"### (\d\d\.\d) [^·]*? · easy ·", lesson.read_text(encoding="utf-8"))
    assert easy
    for id in easy:
        assert [function.__name__ for function in printed_functions(lesson) if check(id, function).passed] == []


@pytest.mark.parametrize("number", ["03", "08", "18", "19", "20"])
def test_no_exercise_of_these_lessons_asks_for_a_function_that_its_lesson_prints(number):
    (lesson,) = [file for file in lesson_files() if file.name.startswith(number)]
    ids = [id for id in EXERCISES if id.startswith(number)]
    assert ids
    for id in ids:
        assert [function.__name__ for function in printed_functions(lesson) if check(id, function).passed] == []
