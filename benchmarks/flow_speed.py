"""Speed of our flow against FrEIA's with the same layers and weights, whose log-densities must agree.

FrEIA is no dependency: `pip install --no-deps --target peers FrEIA==0.2`, then `PYTHONPATH=peers make bench`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.measuring import ABSENT, Row
from wwlib.flows.flow import Flow, conditioner, log_density

DIM, BLOCKS, HIDDEN, BATCH = 32, 8, 128, 256


def peer():
    """Return FrEIA's framework and modules, or None where it is not installed."""
    try:
        import FrEIA.framework
        import FrEIA.modules
    except ImportError as error:
        print(f"FrEIA: {ABSENT} ({error})")
        return None
    return FrEIA.framework, FrEIA.modules


def peer_flow(framework, modules, flow: Flow, hidden: int = HIDDEN) -> nn.Module:
    """Return FrEIA's network with our flow's weights; its vectors have their halves exchanged.

    FrEIA's coupling changes the first half of a vector first, ours the second.
    """
    d = flow.dim
    swap = torch.arange(d).roll(d // 2)
    network = framework.SequenceINN(d)
    for norm, coupling, permutation in zip(flow.norms, flow.couplings, flow.permutations, strict=True):
        _append_norm(network, modules, norm, swap)
        make = lambda inputs, outputs: conditioner(inputs, outputs, hidden)  # noqa: E731
        network.append(modules.GLOWCouplingBlock, subnet_constructor=make, clamp=1.0, clamp_activation="TANH")
        block = network[-1]
        block.subnet2.load_state_dict(coupling.first.state_dict())
        block.subnet1.load_state_dict(coupling.second.state_dict())
        network.append(modules.PermuteRandom, seed=0)
        order = swap[permutation.order[swap]]
        network[-1].perm.data, network[-1].perm_inv.data = order, order.argsort()
    _append_norm(network, modules, flow.last, swap)
    return network


def _append_norm(network, modules, norm, swap: Tensor) -> None:
    network.append(modules.ActNorm)
    layer = network[-1]
    layer.scale.data.view(-1)[:] = norm.log_scale.detach()[swap]
    layer.bias.data.view(-1)[:] = (norm.log_scale.exp() * norm.shift).detach()[swap]
    layer.init_on_next_batch = False


def ready_flow(dim: int = DIM, blocks: int = BLOCKS, hidden: int = HIDDEN, seed: int = 0) -> Flow:
    """Return a flow with every weight changed from its start, so that equal results mean equal layers."""
    random = torch.Generator().manual_seed(seed)
    flow = Flow(dim, blocks=blocks, hidden=hidden, seed=seed).initialise(torch.randn(BATCH, dim, generator=random))
    with torch.no_grad():
        for weight in flow.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=random))
    return flow


def flows(interleaved: Callable) -> list[Row]:
    """Time forward and inverse of our flow and of FrEIA's in turn, and compare their log-densities."""
    what = f"Flow, {DIM} dimensions, {BLOCKS} blocks, batch {BATCH}: forward with log-determinant, and inverse"
    freia = peer()
    if freia is None:
        return [(what, "≥ 1×", f"FrEIA {ABSENT}")]
    ours = ready_flow()
    freia_flow = peer_flow(*freia, ours)
    z = torch.randn(BATCH, DIM, generator=torch.Generator().manual_seed(1))
    swapped = z.roll(DIM // 2, dims=1)
    with torch.no_grad():
        difference = (log_density(*ours(z)) - log_density(*freia_flow(swapped))).abs().max().item()
        seconds = interleaved(
            {
                "ours": lambda: ours(z),
                "FrEIA": lambda: freia_flow(swapped),
                "back": lambda: ours.inverse(z),
                "FrEIA back": lambda: freia_flow(swapped, rev=True),
            },
            40,
        )
    if difference > 1e-3:
        raise ArithmeticError(f"the log-densities of the two flows must agree, they differ by {difference:.0e}")
    there, back = seconds["FrEIA"] / seconds["ours"], seconds["FrEIA back"] / seconds["back"]
    measured = f"{there:.2f}× forward, {back:.2f}× back, against FrEIA 0.2"
    details = f"{BATCH / seconds['ours']:,.0f} vectors/s; log-densities differ by {difference:.0e}"
    print(what, measured, details, flush=True)
    return [(what, "≥ 1×", f"{measured} ({details})")]
