"""The three profiles of a lesson, and which one is in force."""

from __future__ import annotations

import os

PROFILES = {
    "quick": "60 s a lesson on two CPU cores: loads shipped models, trains a few hundred real steps",
    "full": "trains from nothing to the quality of the shipped model",
    "paper": "as full, but lesson 05 trains the author's 64 px networks for 15 million images: days on a GPU",
}


def choose_profile(profile: str) -> str:
    """Return the profile in force: `WW_PROFILE` if set (nbval cannot pass parameters), else `profile`.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.
    """
    chosen = os.environ.get("WW_PROFILE") or profile
    if chosen not in PROFILES:
        known = "; ".join(f"'{name}' ({meaning})" for name, meaning in PROFILES.items())
        raise ValueError(f"profile must be one of {known}; got {chosen!r}")
    return chosen
