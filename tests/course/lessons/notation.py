"""Reads the symbols of formulas: which letters a lesson uses, and what the glossary says that each of them means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)
TABLE = re.compile(r"^\| symbol \|.*\n\|[-| ]+\|\n((?:\|.*\n?)+)", re.MULTILINE)
WORDS = re.compile(r"\\(?:text|mathrm|operatorname|begin|end)\{[^{}]*\}")  # names in upright letters are no symbols
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]|[_^'({}]|[^\s]")
ACCENTS = {"\\hat", "\\bar", "\\tilde", "\\mathcal", "\\mathbb"}
STANDARD = {"\\mathbb E", "\\mathbb R", "\\mathbb 1"}  # expected value, real numbers, 1 where a condition holds
LOWER = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|chi|psi"
)
GREEK = re.compile(rf"\\(?:{LOWER}|omega|ell|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega)")
COUNTERS = {*"ijklnF0123456789"}  # an index that counts: the glossary's k stands for all of them
ANY = "k"


@dataclass(frozen=True)
class Symbol:
    """A letter as it stands in a formula.

    Args:
        letter: such as "x" or "\\\\sigma".
        accent: above it, or the alphabet that it is taken from, such as "\\\\hat"; empty without.
        prime: whether it has a prime.
        index: below it; empty without.
        called: whether a parenthesis follows, as behind a function.
    """

    letter: str
    accent: str = ""
    prime: bool = False
    index: str = ""
    called: bool = False

    def readings(self):
        """Yield the entries that may explain it, the most special first."""
        for base in (self, replace(self, prime=False), replace(self, prime=False, accent="")):
            if base.index:
                yield replace(base, called=False)
            if base.index in COUNTERS:
                yield replace(base, called=False, index=ANY)
            if base.called:
                yield replace(base, index="")
            yield replace(base, called=False, index="")

    def __str__(self):
        index = f"_{{{self.index}}}" if len(self.index) > 1 else "_" * bool(self.index) + self.index
        return f"{self.accent} {self.letter}".strip() + "'" * self.prime + index + "(·)" * self.called


def group(tokens: list[str], start: int) -> tuple[list[str], int]:
    """Return what a brace at `start` holds, or the one token there, and the place behind it."""
    if start >= len(tokens) or tokens[start] != "{":
        return tokens[start : start + 1], start + 1
    depth = 0
    for end in range(start, len(tokens)):
        depth += (tokens[end] == "{") - (tokens[end] == "}")
        if not depth:
            return tokens[start + 1 : end], end + 1
    raise ValueError(f"formula must close its braces, got {' '.join(tokens)}")


def symbols_of(formula: str) -> list[Symbol]:
    """Return the letters of a formula in order; indices, and labels above a letter, are no letters of their own."""
    return _read(TOKEN.findall(WORDS.sub(" ", formula)))


def _read(tokens: list[str]) -> list[Symbol]:
    found, place = [], 0
    while place < len(tokens):
        accent = ""
        if tokens[place] in ACCENTS:
            accent = tokens[place]
            inner, place = group(tokens, place + 1)
            letter = inner[0] if inner else ""
        else:
            letter, place = tokens[place], place + 1
        is_letter = bool(GREEK.fullmatch(letter) or re.fullmatch("[A-Za-z]", letter))
        prime, index, exponents = False, "", []
        while place < len(tokens) and tokens[place] in ("_", "^", "'"):
            if tokens[place] == "'":
                prime, place = True, place + 1
                continue
            below = tokens[place] == "_"
            inner, place = group(tokens, place + 1)
            index = "".join(inner) if below else index
            if not below and len(inner) > 1 and inner[0] != "(":
                exponents += _read(inner)
        if is_letter and f"{accent} {letter}" not in STANDARD:
            found.append(Symbol(letter, accent, prime, index, tokens[place : place + 1] == ["("]))
        found += exponents
    return found


def formulas(text: str) -> list[str]:
    """Return every formula of a text, without what stands in code."""
    without_code = re.sub(r"```.*?```|`[^`\n]*`", " ", text, flags=re.DOTALL)
    return [shown or inline for shown, inline in FORMULA.findall(without_code)]


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of every row of the tables of symbols in a text."""
    rows = [line for body in TABLE.findall(text) for line in body.strip().splitlines()]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))] for row in rows]


