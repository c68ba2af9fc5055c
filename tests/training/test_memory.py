"""Memory computed from the model: what autograd really saves, what a step really holds, and the part that fits."""

import json

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from tests.tiny import Noise
from wwlib.base.device import Compute
from wwlib.experiments.shipped.costs import MEMORY
from wwlib.models.config import replace_config
from wwlib.training.memory import Need, choose_micro_batch, fit, memory_need, saved_for_backward
from wwlib.training.recipes import RECIPES, recipe
from wwlib.training.step import Training

# R1 at every step, so that each step is as large as the largest
CONFIG = replace_config(recipe("shapes3d-32"), r1_every=1)


def training(batch, dtype=None):
    return Training(replace_config(CONFIG, batch=batch), Noise(32), Compute(torch.device("cpu"), dtype))


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_what_is_computed_without_numbers_is_what_autograd_saves_with_them(dtype):
    need = memory_need(CONFIG, dtype)
    for batch in (8, 16):
        state = training(batch, dtype)
        own = {p.untyped_storage()._cdata for network in state.networks().values() for p in network.parameters()}
        saved = saved_for_backward(state, batch, own)
        # not closer: in a small batch the largest tensor, counted twice more, is a layer's weights and no map
        assert need.bytes(batch) - need.kept_bytes == pytest.approx(max(saved), rel=0.1)


@pytest.mark.parametrize("batch", [8, 24])
def test_a_step_holds_what_is_computed_and_hardly_less(batch, tmp_path):
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        state = training(batch)
        state.step()
        state.step()  # the moments exist from the second step on
    watched.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    totals = [event["args"]["Total Allocated"] for event in events if event.get("name") == "[memory]"]
    peak = max(totals) - min(totals)  # the profiler counts on from what an earlier one saw allocated
    assert 0.8 < peak / memory_need(CONFIG).bytes(batch) < 1


def test_the_largest_even_part_within_the_budget_is_chosen():
    need = Need(kept_bytes=100, passes=((0, 10), (50, 5)))
    assert [fit(need, 32, budget / 1e9) for budget in (420, 419, 220, 190)] == [32, 16, 12, 8]
    assert fit(Need(kept_bytes=0, passes=((0, 1),)), 32, 28e-9) == 16  # two equal parts, not 28 and 4
    with pytest.raises(ValueError, match=r"memory must be at least .* GB for 4 images of this model"):
        fit(need, 32, 100e-9)


def test_several_processes_need_a_copy_of_the_gradients():
    weights = sum(p.numel() for n, net in training(4).networks().items() if n != "average" for p in net.parameters())
    assert memory_need(CONFIG, processes=2).kept_bytes - memory_need(CONFIG).kept_bytes == 4 * weights


def test_a_budget_below_the_weights_names_what_is_needed():
    with pytest.raises(ValueError, match=r"memory must be at least 0\.03 GB"):
        choose_micro_batch(CONFIG, 8, 0.001)


def test_the_recorded_needs_are_those_of_todays_recipes():
    rows = json.loads(MEMORY.read_text())["rows"]
    assert {row["recipe"] for row in rows} == set(RECIPES)
    row = next(r for r in rows if (r["recipe"], r["precision"]) == ("shapes3d-32", "float32"))
    need = memory_need(recipe("shapes3d-32"))
    assert (row["kept"], [tuple(one) for one in row["passes"]]) == (need.kept_bytes, list(need.passes))
