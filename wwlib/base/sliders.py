"""The frame that all explorers share: sliders with names, and beside them a picture with a title over each part.

What a screen reader needs is set in the page, since `ipywidgets` has no names for it: each slider's handle takes its
description as `aria-label`, and the picture a text alternative that changes with it.
"""

from __future__ import annotations

import html
import importlib.util
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

NO_SLIDERS = "sliders need a notebook with ipywidgets; the picture below shows the same at once"
WIDTHS = (360, 480)  # of a slider with its name and number, pixels; more than half of it is the track

# The page builds a frame bit by bit, and anew when it comes back into sight; whatever appears is named at once.
NAMES = """
const frame = this.closest('.ww-explorer');
const name = () => {
    for (const slider of frame.querySelectorAll('.widget-slider')) {
        const label = slider.querySelector('.widget-label')?.textContent;
        for (const handle of slider.querySelectorAll('[role=slider], .ui-slider-handle, .widget-readout'))
            if (label && handle.getAttribute('aria-label') !== label) handle.setAttribute('aria-label', label);
    }
    const picture = frame.querySelector('img.widget-image'), words = frame.querySelector('[data-alt]');
    if (picture && words && picture.alt !== words.dataset.alt) picture.alt = words.dataset.alt;
};
name();
if (!frame.named) {
    frame.named = new MutationObserver(name);
    frame.named.observe(frame, {childList: true, subtree: true});
}"""


def show_widget(make: Callable[[], Any]) -> None:
    """Show a widget; where there can be none, say so in a line: the sheet that stands below shows the same.

    A front end without widgets would print their inside, "VBox(children=...", so it is given that line instead.

    Args:
        make: gives the widget; called only where `ipywidgets` is installed.
    """
    from IPython.display import display

    if importlib.util.find_spec("ipywidgets") is None:
        print(f"[{NO_SLIDERS} (pip install ipywidgets)]")
        return
    view = dict(version_major=2, version_minor=0, model_id=make().model_id)
    display({"application/vnd.jupyter.widget-view+json": view, "text/plain": f"[{NO_SLIDERS}]"}, raw=True)


def choice(name: str, last: int, first: int = 0):
    """Return a slider that chooses a whole number from 0 to `last`; it stands at `first`.

    A slider and no dropdown, since in JupyterLab the arrow keys on a dropdown move to another cell of the notebook.
    """
    import ipywidgets as widgets

    return widgets.IntSlider(first, min=0, max=last, description=name, **_wide())


def amount(name: str, value: float, span: float, step: float = 0.1):
    """Return a slider from `-span` to `span`; it stands at `value`."""
    import ipywidgets as widgets

    return widgets.FloatSlider(
        value, min=-span, max=span, step=step, description=name, readout_format="+.1f", **_wide()
    )


def _wide() -> dict:
    return dict(layout=dict(width="auto"), style=dict(description_width="8em"))


def explorer_frame(
    sliders: Sequence,
    picture: Callable[[], bytes],
    titles: Callable[[], Sequence[str]],
    words: Callable[[], str],
    side: int,
    below: Sequence = (),
):
    """Return sliders beside a picture that follows them; where the page is narrow, the picture stands below.

    Args:
        sliders: widgets with a `value`, as `choice` and `amount` make them.
        picture: returns the PNG bytes for the sliders' present values: parts of one width, side by side.
        titles: returns what each part shows, from the left.
        words: returns what the sliders say, in words.
        side: width of one part on the page, pixels.
        below: widgets that stand below the sliders.
    """
    import ipywidgets as widgets

    width = f"{side * len(titles())}px"
    said, over = (
        widgets.HTML(layout=dict(margin="0")),
        widgets.HTML(layout=dict(margin="0", width=f"min({width}, 100%)")),
    )
    image = widgets.Image(format="png", layout=dict(width=width, max_width="100%", height="auto", margin="0"))

    def follow(change=None) -> None:
        said.value = html.escape(words())
        over.value = _titles(titles(), words())
        image.value = picture()

    follow()
    for slider in sliders:
        slider.observe(follow, names="value")
    least, most = WIDTHS
    column = widgets.VBox([*sliders, *below], layout=dict(flex=f"1 1 {least}px", max_width=f"min({most}px, 100%)"))
    view = widgets.VBox([said, over, image], layout=dict(max_width="100%", margin="0 0 0 12px"))
    names = widgets.HTML(f'<style onload="{html.escape(NAMES)}"></style>', layout=dict(display="none"))
    frame = widgets.Box([column, view, names], layout=dict(flex_flow="row wrap", align_items="flex-start"))
    frame.add_class("ww-explorer")
    return frame


def _titles(titles: Sequence[str], words: str) -> str:
    """Return the titles as HTML, one over each part of a picture, with the picture's text alternative."""
    alt = html.escape(f"From the left: {', '.join(titles)}. {words}")
    parts = "".join(f"<div>{html.escape(title)}</div>" for title in titles)
    grid = f"display: grid; grid-template-columns: repeat({len(titles)}, minmax(0, 1fr)); line-height: 1.3"
    return f'<div data-alt="{alt}" style="{grid}">{parts}</div>'


def png_bytes(pixels: np.ndarray) -> bytes:
    """Return a picture `[H, W, 3]` of uint8 as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
