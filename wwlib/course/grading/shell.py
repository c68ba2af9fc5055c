"""The shell in which a submission's cells run: IPython as a notebook has it, without terminal, network or workers."""

from __future__ import annotations

import base64
import functools
import re
import subprocess

from wwlib.course.grading import wire

TEXT = 100_000  # characters kept of what one cell prints
PICTURE = 2_000_000  # bytes of base64 kept of one picture
INSTALLERS = re.compile(r"\b(pip[\d.]*|conda|(?:micro)?mamba|uv|apt|apt-get)\b.*\b(install|add|sync)\b")
NOTHING_INSTALLED = "nothing was installed: the grader has no network"


def make_shell():
    """Return an IPython shell without history, threads or colours."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib_inline.backend_inline import configure_inline_support
    from traitlets.config import Config

    quiet = Config()
    quiet.HistoryManager.enabled = False
    quiet.InteractiveShell.colors = "NoColor" if "NoColor" in str(InteractiveShell.colors.info()) else "nocolor"
    shell = InteractiveShell.instance(config=quiet)
    shell.InteractiveTB.set_mode("Minimal")
    shell.system = functools.partial(_run_program, shell)
    for name in ("pip", "conda", "mamba", "micromamba", "uv"):
        shell.register_magic_function(lambda line, name=name: _run_program(shell, f"{name} {line}"), magic_name=name)
    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")  # figures become PNG
    return shell


def _run_program(shell, command: str) -> None:
    """Run a line such as `!ls` or `%pip`: as in a notebook its failure does not stop the cell.

    IPython's own way needs a terminal, which no submission has.
    """
    command = shell.var_expand(command, depth=1)
    if INSTALLERS.search(command):
        print(NOTHING_INSTALLED)
        shell.user_ns["_exit_code"] = 1
        return
    done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)  # fmt: skip
    print(done.stdout, end="")
    shell.user_ns["_exit_code"] = done.returncode


def without_sockets_or_compiler() -> None:
    """Let torch do without what no submission has, in this process and its forks.

    `torch.compile` gives the function back as it is written. Tensors go from process to process by value: torch's own
    way is a descriptor sent over a socket, and a `DataLoader` with workers would wait for it for ever.
    """
    from multiprocessing.reduction import ForkingPickler

    import torch.multiprocessing

    def as_written(model=None, **options):
        return (lambda function: function) if model is None else model

    torch.compile = as_written
    torch.nn.Module.compile = lambda module, *arguments, **options: None
    for kind in [kind for kind in ForkingPickler._extra_reducers if kind.__module__.startswith("torch")]:
        del ForkingPickler._extra_reducers[kind]


def run_cell(shell, source: str) -> list[dict]:
    """Run one cell and return its outputs: text cut to size, pictures as PNG, an error as a short traceback."""
    from IPython.utils.capture import capture_output
    from matplotlib_inline.backend_inline import flush_figures
    from nbformat.v4 import new_output

    with capture_output() as captured:
        result = shell.run_cell(source, store_history=True)
        try:
            flush_figures()
        except Exception:
            print("a figure could not be drawn")
    outputs = []
    text = captured.stdout + captured.stderr
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        text = text[: max(0, text.rfind("Traceback"))] if "Traceback" in text else text
    if text:
        cut = f"\n… {len(text) - TEXT} more characters" if len(text) > TEXT else ""
        outputs.append(new_output("stream", name="stdout", text=wire.clean(text[:TEXT]) + cut))
    for shown in captured.outputs[:20]:
        picture = shown.data.get("image/png", "")
        if isinstance(picture, bytes):
            picture = base64.b64encode(picture).decode()
        data = {"text/plain": wire.clean(shown.data.get("text/plain", ""))[:TEXT]}
        if 0 < len(picture) <= PICTURE:
            data["image/png"] = picture.replace("\n", "")
        outputs.append(new_output("display_data", data=data))
    if error is not None:
        message = wire.clean(re.sub(r"\x1b\[[0-9;]*m", "", str(error))[:2000])
        outputs.append(new_output("error", ename=type(error).__name__, evalue=message, traceback=[]))
    return outputs
