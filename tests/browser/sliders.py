"""Moving a slider as a learner does, and timing in the page how long the picture takes to follow."""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

# A delay runs from the last thing the learner did to the moment at which the new picture is decoded.
WATCH = """image => {
    const watched = window.watched = {event: 0, delays: []}
    for (const kind of ['keydown', 'pointerdown', 'pointermove', 'input'])
        document.addEventListener(kind, () => { watched.event = performance.now() }, true)
    image.addEventListener('load', () => watched.delays.push(performance.now() - watched.event))
}"""

READ = """async image => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer())
    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
}"""

ROUND_TRIP = """async () => {
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel
    const start = performance.now()
    await kernel.requestKernelInfo()
    return performance.now() - start
}"""


@dataclass(frozen=True)
class Slider:
    """One slider of a cell, and how many positions it has."""

    page: Page
    frame: Locator
    steps: int

    @property
    def handle(self) -> Locator:
        return self.frame.locator("[role=slider]")

    @property
    def readout(self) -> Locator:
        return self.frame.locator(".widget-readout")

    def point(self, step: int) -> tuple[float, float]:
        """Return where on the page a position is."""
        box = self.frame.locator(".noUi-base").bounding_box()
        return box["x"] + box["width"] * step / (self.steps - 1), box["y"] + box["height"] / 2

    def press(self, key: str) -> None:
        """Press a key on the handle."""
        self.handle.focus()
        self.page.keyboard.press(key)

    def grab(self) -> None:
        """Take the handle with the mouse and keep it."""
        box = self.handle.bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.down()

    def drag(self, step: int) -> None:
        """Move the mouse to a position, the handle in hand."""
        self.page.mouse.move(*self.point(step))

    def click(self, step: int) -> None:
        """Click on a position."""
        self.page.mouse.click(*self.point(step))

    def type(self, text: str) -> None:
        """Type a number into the readout."""
        self.readout.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Enter")


@dataclass(frozen=True)
class Explorer:
    """The explorer that a cell shows: a slider of `steps` for every code, the one with the longest row on top."""

    page: Page
    cell: Locator
    steps: int = 41

    def slider(self, place: int) -> Slider:
        """Return a slider by its place from the top."""
        return Slider(self.page, self.cell.locator(".widget-slider").nth(place), self.steps)

    @property
    def image(self) -> Locator:
        return self.cell.locator("img.widget-image")

    def watch(self) -> None:
        """Begin to time; once a page."""
        self.image.evaluate(WATCH)

    def follow(self, act: Callable, *arguments: object) -> float:
        """Do something that changes the picture, wait until it has; return the milliseconds that it took."""
        seen = self.page.evaluate("watched.delays.length")
        act(*arguments)
        # looking at every frame, as is usual here, would slow the page that is timed
        self.page.wait_for_function("n => watched.delays.length > n", arg=seen, polling=40)
        return self.page.evaluate("watched.delays.at(-1)")

    def pixels(self) -> np.ndarray:
        """Return what the picture shows, `[H, W, 3]` uint8."""
        return decoded(base64.b64decode(self.image.evaluate(READ)))


def decoded(png: bytes) -> np.ndarray:
    """Return the pixels of a PNG, `[H, W, 3]` uint8."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def nearest(frames: list[bytes], pixels: np.ndarray) -> int:
    """Return which of several frames (PNG) is closest to `pixels`."""
    return int(np.argmin([np.abs(decoded(frame).astype(int) - pixels).mean() for frame in frames]))


def round_trip(page: Page, times: int = 5) -> float:
    """Return the median milliseconds from a question to the kernel until its answer, asked in the page."""
    return statistics.median(page.evaluate(ROUND_TRIP) for _ in range(times))
