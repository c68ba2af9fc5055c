"""What lessons say of themselves: study time, exercises, what to do in class."""

import json

import pytest

from wwlib.course.lessons.syllabus import lesson_table, lessons, read_lesson, syllabus_table, time_table


def write_lesson(path, about, words=500, minutes=(5, 15)):
    titles = "\n\n".join(f"### 42.{k} Title · easy · {m} minutes" for k, m in enumerate(minutes, start=1))
    title, count = "# 42 · A topic\n\n*Do a thing.*\n\n", len(f"# 42 · A topic *Do a thing.* {titles}".split())
    text = title + titles + " word" * (words - count)
    stub = "def f():\n    raise NotImplementedError"
    exercise = dict(cell_type="code", source=stub, metadata=dict(ww=dict(exercise="42.1", points=1)), outputs=[])
    cells = [dict(cell_type="markdown", source=text, metadata={}), exercise]
    path.write_text(json.dumps(dict(cells=cells, metadata=about)), encoding="utf-8")
    return path


def test_study_time_is_prose_at_fifty_words_a_minute_and_the_exercises_minutes_in_steps_of_five(tmp_path):
    lesson = read_lesson(write_lesson(tmp_path / "42_topic.ipynb", dict(ww=dict(in_class="talk")), words=600))
    assert (lesson.title, lesson.promise, lesson.exercises) == ("42 · A topic", "Do a thing.", ("42.1",))
    assert (lesson.reading_minutes, lesson.exercise_minutes, lesson.study_minutes) == (12, 20, 35)


def test_a_lesson_that_does_not_say_what_a_class_does_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'metadata of 42_topic.ipynb must hold "ww": .*in_class.*got \{\}'):
        read_lesson(write_lesson(tmp_path / "42_topic.ipynb", {}))


def test_every_lesson_has_minutes_for_its_exercises_and_a_sentence_that_is_its_promise():
    for lesson in lessons():
        assert lesson.exercise_minutes >= 5, lesson.title
        assert lesson.promise.endswith("."), lesson.title
        assert 60 <= lesson.study_minutes <= 180, lesson.title


def test_the_tables_have_a_row_for_every_lesson():
    for table in (lesson_table(), time_table()):
        assert [table.count(f"[{lesson.title}](") for lesson in lessons()] == [1] * len(lessons())


def test_a_lesson_without_a_class_of_its_own_shares_the_week_before_and_the_last_week_is_the_learners():
    rows = [line.split(" | ") for line in syllabus_table().splitlines()[2:]]
    assert [row[0].strip("| ") for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    assert rows[0][1] == "00, 01"
    assert rows[0][3].startswith("00.1–00.3, 01.1–01.3")
    assert "an evening of computing" in next(row[3] for row in rows if row[1] == "05")
    assert rows[-1][1:3] == ["–", "learners present their open exercises"]
    assert {number for row in rows[:-1] for number in row[1].split(", ")} == {
        lesson.path.name[:2] for lesson in lessons()
    }
