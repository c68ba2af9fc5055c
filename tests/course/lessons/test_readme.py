"""The documents that records and lessons are collected into."""

import ast
import re

import pytest

from wwlib.base.paths import ROOT
from wwlib.base.table import Result, Table
from wwlib.course.lessons import readme
from wwlib.course.lessons.readme import collect_results, promise_table, results_page, with_tables
from wwlib.course.lessons.syllabus import lessons
from wwlib.course.lessons.teaching import kinds_table, mistakes_page

EXPERIMENTS = ROOT / "wwlib" / "experiments"
SOURCES = [*sorted(EXPERIMENTS.glob("*/tables.py")), EXPERIMENTS / "population" / "longer.py"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_table_of_an_experiment_is_among_its_results(path):
    """A table that no document shows is a number that nobody reads."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    tables = {node.name for node in body if isinstance(node, ast.FunctionDef) and ast.unparse(node.returns) == "Table"}
    declared = next(node for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RESULTS")
    shown = {node.id for node in ast.walk(declared) if isinstance(node, ast.Name)}
    if path.stem == "tables" and path.parent.name == "population":
        shown.add("paper_table")  # needs the longer population too, whose module declares it
    assert tables - shown == set()


def test_results_are_collected_from_every_folder_and_named_once_in_their_lesson():
    results = collect_results()
    assert {result.lesson for result in results} >= {"04", "05", "06", "09", "10", "11", "17", "18", "19", "20"}
    names = [(result.lesson, result.name) for result in results]
    assert len(set(names)) == len(names)
    assert names == sorted(names, key=lambda name: name[0])


def test_every_result_says_in_sentences_what_it_shows():
    for result in collect_results():
        assert re.fullmatch(r"[A-Z].*\.", result.says), result.name
        assert len(result.says) <= 400, result.name


def test_the_page_of_results_has_a_heading_a_sentence_and_a_table_for_each():
    page = results_page()
    for result in collect_results():
        assert f"### {result.name}\n\n{result.says}\n\n| " in page
    assert page.count('<a id="lesson-') == len({result.lesson for result in collect_results()})


def test_a_result_of_no_lesson_is_refused(monkeypatch):
    stray = Result("99", "Stray", "Nothing.", lambda: Table(["a"], []))
    monkeypatch.setattr(readme, "collect_results", lambda: [stray])
    with pytest.raises(ValueError, match=r"lesson of result 'Stray' must be one of .*got '99'"):
        results_page()


def test_the_promise_says_worse_exactly_where_our_correlation_is_weaker_than_the_papers():
    rows = [line.strip("| ").split(" | ") for line in promise_table().splitlines()[2:]]
    assert 5 <= len(rows) <= 8
    ranked = [row for row in rows if "TPL" in row[0]]
    assert len(ranked) == 2
    for _, paper, ours, _ in ranked:
        bar = float(paper.removeprefix("paper ").replace("−", "-"))
        for part in ours.split("; "):
            value = float(re.search(r"−\d\.\d\d", part)[0].replace("−", "-"))
            assert ("**worse**" in part) == (value > bar)


def test_a_missing_marker_is_named():
    assert with_tables("<!-- a -->\nold\n<!-- end a -->", {"a": lambda: "new"}) == "<!-- a -->\nnew\n<!-- end a -->"
    with pytest.raises(ValueError, match="markers <!-- b --> and <!-- end b -->"):
        with_tables("", {"b": lambda: ""})


def test_every_exercise_is_listed_with_what_goes_wrong():
    page = mistakes_page()
    for lesson in lessons():
        for exercise in lesson.exercises:
            entry = rf"^\*\*{re.escape(exercise)} [^*]+\*\* · \d points? · (exact|open: what must hold)\n\n- "
            assert re.search(entry, page, re.MULTILINE), exercise


def test_what_the_learner_reads_is_cut_to_a_line():
    assert max(map(len, kinds_table().splitlines())) < 200
