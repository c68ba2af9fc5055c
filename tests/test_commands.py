"""The command line: eight verbs, records by their names, old names that lead to the new ones, exit codes."""

import importlib.metadata
import io
import os
import subprocess
import sys
import tomllib

import pytest
from PIL import Image

import wwlib
from wwlib.__main__ import RENAMED, main, offered
from wwlib.base.command import USERS, Command, parts_command, run_command
from wwlib.base.paths import ROOT

VERBS = {
    "learners and researchers": {"train", "prepare", "score", "select", "population"},
    "instructors": {"grade", "release"},
    "maintainers": {"remake"},
}
RECORDS = [one.name for one in offered("REMAKES")]
# commands of version 0.1 and what does the same now
OLD = {
    "compare": "remake perturbation",
    "interpret": "remake interpretation",
    "invariances": "remake invariances",
    "translate": "remake translation",
    "fuse": "remake fusion",
    "avatars": "remake avatars",
    "portraits": "remake portraits",
    "ship": "remake shipped",
    "examine": "remake examination",
    "rescore": "remake scores",
    "lessons": "remake lessons",
    "tables": "remake tables",
    "costs": "remake costs",
    "memory": "remake memory",
    "fid": "score",
}


def run(*arguments):
    """Return the exit code of a command, as the shell would see it."""
    try:
        return main(list(arguments))
    except SystemExit as leaving:
        return leaving.code or 0


def test_the_help_has_eight_verbs_grouped_by_who_uses_them(capsys):
    assert run("--help") == 0
    groups = dict(part.split(":\n") for part in capsys.readouterr().out.split("\nfor ")[1:])
    assert {who: {line.split()[0] for line in lines.strip().splitlines()} for who, lines in groups.items()} == VERBS
    assert tuple(groups) == USERS


def test_remake_alone_lists_every_record_in_a_line(capsys):
    assert run("remake") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(set(RECORDS))
    assert len(RECORDS) == len(set(RECORDS)) >= 14
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize(
    "words", [[one.name] for one in offered("COMMANDS")] + [["remake"], *(["remake", r] for r in RECORDS)], ids=" ".join
)
def test_every_command_has_a_help_and_refuses_a_wrong_option(words, capsys):
    assert run(*words, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m wwlib {' '.join(words)}")
    assert run(*words, "--no-such-option") == 64
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("old", OLD)
def test_an_old_name_leads_to_the_new_one_and_runs_nothing(old, capsys):
    assert run(old, "a b", "--seeds", "3") == 64
    said = capsys.readouterr()
    assert said.err == f"`{old}` has another name now: python -m wwlib {OLD[old]} 'a b' --seeds 3\n"
    assert said.out == ""
    assert run(*OLD[old].split(), "--help") == 0


def test_every_renamed_command_is_tried_above():
    assert set(RENAMED) <= set(OLD)


@pytest.mark.parametrize("words", [[], ["tarin"], ["remake", "everything"], ["--no-such-option"]], ids=str)
def test_no_or_unknown_words_end_with_64_and_name_the_known_ones(words, capsys):
    assert run(*words) == 64
    said = capsys.readouterr().err
    assert said.startswith("usage: python -m wwlib")
    assert "choose from" in said or "required" in said or "unrecognized" in said or "--no-such-option" in said


def test_an_error_of_a_command_is_one_line_and_ends_with_1(capsys):
    assert run("train", "--recipe", "nothing") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: recipe must be one of")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("interpretation", "interpret"),
        ("invariances", "invariances"),
        ("translation", "translate"),
        ("fusion", "fuse"),
    ],
)
def test_parts_and_seeds_reach_the_records_of_part_two(name, function, monkeypatch):
    """The real `commands` module runs; what it would train for hours is replaced."""
    calls = []
    monkeypatch.setattr(f"wwlib.experiments.{name}.runs.{function}", lambda *given: calls.append(given))
    assert run("remake", name, "a", "b", "--seeds", "0", "3") == 0
    assert run("remake", name) == 0
    assert calls == [(["a", "b"], [0, 3]), ([], None)]


def test_options_of_the_shipped_record_are_those_of_ship(monkeypatch, capsys):
    calls = []
    record = dict(scores=dict(factor_vae=0.5, iou={}))
    monkeypatch.setattr("wwlib.experiments.shipped.ship.ship", lambda *given: calls.append(given) or record)
    monkeypatch.setattr("wwlib.experiments.shipped.ship.record_only", lambda *given: calls.append(given))
    assert run("remake", "shipped", "runs/x", "x", "--trained-by", "t", "--keep-discriminator", "--filmstrip", "4") == 0
    assert run("remake", "shipped", "runs/x", "x", "--trained-by", "t", "--record-only") == 0
    assert [tuple(map(str, given)) for given in calls] == [("runs/x", "x", "t", "True", "4"), ("runs/x", "x", "t")]
    assert "FactorVAE score 0.500" in capsys.readouterr().out


def test_a_command_without_an_answer_ends_with_0():
    seen = []
    command = parts_command("try", "try", lambda parts, seeds: seen.append((parts, seeds)), "a, b", "of both")
    assert run_command(command, "try", ["a", "--seeds", "1"]) == 0
    assert seen == [(["a"], [1])]
    assert run_command(Command("stop", "stop", lambda _: 130), "stop", []) == 130


def test_names_are_unique():
    names = [one.name for one in (*offered("COMMANDS"), *offered("REMAKES"))]
    assert len(set(names)) == len(names)


def test_the_commands_are_collected_without_loading_torch():
    """Torch takes seconds to load; the help and the listing of records come at once."""
    code = "import sys; from wwlib.__main__ import offered; assert offered('COMMANDS') and offered('REMAKES'); "
    code += "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_the_version_is_pyprojects(capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert wwlib.__version__ == project["version"]
    assert run("--version") == 0
    assert capsys.readouterr().out == f"wwlib {project['version']}\n"


def console(encoding, monkeypatch):
    """Put a console of that encoding in the place of standard output; return what reads its text."""
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding))

    def text():
        sys.stdout.flush()
        return screen.getvalue().decode(encoding)

    return text


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
@pytest.mark.parametrize("name", [command.name for command in offered("COMMANDS")])
def test_every_help_can_be_read_on_every_console(name, encoding, monkeypatch):
    """The report: Aider-AI/aider#4279, an ellipsis that ends a program on Windows."""
    text = console(encoding, monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert text().startswith("usage: ")


def test_a_name_that_the_console_cannot_show_is_spelt_out(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "日本.png").write_bytes(b"no picture")
    text = console("cp1252", monkeypatch)
    assert main(["prepare", "folder", str(tmp_path / "in"), str(tmp_path / "out"), "--resolution", "16"]) == 0
    assert text().endswith("damaged, left out: \\u65e5\\u672c.png\n")


def test_the_installed_version_is_pyprojects():
    try:
        installed = importlib.metadata.version("wwlib")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("wwlib is used from its clone here, not installed")
    assert installed == wwlib.__version__
