"""Glossary: every word is linked from a lesson, and every link leads somewhere."""

import json
import re

from wwlib.base.paths import NOTEBOOKS
from wwlib.course.lessons.notebooks import lesson_files

GLOSSARY = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
ANCHORS = re.findall(r'<a id="([\w-]+)"></a>', GLOSSARY)
NUMBERS = {lesson.name[:2] for lesson in lesson_files()}


def links():
    for lesson in lesson_files():
        for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield from (
                    (lesson.name[:2], a) for a in re.findall(r"\(glossary\.md#([\w-]+)\)", "".join(cell["source"]))
                )


def test_every_word_is_linked_where_a_lesson_introduces_it():
    linked: dict[str, set[str]] = {}
    for number, anchor in links():
        linked.setdefault(anchor, set()).add(number)
    assert set(linked) <= set(ANCHORS)
    for line in GLOSSARY.splitlines():
        if anchor := re.search(r'<a id="([\w-]+)">', line):
            introduced = set(re.findall(r"\d+", re.search(r"Lessons? ([\d and]+)\.", line)[1]))
            # a lesson that is being written brings its words first
            assert linked.get(anchor[1], set()) & introduced or not introduced & NUMBERS, line


def test_anchors_are_in_order_and_unique():
    assert len(set(ANCHORS)) == len(ANCHORS)
    words = re.findall(r"</a>([^*]+)\*\*", GLOSSARY)
    assert words == sorted(words, key=lambda word: re.sub(r"\W", "", word).lower())
