"""`prepare` a folder of pictures; `remake` the layers that avatars and portraits are composed of."""

from __future__ import annotations

from pathlib import Path

from wwlib.base.command import Command


def _add_prepare(parser) -> None:
    from wwlib.datasets.prepare import FORMS

    crops = "; ".join(f"{name}: {form.crop}" for name, form in FORMS.items())
    parser.description = f"Crop and shrink a published picture folder; run again to continue. {crops}"
    parser.add_argument("set", choices=FORMS, help="whose pictures these are; folder for any others")
    parser.add_argument("source", type=Path, help="the folder as published")
    parser.add_argument("out", type=Path, help="receives the PNGs and about.json")
    parser.add_argument("--resolution", type=int, default=64, help="side of the result, pixels (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="that work side by side (default: %(default)s)")


def _prepare(options) -> None:
    from wwlib.datasets.prepare import prepare_pictures

    about = prepare_pictures(options.set, options.source, options.out, options.resolution, options.processes)
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


COMMANDS = (
    Command(
        "prepare",
        "turn CelebA, FFHQ, UT-Zappos shoes, CLEVR or any pictures into a folder to train on",
        _prepare,
        _add_prepare,
    ),
)
REMAKES = (
    Command("avatars", "draw the layers of the avatars (needs dicebear-core, dicebear-styles, resvg-py)", _avatars),
    Command("portraits", "draw the layers of the portraits (needs the same packages)", _portraits),
)
