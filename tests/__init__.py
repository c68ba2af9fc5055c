"""Tests mirror `wwlib/`; a package of its own, since installed ones (torch-fidelity) bring a top-level `tests` too."""
