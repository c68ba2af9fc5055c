"""Parts of a record: those that are asked for, made with every seed, each run recorded."""

import pytest

from wwlib.base.shelf import Shelf
from wwlib.experiments.parts import chosen_parts, record_runs


def test_parts_come_in_their_own_order_and_all_of_them_when_none_is_named():
    assert chosen_parts([], ("first", "second")) == ["first", "second"]
    assert chosen_parts(["third", "first"], ("first", "second", "third")) == ["first", "third"]
    with pytest.raises(ValueError, match=r"parts must be among \('first',\), got \['fourth'\]"):
        chosen_parts(["fourth"], ("first",))


def test_every_part_is_made_with_each_of_its_seeds_and_recorded(tmp_path, capsys):
    shelf = Shelf(tmp_path / "weights.safetensors", tmp_path / "record.json", "command")
    made = []

    def runs(part, seed):
        for case in (part, f"{part} again"):
            made.append((case, seed))
            yield dict(case=case, seed=seed, seconds=2)

    record_runs(shelf, ["b", "a"], lambda part: range(2 if part == "b" else 1), runs, lambda r: f"{r['seconds']} s")
    assert made == [("b", 0), ("b again", 0), ("b", 1), ("b again", 1), ("a", 0), ("a again", 0)]
    assert [(run["case"], run["seed"]) for run in shelf.read()["runs"]] == sorted(made)
    assert capsys.readouterr().out.splitlines()[:2] == ["b, seed 0: 2 s", "b again, seed 0: 2 s"]
