"""Tables are made from the record that they are given, and otherwise from the recorded one."""

from wwlib.base.table import Table
from wwlib.experiments.records import made_from, recorded_cases


def test_a_table_without_a_record_reads_the_recorded_one_anew_each_time():
    read = []

    def load() -> dict:
        read.append("read")
        return {"score": 7}

    @made_from(load)
    def score_table(record: dict, what: str = "score") -> Table:
        """The score."""
        return Table(["what"], [(f"{what} {record['score']}",)])

    assert read == []
    assert score_table({"score": 3}).rows == [["score 3"]]
    assert read == []
    assert score_table(what="points").rows == score_table(what="points").rows == [["points 7"]]
    assert read == ["read", "read"]
    assert (score_table.__name__, score_table.__doc__) == ("score_table", "The score.")


def test_recorded_cases_stand_in_the_order_of_their_definition():
    record = dict(runs=[dict(case=case) for case in ("second", "other", "first", "second")])
    assert recorded_cases(record, ("first", "never", "second")) == ["first", "second"]
