"""`prepare` a folder of pictures; `remake` the drawn layers and the photographs that are shipped."""

from __future__ import annotations

from pathlib import Path

from wwlib.base.command import Command


def _add_prepare(parser) -> None:
    from wwlib.datasets.prepare import FORMS

    crops = "; ".join(f"{name}: {form.crop}" for name, form in FORMS.items())
    fashion = "fashion: the four idx files of Fashion-MNIST, 2 black pixels on every side"
    parser.description = f"Crop and shrink a published picture folder; run again to continue. {crops}; {fashion}"
    parser.add_argument("set", choices=[*FORMS, "fashion"], help="whose pictures these are; folder for any others")
    parser.add_argument("source", type=Path, help="the folder as published")
    parser.add_argument("out", type=Path, help="receives the PNGs and about.json")
    parser.add_argument("--resolution", type=int, help="side of the result, pixels (default: 64; fashion: 32)")
    parser.add_argument("--processes", type=int, default=1, help="that work side by side (default: %(default)s)")
    names = lambda text: tuple(text.split(","))  # noqa: E731
    parser.add_argument("--classes", type=names, help="of fashion, such as sneaker,sandal,ankle-boot (default: all)")
    parser.add_argument("--split", choices=("train", "test"), help="of fashion, as published (default: train)")


def _prepare(options) -> None:
    from wwlib.datasets.fashion import prepare_fashion
    from wwlib.datasets.prepare import prepare_pictures

    names = ("classes", "split", "resolution", "processes")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.set == "fashion":
        about = prepare_fashion(options.source, options.out, **given)
    elif chosen := [f"--{name}" for name in ("classes", "split") if name in given]:
        raise ValueError(f"{chosen[0]} is for fashion alone: {options.set} has no classes and no splits here")
    else:
        about = prepare_pictures(options.set, options.source, options.out, **given)
    published = f" of {about['published']:,} published ones" if about["published"] else ""
    print(f"{about['count']:,} pictures{published} of {about['resolution']} px in {options.out}")
    for name in about["damaged"]:
        print(f"damaged, left out: {name}")


def _avatars(_) -> None:
    from wwlib.datasets.avatars import ARCHIVE, make_archive

    make_archive()
    print(f"wrote {ARCHIVE}")


def _portraits(_) -> None:
    from wwlib.datasets.portraits import ARCHIVE, make_archive

    make_archive()
    print(f"wrote {ARCHIVE}")


def _artists(_) -> None:
    from wwlib.datasets.styles.artists import ARCHIVE, make_archive

    make_archive()
    print(f"wrote {ARCHIVE}")


def _add_fashion(parser) -> None:
    parser.add_argument("--source", type=Path, help="the folder with the four idx files (default: the package's)")


def _fashion(options) -> None:
    from wwlib.datasets.fashion import ARCHIVE, FOLDER, make_archive

    make_archive(folder=options.source or FOLDER)
    print(f"wrote {ARCHIVE}")


COMMANDS = (
    Command(
        "prepare",
        "turn CelebA, FFHQ, UT-Zappos shoes, CLEVR, Fashion-MNIST or any pictures into a folder to train on",
        _prepare,
        _add_prepare,
    ),
)
REMAKES = (
    Command("avatars", "draw the layers of the avatars (needs dicebear-core, dicebear-styles, resvg-py)", _avatars),
    Command("portraits", "draw the layers of the portraits (needs the same packages)", _portraits),
    Command("artists", "draw the layers of faces in three artists' hands (needs the same packages)", _artists),
    Command("fashion", "choose held-out photographs (needs Debian's dataset-fashion-mnist)", _fashion, _add_fashion),
)
