"""Moving a slider as a learner does, and timing in the page how long the picture takes to follow."""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from playwright.sync_api import Locator

from tests.browser.lab import Lesson

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
class Explorer:
    """The explorer that a cell shows, and how many positions its slider has."""

    lesson: Lesson
    cell: Locator
    steps: int = 13

    @property
    def choice(self) -> Locator:
        return self.cell.locator(".widget-dropdown select")

    @property
    def handle(self) -> Locator:
        return self.cell.locator(".widget-slider [role=slider]")

    @property
    def image(self) -> Locator:
        return self.cell.locator("img.widget-image")

    def watch(self) -> None:
        """Begin to time; once a page."""
        self.image.evaluate(WATCH)

    def follow(self, act: Callable[[], object]) -> float:
        """Do something that changes the picture, wait until it has; return the milliseconds that it took."""
        page = self.lesson.page
        seen = page.evaluate("watched.delays.length")
        act()
        page.wait_for_function("n => watched.delays.length > n", arg=seen, timeout=20_000)
        return page.evaluate("watched.delays.at(-1)")

    def press(self, key: str) -> float:
        """Press a key on the slider's handle."""
        self.handle.focus()
        return self.follow(lambda: self.lesson.page.keyboard.press(key))

    def grab(self) -> None:
        """Take the handle with the mouse and keep it."""
        box = self.handle.bounding_box()
        self.lesson.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.lesson.page.mouse.down()

    def point(self, step: int) -> tuple[float, float]:
        """Return where on the page a position of the slider is."""
        box = self.cell.locator(".widget-slider .noUi-base").bounding_box()
        return box["x"] + box["width"] * step / (self.steps - 1), box["y"] + box["height"] / 2

    def drag(self, step: int) -> float:
        """Move the mouse to a position, the handle in hand."""
        return self.follow(lambda: self.lesson.page.mouse.move(*self.point(step)))

    def pixels(self) -> np.ndarray:
        """Return what the picture shows, `[H, W, 3]` uint8."""
        return decoded(base64.b64decode(self.image.evaluate(READ)))


def decoded(png: bytes) -> np.ndarray:
    """Return the pixels of a PNG, `[H, W, 3]` uint8."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def nearest(frames: list[bytes], pixels: np.ndarray) -> int:
    """Return which of several frames (PNG) is closest to `pixels`."""
    return int(np.argmin([np.abs(decoded(frame).astype(int) - pixels).mean() for frame in frames]))


def round_trip(lesson: Lesson, times: int = 5) -> float:
    """Return the median milliseconds from a question to the kernel until its answer, asked in the page."""
    return statistics.median(lesson.page.evaluate(ROUND_TRIP) for _ in range(times))
