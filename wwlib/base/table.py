"""Tables of text for lessons and documents, filled from run records instead of typed by hand."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


class Table:
    """Rows of text under a header, shown as a table in notebooks, in Markdown and in a terminal."""

    def __init__(self, header: Sequence[str], rows: Iterable[Sequence[object]]):
        self.header, self.rows = list(map(str, header)), [list(map(str, row)) for row in rows]
        widths = {len(self.header), *map(len, self.rows)}
        if len(widths) != 1:
            raise ValueError(f"header and rows must have the same length, got {sorted(widths)}")

    def part(self, columns: Sequence[str], rows: Sequence[str] | None = None) -> Table:
        """Return some columns and rows of the table, in the order in which they are named.

        Args:
            columns: texts of the header.
            rows: texts of the first cells, of which the first row that has it is taken; all rows if left out.

        Raises:
            ValueError: for a column or a row that the table has not.
        """
        first = [row[0] for row in self.rows]
        for kind, asked, there in (("columns", columns, self.header), ("rows", rows or (), first)):
            if unknown := [name for name in asked if name not in there]:
                raise ValueError(f"{kind} must be among {there}, got {unknown}")
        places = [self.header.index(name) for name in columns]
        lines = self.rows if rows is None else [self.rows[first.index(name)] for name in rows]
        return Table(columns, [[line[place] for place in places] for line in lines])

    def markdown(self) -> str:
        """Return the table in Markdown."""
        escaped = [[cell.replace("|", "\\|") for cell in line] for line in (self.header, *self.rows)]
        lines = [escaped[0], ["---"] * len(self.header), *escaped[1:]]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        def line(cells: list[str], tag: str) -> str:
            inner = "".join(f"<{tag} style='text-align:left'>{html.escape(cell)}</{tag}>" for cell in cells)
            return f"<tr>{inner}</tr>"

        return f"<table>{line(self.header, 'th')}{''.join(line(row, 'td') for row in self.rows)}</table>"

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [self.header, ["-" * w for w in widths], *self.rows]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


@dataclass(frozen=True)
class Result:
    """A table of `docs/results.md`, which collects what the modules of `wwlib.experiments` list as `RESULTS`.

    Args:
        lesson: number of the lesson that it belongs to, such as "17".
        name: heading of the table, no two alike in one lesson.
        says: one plain sentence: what the table shows, and whether it falls short of its goal.
        table: makes the table from the records in `data/`.
    """

    lesson: str
    name: str
    says: str
    table: Callable[[], Table]
