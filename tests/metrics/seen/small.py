"""The measures of what is seen, so small that a test can afford them, with judges that are not trained."""

from functools import partial

from wwlib.metrics.seen import drawings
from wwlib.metrics.seen.judges import new_room_judge

SMALL = dict(
    traversal_scores=dict(bases=2),
    vp_score=dict(pairs=66, runs=1, steps=2),
    picture_quality=dict(pictures=60),
    trust=dict(n=20),
)


def make_small(monkeypatch):
    """Let `score_drawings` use few pictures and untrained judges."""
    for name, options in SMALL.items():
        monkeypatch.setattr(drawings, name, partial(getattr(drawings, name), **options))
    monkeypatch.setattr(drawings, "load_room_judge", new_room_judge)
