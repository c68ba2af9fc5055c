"""Stand in for Google Drive: a folder that outlives the session."""

from pathlib import Path


def mount(mountpoint, force_remount=False):
    """Make the folder that the real call would show."""
    (Path(mountpoint) / "MyDrive").mkdir(parents=True, exist_ok=True)
    print(f"Mounted at {mountpoint}")
