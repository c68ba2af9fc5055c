"""`check` and `quiz`: what the learner calls, at once and as often as they like. Neither ever raises."""

from __future__ import annotations

from collections.abc import Callable

from wwlib.course.describe import describe
from wwlib.course.exercise import digest
from wwlib.course.judgement import GREEN, GREY, RED, Result, first_fault, remarks


def check(id: str, answer: Callable) -> Result:
    """Run an exercise's cases on `answer`, and show what was called with what, what came back and what was expected.

    Args:
        id: such as "02.1".
        answer: the learner's function.
    """
    try:
        from wwlib.course.answers import exercises
    except ImportError:  # while a submission is graded there are no answers to compare with
        return Result(False, f"… {id}: checked by the grader", "", GREY)
    exercise = exercises(str(id)[:2]).get(str(id))
    if exercise is None:
        return Result(False, f"no exercise {id!r}", f"known: {', '.join(sorted(exercises()))}", GREY)
    if not callable(answer):
        return Result(False, f"{id}: give check a function", f"got {describe(answer)}", RED)
    if fault := first_fault(exercise, answer):
        return fault
    cases, properties = len(exercise.cases), len(exercise.properties)
    tried = f"{properties} properties hold" if properties else f"{cases} inputs tried in float32 and float64"
    remark = remarks(exercise, answer)
    return Result(True, f"✓ {id} {exercise.title}: right", f"{tried}\n{remark}".rstrip(), GREEN)


def quiz(id: str, answer: str = "") -> Result:
    """Say whether a choice ("a", "b", ...) is right, and why.

    Args:
        id: such as "02.a".
        answer: the learner's choice; "" while undecided.
    """
    from wwlib.course.answers import questions

    question = questions(str(id)[:2]).get(str(id))
    if question is None:
        return Result(False, f"no question {id!r}", f"known: {', '.join(sorted(questions()))}", GREY)
    choice = str(answer).strip(" ().\t\n").lower()
    if not choice:
        return Result(False, f"… question {id}: put your choice between the quotes", "", GREY)
    if choice not in ("a", "b", "c", "d"):
        return Result(False, f"… question {id}: choose a, b, c or d", f"got {str(answer)!r}", GREY)
    if digest(id, choice) == question.digest:
        return Result(True, f"✓ {id}: right", question.explanation, GREEN)
    return Result(False, f"✗ {id}: not {choice!r}; think again, then try another", question.tempts.get(choice, ""), RED)
