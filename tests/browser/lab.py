"""A JupyterLab server of its own and a Chromium that looks at it: both start fresh and end with the block."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from wwlib.base.paths import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SECONDS = 600  # the longest that one wait may take
TOKEN = "browser-tests"
ARTEFACTS = ROOT / "artefacts" / "browser"


def chromium_path() -> str | None:
    """Return where the system's Chromium is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def lab_server(folder: Path, limit: float = 1500, make: bool = False) -> Iterator[str]:
    """Serve `folder / "notebooks"` with JupyterLab on a free port; give the server's address.

    Settings, configuration and workspaces live in `folder`, so that a user's own neither help nor suffer. The server
    ends with the block; should the test process be killed, the server ends by itself once nobody looks.

    Args:
        folder: where everything is written.
        limit: seconds after which the server and every browser are ended by force, whatever they wait for.
        make: start it by `make lab`, as a learner does.
    """
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    own = dict(
        JUPYTER_CONFIG_DIR="config",
        JUPYTER_DATA_DIR="data",
        JUPYTER_RUNTIME_DIR="runtime",
        JUPYTERLAB_SETTINGS_DIR="settings",
        JUPYTERLAB_WORKSPACES_DIR="workspaces",
        IPYTHONDIR="ipython",
    )
    environment = os.environ | {name: str(folder / place) for name, place in own.items()}
    environment["WW_HEADLESS"] = "0"  # somebody watches, also where a variable says that this is CI
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    options = [
        "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0", f"--ServerApp.root_dir={folder / 'notebooks'}", f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True", f"--ServerApp.shutdown_no_activity_timeout={SECONDS}",
        f"--MappingKernelManager.cull_idle_timeout={SECONDS}", "--MappingKernelManager.cull_interval=30",
    ]  # fmt: skip
    command, place = [sys.executable, "-m", "jupyterlab", *options], folder
    if make:
        for name in ("CONSTRAINTS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the `make test` that runs this
            environment.pop(name, None)
        given = [f"VENV={sys.prefix}", f"LAB_OPTIONS={shlex.join(options)}"]
        command, place = ["make", f"--old-file={sys.prefix}/.ready", "lab", *given], ROOT
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=place)
    watchdog = threading.Timer(limit, _kill_children)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield _address(server, folder)
    finally:
        watchdog.cancel()
        _end(server)


def _address(server: subprocess.Popen, folder: Path) -> str:
    """Wait until the server answers; its port stands in a file that it writes for this."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            with suppress(json.JSONDecodeError):  # half written
                return f"http://127.0.0.1:{json.loads(file.read_text())['port']}"
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start; it said: {(folder / 'server.log').read_text()[-2000:]}")


def _kill_children() -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _end(server: subprocess.Popen) -> None:
    """End a server and its kernels: politely, then by force."""
    if server.poll() is not None:
        return
    family = psutil.Process(server.pid).children(recursive=True)
    server.terminate()
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    for process in psutil.wait_procs(family, timeout=5)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Lesson:
    """One notebook open in JupyterLab.

    `page` is the browser's; what is asked of `jupyterapp`, JupyterLab's own object, is state that the page shows only
    where it is scrolled to.
    """

    page: Page

    def run_all(self) -> None:
        """Choose Run, Run All Cells and wait until every cell has run, or one has failed."""
        self.page.locator(".lm-MenuBar-itemLabel:text-is('Run')").click()
        self.page.locator(".lm-Menu-itemLabel:text-is('Run All Cells')").click()
        self.page.wait_for_function(
            """() => {
                const widget = jupyterapp.shell.currentWidget
                const cells = [...widget.content.model.cells].filter(c => c.type === 'code')
                const done = c => c.executionCount > 0 && c.executionState === 'idle'
                const failed = c => c.outputs.toJSON().some(o => o.output_type === 'error')
                return cells.some(failed) || cells.every(done)
            }""",
            timeout=SECONDS * 1000,
        )

    def cells(self) -> list[dict]:
        """Return the code cells as they stand: id, execution count and outputs."""
        return self.page.evaluate(
            """() => [...jupyterapp.shell.currentWidget.content.model.cells].filter(c => c.type === 'code')
                .map(c => ({id: c.id, count: c.executionCount, outputs: c.outputs.toJSON()}))"""
        )

    def find(self, text: str) -> int:
        """Return the number of the first cell whose source holds `text`."""
        sources = self.page.evaluate(
            "() => [...jupyterapp.shell.currentWidget.content.model.cells].map(c => c.sharedModel.source)"
        )
        return next(number for number, source in enumerate(sources) if text in source)

    def cell(self, number: int) -> Locator:
        """Make a cell the active one, scroll to it and return it."""
        self.page.evaluate(
            """async n => {
                const notebook = jupyterapp.shell.currentWidget.content
                notebook.activeCellIndex = n
                await notebook.scrollToItem(n, 'start')
            }""",
            number,
        )
        cell = self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{number}']")
        cell.wait_for()
        return cell

    def answer(self, number: int, source: str) -> Locator:
        """Type `source` into a cell in place of what it holds, run it, return what comes out."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.run(number)
        return self.cell(number).locator(".jp-OutputArea-output").first

    def run(self, number: int) -> None:
        """Press Shift+Enter in a cell and wait until it has run."""
        cell = self.cell(number)
        before = cell.locator(".jp-InputPrompt").inner_text()
        cell.locator(".cm-content").press("Shift+Enter")
        self.page.wait_for_function(
            """([n, before]) => {
                const prompt = jupyterapp.shell.currentWidget.content.widgets[n].promptNode?.textContent
                return prompt !== before && /\\d/.test(prompt)
            }""",
            arg=[number, before],
        )

    def picture(self, name: str) -> None:
        """Keep what the page shows in artefacts/."""
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")

    def close(self) -> None:
        """End the kernel and close the page."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()

    def theme(self, name: str) -> None:
        """Change JupyterLab's colours."""
        self.page.evaluate("name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        self.page.wait_for_function("n => document.body.dataset.jpThemeName === n", arg=name)


def open_notebook(browser: Browser, address: str, name: str, width: int = 1250, height: int = 1000) -> Lesson:
    """Open a notebook in a page of its own and wait until its kernel is idle."""
    page = browser.new_page(viewport=dict(width=width, height=height))
    page.set_default_timeout(60_000)
    page.goto(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
    ready(page)
    return Lesson(page)


def ready(page: Page) -> None:
    """Wait until a page shows a notebook and its kernel is idle."""
    page.wait_for_selector(".jp-Notebook")
    page.wait_for_function("() => jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")


def write_notebook(path: Path, cells: list[str]) -> None:
    """Write a notebook of code cells without outputs."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = dict(display_name="Python 3", language="python", name="python3")
    nbformat.write(notebook, path)


def copy_without_outputs(lesson: Path, folder: Path) -> None:
    """Copy a lesson as a learner has it who has run nothing."""
    notebook = nbformat.read(lesson, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / lesson.name)
