"""`python -m wwlib score`: points of a researcher in, a table, JSON or a picture out."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from wwlib.__main__ import main
from wwlib.base.paths import ROOT
from wwlib.metrics import commands
from wwlib.metrics.points import rows_in_order
from wwlib.metrics.scores import SCORES, SUPERVISED, score_points

SIZES = (3, 4, 5)


def draw(n=240, seed=0, noise=0.2):
    random = np.random.default_rng(seed)
    factors = np.stack([random.integers(0, size, n) for size in SIZES], axis=1)
    return dict(codes=factors + noise * random.normal(size=factors.shape), factors=factors)


@pytest.fixture
def points(tmp_path):
    np.savez(tmp_path / "points.npz", **draw())
    return str(tmp_path / "points.npz")


def run(*arguments):
    """Return the exit code of `score` with these arguments, as the shell would see it."""
    try:
        return main(["score", *map(str, arguments)])
    except SystemExit as leaving:
        return leaving.code


def test_the_table_has_every_score_and_what_it_asks(points, capsys):
    assert run(points, "--threads", 1) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "240 points, 3 codes, 3 factors"
    rows = {line.split()[0]: line for line in lines[3:]}
    assert tuple(rows) == (*SUPERVISED, *commands.BESIDE)
    results = score_points(*draw().values())
    for name, result in results.items():
        assert f" {result.score:.4f}  {SCORES[name].question}" in rows[name]
    assert f"{results['dci'].completeness:.4f}" in rows["completeness"]
    assert max(map(len, lines)) < 110
    assert said.err == ""


def test_json_alone_is_on_stdout_and_holds_every_detail(points, tmp_path, capsys):
    assert run(points, "--json", "--scores", "mig,sap", "dci", "--plot", tmp_path / "out.png", "--threads", 1) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["points"], found["codes"], found["factors"], found["seed"]) == (240, 3, 3, 0)
    assert found["shuffled"] is False
    results = score_points(*draw().values(), ("mig", "sap", "dci"))
    assert list(found["scores"]) == list(results)
    for name, result in results.items():
        assert found["scores"][name]["score"] == result.score
    assert np.array_equal(found["scores"]["mig"]["information"], results["mig"].information)
    assert np.array_equal(found["scores"]["dci"]["importances"], results["dci"].importances)
    assert said.err == f"wrote {tmp_path / 'out.png'}\n"


def test_what_is_no_number_is_null_in_json(tmp_path, capsys):
    given = draw()
    given["factors"][:, 1] = 0  # never varies: its gap is not defined
    np.savez(tmp_path / "points.npz", **given)
    assert run(tmp_path / "points.npz", "--json", "--scores", "mig") == 0
    gaps = json.loads(capsys.readouterr().out)["scores"]["mig"]["gaps"]
    assert [gap is None for gap in gaps] == [False, True, False]


def test_two_arrays_give_what_one_archive_gives(points, tmp_path, capsys):
    for name, table in draw().items():
        np.save(tmp_path / f"{name}.npy", table)
    outputs = []
    for files in ([points], [tmp_path / "codes.npy", tmp_path / "factors.npy"]):
        assert run(*files, "--scores", "mig", "factor_vae") == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_the_plot_shows_the_table_of_every_score(points, tmp_path):
    for name, scores in (("one.png", ["mig"]), ("two.png", ["mig", "sap"])):
        assert run(points, "--scores", *scores, "--plot", tmp_path / name) == 0
    one, two = Image.open(tmp_path / "one.png"), Image.open(tmp_path / "two.png")
    assert one.format == "PNG"
    assert two.height > 1.8 * one.height


def test_rows_in_the_order_of_a_grid_are_shuffled_and_it_is_said(tmp_path, capsys):
    grid = np.stack(np.meshgrid(*map(np.arange, (6, 7, 8)), indexing="ij"), axis=-1).reshape(-1, 3)
    np.savez(tmp_path / "grid.npz", codes=grid * 1.0, factors=grid)
    assert run(tmp_path / "grid.npz", "--json", "--scores", "mig", "dci", "--threads", 1) == 0
    said = capsys.readouterr()
    assert "rows are in the order of a factor: shuffled" in said.err
    found = json.loads(said.out)
    assert found["shuffled"] is True
    assert found["scores"]["dci"]["informativeness"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_rows_drawn_at_random_stay_as_they_are(seed):
    factors = draw(5_000, seed)["factors"]
    assert not rows_in_order(factors)
    assert rows_in_order(factors[np.argsort(factors[:, 2], kind="stable")])


def test_scores_that_few_columns_do_not_suffice_for_are_left_out_or_refused(tmp_path, capsys):
    given = draw()
    np.savez(tmp_path / "one.npz", codes=given["codes"], factors=given["factors"][:, :1])
    assert run(tmp_path / "one.npz", "--threads", 1) == 0
    said = capsys.readouterr()
    assert "left out: modularity needs at least 2 factors, got 1\n" in said.err
    assert "modularity" not in said.out
    assert run(tmp_path / "one.npz", "--scores", "modularity") == 1
    assert capsys.readouterr().err == "error: modularity needs at least 2 factors, got 1\n"


@pytest.mark.parametrize("name", SCORES)
def test_the_least_columns_are_enough_for_every_score(name):
    given, needs = draw(), SCORES[name]
    codes, factors = given["codes"][:, : needs.least_codes], given["factors"][:, : needs.least_factors]
    assert np.isfinite(score_points(codes, factors, (name,))[name].score)


def changed(**changes):
    return {**draw(), **changes}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (changed(codes=np.full((240, 3), np.nan)), "must be finite, got NaN or infinity in 240 rows"),
        (changed(factors=np.zeros((240, 2), int)), "factors must vary"),
        (changed(factors=np.random.default_rng(0).random((240, 2))), "factors must be whole numbers"),
        (draw(20), "scores need at least 30 points, got 20"),
        (dict(codes=draw()["codes"]), "must hold codes and factors, got ['codes'] without ['factors']"),
        (changed(factors=draw()["factors"][:99]), "must have as many rows, got 240 rows of codes"),
    ],
    ids=["NaN", "constant", "fractions", "few", "missing", "unequal"],
)
def test_wrong_points_are_one_line_on_stderr_and_end_with_1(given, message, tmp_path, capsys):
    np.savez(tmp_path / "points.npz", **given)
    assert run(tmp_path / "points.npz", "--json") == 1
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scores", "vibes"], "must be among factor_vae, beta_vae, mig"),
        (["--plot", "out.jpg"], "must be a file that ends in .png"),
        (["--images", "100"], "--images and --device go with --pictures"),
        (["--pictures", ".", "--plot", "a.png"], "with --pictures one model is given"),
        (["b.npy", "c.npy"], "got 3 files"),
    ],
    ids=str,
)
def test_a_wrong_option_ends_with_64(arguments, message, points, capsys):
    assert run(points, *arguments) == 64
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_the_help_says_what_each_score_is(capsys):
    assert run("--help") in (0, None)
    said = capsys.readouterr().out
    for name, score in SCORES.items():
        assert f"  {name:12}  {score.question}" in said


def test_a_terminal_sees_a_bar(points):
    """The command runs under a terminal of its own, which needs a system that has them."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals need a Unix system")
    termios = pytest.importorskip("termios", reason="pseudo-terminals need a Unix system")
    command = [sys.executable, "-m", "wwlib", "score", points, "--scores", "mig", "--json", "--threads", "1"]
    environment = {key: value for key, value in os.environ.items() if key not in ("WW_HEADLESS", "CI")}
    environment["PYTHONPATH"] = str(ROOT)
    try:
        leader, terminal = pty.openpty()
    except OSError as error:
        pytest.skip(f"no pseudo-terminal can be had here: {error}")
    termios.tcsetwinsize(leader, (24, 80))
    shown = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=terminal, check=True)
    os.close(terminal)
    bar = os.read(leader, 10_000).decode()
    os.close(leader)
    assert "mig" in bar
    assert "1/1" in bar
    assert json.loads(shown.stdout)["points"] == 240


def test_a_pipe_sees_no_bar(points, monkeypatch, capfd):
    for name in ("WW_HEADLESS", "CI"):
        monkeypatch.delenv(name, raising=False)
    assert run(points, "--scores", "mig") == 0
    assert capfd.readouterr().err == ""


def test_fid_of_a_model_goes_through_the_same_command(tmp_path, monkeypatch, capsys):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    calls = []
    monkeypatch.setattr("wwlib.metrics.frechet.fid", lambda *given, seed: calls.append(given[2]) or 12.5)
    assert run("shapes3d-32-seed0", "--pictures", tmp_path, "--images", 300, "--device", "cpu") == 0
    assert capsys.readouterr().out == "FID 12.50 of 300 drawings and 1 pictures\n"
    assert run("shapes3d-32-seed0", "--pictures", tmp_path, "--device", "cpu", "--json") == 0
    assert json.loads(capsys.readouterr().out) == dict(fid=12.5, images=50_000, pictures=1, seed=0)
    assert calls == [300, 50_000]
