"""Drawing weights from a seed leaves every random state of torch alone, on the CPU and on GPUs."""

import pytest
import torch

from tests.tiny import TINY
from wwlib.base.seeds import drawn_from
from wwlib.flows.caption_encoder import CaptionEncoder
from wwlib.flows.experts import LayoutNetwork
from wwlib.flows.flow import Flow
from wwlib.models.autoencoder import Autoencoder
from wwlib.models.config import build_networks
from wwlib.models.judges import new_judge


def test_a_seed_gives_the_numbers_that_manual_seed_gives():
    with drawn_from(3):
        drawn = torch.rand(4)
    assert torch.equal(drawn, torch.rand(4, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize(
    "make",
    [lambda: build_networks(TINY), lambda: Flow(4), lambda: new_judge((3,), 0), Autoencoder, LayoutNetwork,
     CaptionEncoder],
)  # fmt: skip
def test_new_networks_leave_the_random_state_of_cpu_and_gpus_alone(make, monkeypatch):
    """The report: lhotse-speech/lhotse#1575, `torch.manual_seed` for the CPU's sake reseeds every GPU as well."""
    reseeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", reseeded.append)
    monkeypatch.setattr(torch.mps, "manual_seed", reseeded.append)
    before = torch.get_rng_state()
    make()
    assert torch.equal(torch.get_rng_state(), before)
    assert not reseeded
