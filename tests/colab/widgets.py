"""Execute one small notebook with every kind of widget of the course, again and again, in two kinds of kernel.

`python widgets.py CONTENT` prints one JSON line a run. Each kernel is used for several runs, each with a client
of its own: hangs come from the client's side, and importing torch twenty times would take most of the time.
"""

import json
import sys
from pathlib import Path

import nbformat
from jupyter_client import KernelManager
from nbclient import NotebookClient

from wwlib.base.paths import NOTEBOOKS
from wwlib.course.lessons.notebooks import setup_cell

RUNS = 10  # of each kind
CELLS = (
    setup_cell(),
    """import ipywidgets, torch
from tqdm.auto import tqdm
from wwlib.lesson import check, quiz
from wwlib.models.explorer import explore, explorer_widget
from wwlib.models.networks import Generator

torch.set_num_threads(1)
generator = Generator(("Const-8", "C_spgroup-1-1", "ResConv-up-1", "C_spgroup-1-1"), {8: 8}).eval()
base = torch.zeros(2)""",
    "explore(generator, base, side=16)",
    """widget = explorer_widget(generator, base, side=16)
(first, second, _), picture, seen = widget.children[0].children, widget.children[1].children[-1], []
seen.append(picture.value)
first.value = -2
seen.append(picture.value)
second.value = 1
seen.append(picture.value)
print("the picture follows the slider:", len(set(seen)) == 3)
widget""",
    "for _ in tqdm(range(3), mininterval=0.5): pass",
    'check("00.1", lambda frames: frames)',
    'quiz("00.a", "b")',
    "print(ipywidgets.__version__)",
)


def run(manager: KernelManager, kernel: str, cwd: Path) -> dict:
    """Execute the notebook once with a new client; return what it showed."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(notebook, km=manager, timeout=300, resources={"metadata": {"path": str(cwd)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    texts = [output.text.strip() for output in outputs if output.get("name") == "stdout"]
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    return dict(
        kernel=kernel,
        ipywidgets=texts[-1],
        printed=texts[-2].splitlines()[-1],
        models=sorted({model["model_name"] for model in state.values()}),
        kinds=sorted({kind for output in outputs for kind in output.get("data", {})}),
    )


def main(content: Path) -> None:
    """Start every kernel, then run them in turn; `content` is where Colab's start."""
    places = {"python3": NOTEBOOKS, "colab": content}
    kernels = [(name, KernelManager(kernel_name=name)) for name in places]
    for name, manager in kernels:
        manager.start_kernel(cwd=str(places[name]))
    try:
        for _ in range(RUNS):
            for name, manager in kernels:
                print(json.dumps(run(manager, name, places[name])), flush=True)
    finally:
        for _, manager in kernels:
            manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
