"""One symbol means one thing: every lesson's formulas and tables agree with the glossary's table of symbols."""

import pytest

from tests.course.lessons.notation import Glossary, Symbol, faults, formulas, lessons_in, read_lessons, symbols_of
from wwlib.base.paths import NOTEBOOKS
from wwlib.course.lessons.notebooks import lesson_files

GLOSSARY = Glossary((NOTEBOOKS / "glossary.md").read_text(encoding="utf-8"))
LESSONS = read_lessons(lesson_files())
HEAD = "| symbol | in code | meaning |\n| --- | --- | --- |\n"


def test_every_symbol_of_every_lesson_means_what_the_glossary_says():
    assert faults(LESSONS, GLOSSARY) == []


def test_the_glossary_explains_letters_and_formulas_are_read():
    """A pattern that no longer matches would compare nothing, and pass."""
    assert len(GLOSSARY.rows) >= 60
    assert all(len(row) == 4 and row[2] and lessons_in(row[3]) for row in GLOSSARY.rows)
    assert sum(len(symbols_of(formula)) for text in LESSONS.values() for formula in formulas(text)) > 1400
    assert GLOSSARY.free.isdisjoint(symbol.letter for symbol in GLOSSARY.entries if str(symbol) == symbol.letter)


def planted(number: str, text: str) -> list[str]:
    """Return the faults of the lessons after a text is added to one of them."""
    return faults(LESSONS | {number: LESSONS[number] + "\n\n" + text}, GLOSSARY)


@pytest.mark.parametrize(
    ("number", "text", "fault"),
    [
        (
            "07",
            HEAD + "| $K$ | `K` | number of bins |\n",
            "lesson 07 defines K as “number of bins”, the glossary as “num",
        ),
        ("17", "A map $T$ sorts codes.", "lesson 17 uses T, which means “critic that trains the encoder”: T"),
        ("07", "Importances $R_{jk}$.", "lesson 07 uses R_{jk}, which means “rows, and columns, of a feature map”"),
        ("19", "$$w' = w \\odot e^{S(u)}$$", "lesson 19 uses S(·), which means “explained share of variance”"),
        ("08", "The gap $\\zeta$.", "lesson 08 uses \\zeta, which the glossary does not know: \\zeta"),
        ("14", HEAD + "| $n$ | `n` | number of maps |\n", "lesson 14 defines n, which the glossary does not know"),
        (
            "13",
            HEAD + "| $T'$ | `t` | translated code |\n",
            "lesson 13 defines T' as “translated code”, the glossary as",
        ),
    ],
)
def test_a_second_meaning_is_seen(number, text, fault):
    assert any(seen.startswith(fault) for seen in planted(number, text)), planted(number, text)


def test_a_lesson_that_the_glossary_names_in_vain_is_seen():
    without = LESSONS | {"18": LESSONS["18"].replace("\\epsilon", "e")}
    assert faults(without, GLOSSARY) == ["lessons 18 do not use $\\epsilon$, and the glossary says that they do"]


def test_indices_accents_primes_and_parentheses_are_read():
    read = symbols_of(
        r"\hat c'_k + \sigma^2(x) \ge \mathbb E_{z}[\text{what}] \cdot \mathcal N, I_{\max} e^{2 S} u^{(n)}"
    )
    assert read == [
        Symbol("c", "\\hat", prime=True, index="k"),
        Symbol("\\sigma", called=True),
        Symbol("x"),
        Symbol("N", "\\mathcal"),
        Symbol("I", index="\\max"),
        Symbol("e"),
        Symbol("S"),
        Symbol("u"),
    ]


def test_a_formula_in_code_is_not_read():
    assert formulas("`$x` costs $y$, and $$z$$ too\n```\n$w$\n```") == ["y", "z"]


def test_an_index_that_counts_falls_back_on_the_letter():
    assert GLOSSARY.entry(Symbol("\\sigma", index="3")).meaning == "map of landmark k"
    assert GLOSSARY.entry(Symbol("\\sigma", called=True)).meaning == "logistic function"
    assert GLOSSARY.entry(Symbol("\\sigma", index="7j")).meaning == "mean, standard deviation, covariance"
    assert GLOSSARY.entry(Symbol("x", "\\hat", index="2")).meaning == "picture"


def test_a_symbol_that_stands_in_the_glossary_twice_is_refused():
    row = "| $x$ | `x` | picture | 01 |\n"
    with pytest.raises(ValueError, match="must explain x once, got it twice"):
        Glossary("| symbol | in code | meaning | lessons |\n| --- | --- | --- | --- |\n" + row + row)


def test_a_formula_with_an_open_brace_is_refused():
    with pytest.raises(ValueError, match="must close its braces"):
        symbols_of(r"\hat{x")
