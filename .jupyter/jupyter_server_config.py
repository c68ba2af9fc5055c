"""Settings of the server that `make lab` starts, beside the user's own: it opens lesson 00, without graders' buttons.

nbgrader, which the tests need, adds a *Validate* button to JupyterLab. On an untouched lesson it says that all tests
pass, since nbgrader's tests are not in a learner's copy. Here neither its buttons nor its part of the server is loaded.
"""

from pathlib import Path

c = get_config()  # noqa: F821

c.ServerApp.root_dir = str(Path(__file__).parents[1] / "notebooks")
c.LabApp.default_url = "/lab/tree/00_start_here.ipynb"
c.ServerApp.jpserver_extensions = {
    f"nbgrader.server_extensions.{name}": False
    for name in ("assignment_list", "course_list", "formgrader", "validate_assignment")
}


def without_nbgrader(handler, page_config):
    """Return what JupyterLab's page is about to load, without nbgrader."""
    extensions = page_config["federated_extensions"]
    return {**page_config, "federated_extensions": [one for one in extensions if one["name"] != "@jupyter/nbgrader"]}


c.ServerApp.tornado_settings = {"page_config_hook": without_nbgrader}
