"""`score` points from anywhere, codes and factors in a file; or a model, by FID or by what it draws."""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from pathlib import Path

from wwlib import __version__
from wwlib.base.command import Command

# numbers that some scores have beside their own, and what they ask
BESIDE = {
    "completeness": "Is one code enough for each factor?",
    "informativeness": "How often do the trees predict a factor right?",
}
LEAST = 30  # points; two thirds train and the rest test
EXPECTS = "POINTS.npz with `codes` [N, d] and `factors` [N, K], or two files CODES.npy FACTORS.npy"


def _add(parser) -> None:
    from wwlib.metrics.scores import SCORES

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = (
        "%(prog)s POINTS.npz [options]\n"
        "       %(prog)s CODES.npy FACTORS.npy [options]\n"
        "       %(prog)s MODEL --pictures FOLDER [--images N]\n"
        "       %(prog)s MODEL --seen"
    )
    parser.description = (
        "Score points: how well each code stands for one factor. N points have d codes each and K true factors, which\n"
        "are whole numbers (the index of a value). Every score is at most 1, and higher is better. Definitions are\n"
        "those of disentanglement_lib: with 15,000 points or more, scores that train do so on the first 10,000 and\n"
        "are tested on the next 5,000; with fewer, on two thirds and the rest.\n"
        "With --pictures: the FID of a model, how far its pictures are from those in a folder (needs torch-fidelity)."
    )
    width = max(map(len, SCORES))
    parser.epilog = "scores:\n" + "\n".join(f"  {name:{width}}  {score.question}" for name, score in SCORES.items())
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help=f"{EXPECTS}; with --pictures or --seen the name or file of a model"
    )
    parser.add_argument(
        "--scores", nargs="+", type=_score_names, metavar="NAME", help="such as mig dci (default: all that apply)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with every detail, and nothing else")
    parser.add_argument(
        "--plot", type=_png, metavar="OUT.png", help="also draw the tables that the scores are read off"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what scores draw at random (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: measured at the start)")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="the folder that the model was trained on")
    parser.add_argument("--seen", action="store_true", help="score what a model of rooms draws")
    parser.add_argument("--images", type=int, help="that the model draws for FID (default: 50000, as FID-50k)")
    parser.add_argument("--device", help="of the model: auto, cpu, cuda (default: auto)")
    parser.set_defaults(wrong=parser.error)


def _score_names(text: str) -> list[str]:
    """Read one or several names, separated by commas."""
    from wwlib.metrics.scores import SCORES

    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in SCORES]:
        raise argparse.ArgumentTypeError(f"must be among {', '.join(SCORES)}, got {', '.join(unknown)}")
    return names