@dataclass(frozen=True)
class Entry:
    """A row of the glossary: its symbols as they are written, their one meaning, and the lessons that use them."""

    symbols: str
    meaning: str
    lessons: frozenset[str]


def lessons_in(cell: str) -> frozenset[str]:
    """Return the lessons of a cell such as "00, 03 to 06"."""
    numbers: set[str] = set()
    for part in filter(None, cell.split(", ")):
        first, _, last = part.partition(" to ")
        numbers |= {f"{number:02d}" for number in range(int(first), int(last or first) + 1)}
    return frozenset(numbers)


def entry_symbol(written: str) -> Symbol:
    """Return the symbol that an entry of the glossary is about; a dot in parentheses makes it a function."""
    symbol = symbols_of(written)[0]
    return replace(symbol, called="\\cdot" in written)


class Glossary:
    """The table of symbols of the glossary: `entries` by symbol, `rows` in order, and `free` letters."""

    def __init__(self, text: str):
        self.rows = table_rows(text)
        self.entries: dict[Symbol, Entry] = {}
        for symbols, _, meaning, lessons in self.rows:
            for written in formulas(symbols):
                symbol = entry_symbol(written)
                if symbol in self.entries:
                    raise ValueError(f"the glossary must explain {symbol} once, got it twice")
                self.entries[symbol] = Entry(symbols, meaning, lessons_in(lessons))
        line = re.search(r"^Free letters: (.*)$", text, re.MULTILINE)
        self.free = {symbol.letter for formula in formulas(line[1]) for symbol in symbols_of(formula)}

    def entry(self, symbol: Symbol) -> Entry | None:
        """Return the row that explains a symbol; None where there is none."""
        return next((self.entries[reading] for reading in symbol.readings() if reading in self.entries), None)


def prose(notebook: dict) -> str:
    """Return the text cells of a notebook."""
    cells = notebook["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def read_lessons(paths: list[Path]) -> dict[str, str]:
    """Return the prose of lessons by number."""
    return {path.name[:2]: prose(json.loads(path.read_text(encoding="utf-8"))) for path in paths}


def begins_with(meaning: str, one: str) -> bool:
    """Return whether a meaning is the given one, or that and more behind a mark of punctuation."""
    return meaning == one or (meaning.startswith(one) and meaning[len(one)] in ",;:")


def faults(lessons: dict[str, str], glossary: Glossary) -> list[str]:
    """Return what is wrong with the symbols of lessons, a sentence for each fault."""
    wrong = []
    users: dict[Entry, set[str]] = {entry: set() for entry in glossary.entries.values()}
    for number, text in lessons.items():
        for formula in formulas(text):
            for symbol in symbols_of(formula):
                if entry := glossary.entry(symbol):
                    users[entry].add(number)
                    if number not in entry.lessons:
                        wrong.append(f"lesson {number} uses {symbol}, which means “{entry.meaning}”: {formula.strip()}")
                elif symbol.letter not in glossary.free:
                    wrong.append(f"lesson {number} uses {symbol}, which the glossary does not know: {formula.strip()}")
        for symbols, *_, meaning in table_rows(text):
            for symbol in [symbol for written in formulas(symbols) for symbol in symbols_of(written)[:1]]:
                entry = glossary.entry(symbol)
                if entry is None:
                    wrong.append(f"lesson {number} defines {symbol}, which the glossary does not know")
                elif not begins_with(meaning, entry.meaning):
                    wrong.append(f"lesson {number} defines {symbol} as “{meaning}”, the glossary as “{entry.meaning}”")
    for entry, numbers in users.items():
        if idle := sorted((entry.lessons & set(lessons)) - numbers):
            wrong.append(f"lessons {', '.join(idle)} do not use {entry.symbols}, and the glossary says that they do")
    return list(dict.fromkeys(wrong))
