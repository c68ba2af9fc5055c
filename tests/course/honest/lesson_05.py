"""Right answers to the exercises of lesson 05."""

import collections
import math
import re

import numpy as np
import torch


def decay_as_a_power(batch, half_life):
    return 0.5 ** (batch / half_life)


def decay_by_exp(batch, half_life):
    return math.exp(-math.log(2) * batch / half_life)


def decay_as_a_root(batch, half_life):
    steps = half_life / batch
    return 0.5 ** (1 / steps)


def decay_by_exp2(batch, half_life):
    return float(np.exp2(-batch / half_life))


def decay_as_a_tensor(batch, half_life):
    return torch.pow(torch.tensor(0.5, dtype=torch.float64), batch / half_life)


def decay_by_two(batch, half_life):
    return pow(2, -batch / half_life)


def decay_by_search(batch, half_life):
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if middle ** (half_life / batch) < 0.5 else (low, middle)
    return low


def codes_in_a_loop(modules):
    side, found = 4, {}
    for token in modules:
        if token.startswith("ResConv-up"):
            side *= 2
        elif token.startswith("C_"):
            found[side] = found.get(side, 0) + int(token.split("-")[-1])
    return found


def codes_in_a_counter(modules):
    side, counter = 4, collections.Counter()
    for token in modules:
        kind, *rest = token.split("-")
        if kind == "ResConv" and rest[0] == "up":
            side = side * 2
        if kind in ("C_spgroup", "C_global"):
            counter[side] += int(rest[-1])
    return counter


def codes_in_a_defaultdict(modules):
    result = collections.defaultdict(int)
    ups = 0
    for m in modules:
        ups += m.startswith("ResConv-up")
        if m[:2] == "C_":
            result[2 ** (2 + ups)] += int(m.rsplit("-", 1)[1])
    return dict(result)


def codes_by_pattern(modules):
    side, found = 4, {}
    for token in modules:
        if re.match(r"ResConv-up-\d+$", token):
            side <<= 1
        match = re.match(r"C_(?:spgroup-\d+|global)-(\d+)$", token)
        if match:
            found.setdefault(side, 0)
            found[side] += int(match.group(1))
    return found


def codes_by_comprehension(modules):
    sides = [4 * 2 ** sum(m.startswith("ResConv-up") for m in modules[: i + 1]) for i in range(len(modules))]
    with_codes = [(s, int(m.split("-")[-1])) for s, m in zip(sides, modules) if m.startswith("C_")]
    return {s: sum(n for t, n in with_codes if t == s) for s, _ in with_codes}


def _count(token):
    return int(token.rpartition("-")[2]) if token.startswith(("C_spgroup", "C_global")) else 0


def codes_with_a_helper(modules):
    found, side = {}, 4
    for token in modules:
        side = side * 2 if token.split("-")[:2] == ["ResConv", "up"] else side
        if _count(token) > 0:
            found[side] = _count(token) + (found[side] if side in found else 0)
    return found


def codes_by_recursion(modules, side=4):
    if len(modules) == 0:
        return {}
    first, rest = modules[0], modules[1:]
    side = 2 * side if first.startswith("ResConv-up") else side
    found = codes_by_recursion(rest, side)
    if first.startswith("C_"):
        found[side] = found.get(side, 0) + int(first.split("-")[-1])
    return found


def modules_all_at_8():
    return ("Const-128", "ResConv-up-1", "C_spgroup-4-5", "C_spgroup-4-5", "ResConv-up-1", "ResConv-up-1")


def modules_all_at_32():
    return ["Const-128", "ResConv-up-1", "ResConv-up-1", "ResConv-up-1", "C_spgroup-4-6", "ResConv-id-1"]


def modules_one_rectangle():
    ups = [f"ResConv-up-1 C_spgroup-1-{n}".split() for n in (2, 3, 3)]
    return ["Const-64", *(token for pair in ups for token in pair)]


def modules_in_words():
    return "Const-128 C_spgroup-4-2 ResConv-up-1 C_spgroup-4-2 ResConv-up-1 C_spgroup-4-2 ResConv-up-1".split()


def modules_with_a_global_code():
    modules = ["Const-128"]
    modules.append("C_global-2")
    for _ in range(3):
        modules += ["ResConv-up-1", "C_spgroup-6-3"]
    return tuple(modules)


def modules_with_longer_blocks():
    return ("Const-128", "ResConv-up-2", "C_spgroup-4-4", "ResConv-id-1", "ResConv-up-1", "C_spgroup-4-4",
            "ResConv-up-1")  # fmt: skip


RIGHT = {
    "05.1": (decay_as_a_power, decay_by_exp, decay_as_a_root, decay_by_exp2, decay_as_a_tensor, decay_by_two,
             decay_by_search),
    "05.2": (codes_in_a_loop, codes_in_a_counter, codes_in_a_defaultdict, codes_by_pattern, codes_by_comprehension,
             codes_with_a_helper, codes_by_recursion),
    "05.3": (modules_all_at_8, modules_all_at_32, modules_one_rectangle, modules_in_words, modules_with_a_global_code,
             modules_with_longer_blocks),
}  # fmt: skip
