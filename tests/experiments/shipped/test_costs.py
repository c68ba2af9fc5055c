"""Costs: operations counted by hand, the formula on made-up numbers, and a record that is true of the code."""

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wwlib.experiments.shipped.cost_tables import CARDS, cost_table, estimate_seconds, gpu_table
from wwlib.experiments.shipped.costs import COSTS, Counter, measure_steps
from wwlib.models.config import replace_config
from wwlib.models.networks import Generator
from wwlib.training.recipes import RECIPES, recipe


def test_a_forward_pass_costs_what_is_worked_out_by_hand():
    """Two FLOP a product: 3 x 3 kernels at their side, up-sampling as 4 x 4 kernels on the smaller side."""
    generator = Generator(("Const-8", "ResConv-up-1", "C_spgroup-2-3", "Noise-1"), {8: 4})
    with FlopCounterMode(display=False) as theirs, Counter() as ours, torch.no_grad():
        generator(torch.zeros(2, 3))
    assert ours.flop == theirs.get_total_flops()
    up, skip, keep, image = 8 * 4 * 16 * 4 * 4, 8 * 4 * 4 * 4, 4 * 4 * 9 * 8 * 8, 4 * 3 * 8 * 8
    masks = 4 * (3 * 2 * 4 * 8)
    products = ours.flop / 2 / 2
    blending = products - (up + skip + keep + image + masks)
    assert 0 <= blending < 0.2 * products, "what remains are the small products of rectangles and styles"


def test_the_record_counts_what_a_step_does_today():
    config = recipe("shapes3d-32")
    known = json.loads(COSTS.read_text())["recipes"]["shapes3d-32"]
    found = measure_steps(config, 0)
    assert found["flop"] == pytest.approx(known["flop"], rel=0.01), "run `python -m wwlib remake costs`"
    assert found["operations"] == pytest.approx(known["operations"], rel=0.2)
    doubled = measure_steps(replace_config(config, batch=2 * config.batch), 0)
    assert doubled["flop"] == pytest.approx(2 * found["flop"], rel=0.05)
    assert doubled["operations"] == pytest.approx(found["operations"], rel=0.05)


def test_an_estimate_is_the_slower_of_arithmetic_and_starting():
    found = dict(
        flop=1e9, seconds=0.1, flop_per_second=2e10, operations=1_000, start_seconds=1e-6, batch=8, measured_batch=8
    )
    assert estimate_seconds(found, 1e11) == pytest.approx(1e9 / (1e11 * 0.5)), "half of the peak, as here"
    assert estimate_seconds({**found, "batch": 16}, 1e11) == pytest.approx(2e9 / (1e11 * 0.5))
    assert estimate_seconds(found, 1e15) == pytest.approx(1e-3), "a thousand operations at a microsecond each"


def test_every_recipe_has_its_row_and_every_gpu_is_called_an_estimate():
    costs, gpus = cost_table().markdown(), gpu_table().markdown()
    for name in RECIPES:
        assert f"| {name} |" in costs
        assert f"| {name} |" in gpus
    for card in CARDS:
        assert f"{card}, estimate" in gpus