def _png(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png" or path.is_dir():
        raise argparse.ArgumentTypeError(f"must be a file that ends in .png, got {text}")
    return path


def _run(options) -> None:
    if options.threads is not None and options.threads < 1:
        raise ValueError(f"--threads must be at least 1, got {options.threads}")
    if options.seen:
        if options.scores or options.pictures or len(options.files) > 1:
            options.wrong("with --seen one model is given, and neither --scores nor --pictures")
        _score_drawings(options)
        return
    if options.pictures is not None:
        if options.scores or options.plot or len(options.files) > 1:
            options.wrong("with --pictures one model is given, and neither --scores nor --plot")
        _score_model(options)
        return
    if options.images is not None or options.device is not None:
        options.wrong("--images and --device go with --pictures")
    if len(options.files) > 2:
        options.wrong(f"FILE is {EXPECTS}; got {len(options.files)} files")
    _score_files(options)


def _score_model(options) -> None:
    from wwlib.base.device import choose_compute, choose_threads
    from wwlib.datasets.pictures import ImageFolder
    from wwlib.metrics.frechet import fid
    from wwlib.models.shipped import load_model

    images = 50_000 if options.images is None else options.images
    choose_threads(options.threads)
    device = choose_compute(options.device or "auto").device
    model = load_model(options.files[0], device)
    pictures = ImageFolder(options.pictures, model.config.resolution, cache_bytes=0)
    distance = fid(model.generator, pictures, images, device, seed=options.seed)
    real = min(images, len(pictures))
    if options.json:
        print(json.dumps(dict(fid=distance, images=images, pictures=real, seed=options.seed)))
    else:
        print(f"FID {distance:.2f} of {images:,} drawings and {real:,} pictures")


def _score_drawings(options) -> None:
    from wwlib.base.device import choose_threads
    from wwlib.metrics.seen.drawings import load_drawer, score_drawings

    choose_threads(options.threads)
    generator, resolution = load_drawer(options.files[0])
    result = score_drawings(generator, resolution, options.seed)
    if options.plot:
        _draw({"traversal score": result.traversal, "VP score": result.vp}).save(options.plot)
        _note(f"wrote {options.plot}")
    if options.json:
        print(json.dumps(dict(wwlib=__version__, seed=options.seed, **result.record()), indent=1, allow_nan=False))
    else:
        print(f"{options.files[0]}: {generator.codes} codes\n{result.table()}\n\n{result.code_table()}")


def _score_files(options) -> None:
    import numpy as np

    from wwlib.base.arrays import load_tables
    from wwlib.base.device import choose_threads
    from wwlib.metrics.points import as_points, rows_in_order
    from wwlib.metrics.scores import score_points

    codes, factors = as_points(*load_tables(options.files, ("codes", "factors")))
    if len(codes) < LEAST:
        raise ValueError(f"scores need at least {LEAST} points, got {len(codes)}")
    names = _applicable([name for group in options.scores or () for name in group], codes.shape[1], factors.shape[1])
    if in_order := rows_in_order(factors):
        _note("rows are in the order of a factor: shuffled before scoring, so that all its values train and test")
        order = np.random.default_rng(options.seed).permutation(len(codes))
        codes, factors = codes[order], factors[order]
    threads = choose_threads(options.threads)
    results = score_points(codes, factors, names, options.seed, threads, progress=sys.stderr.isatty())
    if options.plot:
        _draw(results).save(options.plot)
        _note(f"wrote {options.plot}")
    if options.json:
        about = dict(points=len(codes), codes=codes.shape[1], factors=factors.shape[1], shuffled=in_order)
        scores = {name: {"score": result.score, **_plain(vars(result))} for name, result in results.items()}
        print(json.dumps(dict(wwlib=__version__, seed=options.seed, **about, scores=scores), indent=1, allow_nan=False))
    else:
        print(f"{len(codes):,} points, {codes.shape[1]} codes, {factors.shape[1]} factors\n{_table(results)}")


def _note(text: str) -> None:
    """Say something beside the result: on stderr, so that stdout holds the result alone."""
    print(text, file=sys.stderr)


def _applicable(chosen: list[str], codes: int, factors: int) -> tuple[str, ...]:
    """Return the scores to compute, each once.

    Args:
        chosen: those asked for; of all, if empty, those that the points suffice for.
        codes, factors: how many columns there are.

    Raises:
        ValueError: if the points do not suffice for one that was asked for, or for any.
    """
    from wwlib.metrics.scores import SCORES

    lacks = {}
    for name, score in SCORES.items():
        if codes < score.least_codes:
            lacks[name] = f"{name} needs at least {score.least_codes} codes, got {codes}"
        elif factors < score.least_factors:
            lacks[name] = f"{name} needs at least {score.least_factors} factors, got {factors}"
    for name in chosen:
        if name in lacks:
            raise ValueError(lacks[name])
    if not chosen:
        for reason in lacks.values():
            _note(f"left out: {reason}")
    return tuple(dict.fromkeys(chosen)) or tuple(name for name in SCORES if name not in lacks)


def _plain(value):
    """Turn arrays into lists, and what is not a number into null: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(results: dict):
    """Every score with its value and what it asks."""
    from wwlib.base.table import Table
    from wwlib.metrics.scores import SCORES

    rows = []
    for name, result in results.items():
        rows.append((name, f"{result.score:.4f}", SCORES[name].question))
        rows += [
            (f"  {key}", f"{getattr(result, key):.4f}", question)
            for key, question in BESIDE.items()
            if hasattr(result, key)
        ]
    return Table(("score", "value", "what it asks"), rows)


def _draw(results: dict):
    """The tables that the scores are read off, one below the other."""
    from PIL import Image

    from wwlib.base.viz import Picture

    parts = [Image.open(io.BytesIO(result.plot().data)).convert("RGB") for result in results.values()]
    sheet = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", optimize=True)
    values = ", ".join(f"{name} {result.score:.2f}" for name, result in results.items())
    return Picture(buffer.getvalue(), f"what each score is read off: {values}")


COMMANDS = (
    Command("score", "score codes against true factors, from a file of points; or what a model draws", _run, _add),
)
