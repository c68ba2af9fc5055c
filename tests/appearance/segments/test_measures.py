"""Measures of segments on segmentations that are made by hand."""

from __future__ import annotations

import pytest
import torch

from wwlib.appearance.discovery import DiscoveryModel, Schedule
from wwlib.appearance.segments.measures import (
    colour_clusters,
    counts,
    fit_mapping,
    foreground_slots,
    mean_iou,
    mean_places,
    named_by_oracle,
    named_by_place,
    part_ious,
    repainting,
    static_map,
    tuned_static_map,
)
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import render, sample_appearance


def drawing(n: int = 12, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    return render(sample_pose(n, g), sample_appearance(n, g))


def test_pixels_are_counted_by_slot_and_part():
    slots, parts = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 3, 3, 6])
    table = counts(slots, parts, 3)
    assert table.shape == (3, 7)
    assert table.sum() == 4
    assert (table[0, 0], table[1, 3], table[2, 6]) == (1, 2, 1)


def test_renamed_parts_are_mapped_back_and_overlap_fully():
    parts = drawing().parts
    names = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    slots = names[parts]
    mapping = fit_mapping(slots, parts, 7)
    assert torch.equal(mapping[names], torch.arange(7))
    assert mean_iou(mapping[slots], parts) == 1


def test_two_slots_on_one_part_count_as_the_part_and_an_unused_slot_is_background():
    parts = drawing().parts
    slots = parts.clone()
    slots[:, ::2][slots[:, ::2] == 2] = 7  # every second row of the torso
    mapping = fit_mapping(slots, parts, 9)
    assert mapping.tolist() == [0, 1, 2, 3, 4, 5, 6, 2, 0]
    assert mean_iou(mapping[slots], parts) == 1


def test_the_overlap_of_a_part_that_is_half_missed_and_of_one_that_spills():
    parts = torch.zeros(1, 4, 4, dtype=torch.long)
    parts[0, 0], parts[0, 3] = 1, 2
    named = parts.clone()
    named[0, 0, :2], named[0, 2] = 0, 2
    ious = part_ious(named, parts)
    assert ious[:2] == [0.5, 0.5]
    assert ious[2:] == [0, 0, 0, 0]  # in no picture: no overlap
    assert mean_iou(named, parts) == pytest.approx(1 / 6)


def test_everything_called_background_overlaps_with_no_part():
    parts = drawing().parts
    assert mean_iou(torch.zeros_like(parts), parts) == 0


def test_only_slots_on_the_foreground_that_are_large_enough_count():
    slots = torch.zeros(1, 40, 40, dtype=torch.long)
    slots[0, 0, :9], slots[0, 1, :7], slots[0, 2:20] = 1, 2, 3  # 9, 7 and 720 of 1600 pixels; half a percent are 8
    assert foreground_slots(slots, torch.tensor([0, 4, 5, 0])) == [1]


class Stripes:
    """Its two slots are the upper and the lower half; it paints each in its mean colour, and spills by some rows."""

    def __init__(self, spilled: int):
        self.spilled = spilled

    def masks(self, images):
        masks = torch.zeros(len(images), 2, *images.shape[2:])
        masks[:, 0, :4], masks[:, 1, 4:] = 1, 1
        return masks

    def transfer(self, x, onto, slots=None):
        drawn = onto.clone()
        if slots == [0]:
            drawn[:, :, : 4 + self.spilled] = x[:, :, : 4 + self.spilled]
        return drawn


@pytest.mark.parametrize(("spilled", "inside", "near"), [(0, 1.0, 1.0), (1, 0.8, 1.0), (2, 4 / 6, 5 / 6)])
def test_a_slot_that_spills_changes_pixels_outside_it(spilled, inside, near):
    """The true part is the upper three rows, one less than the slot."""
    images, others = torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8)
    parts = torch.zeros(2, 8, 8, dtype=torch.long)
    parts[:, :3] = 5
    scores = repainting(Stripes(spilled), images, others, parts, {0: 5})[0]
    assert scores.inside == pytest.approx(inside)
    assert scores.near == pytest.approx(near)
    assert scores.inside_part == pytest.approx(3 / (4 + spilled))
    assert scores.near_part == pytest.approx(4 / (4 + spilled))


def test_one_map_names_every_pixel_by_the_mean_picture():
    footprint = torch.zeros(2, 7, 1, 2)
    footprint[:, 0, 0, 0], footprint[:, 2, 0, 0] = 0.6, 0.4
    footprint[:, 0, 0, 1], footprint[0, 1, 0, 1], footprint[1, 2, 0, 1] = 0.2, 0.8, 0.8
    footprint[0, 1, 0, 1] = 0.7
    assert static_map(footprint).tolist() == [[0, 2]]
    assert static_map(footprint, 0.3).tolist() == [[2, 2]]
    assert static_map(footprint, 0.5).tolist() == [[0, 2]]


def test_a_tuned_map_overlaps_more_than_the_largest_share():
    made = drawing(200)
    overlap = lambda named: mean_iou(named.expand_as(made.parts), made.parts)  # noqa: E731
    assert overlap(tuned_static_map(made.footprint, made.parts)) > overlap(static_map(made.footprint)) + 0.1


def test_clusters_of_a_picture_in_two_colours_are_its_halves():
    image = torch.zeros(3, 8, 8)
    image[0, :, :4], image[2, :, 4:] = 1, 1
    labels = colour_clusters(image, 0.0, 2)
    assert len(labels[:, :4].unique()) == len(labels[:, 4:].unique()) == 1
    assert labels[0, 0] != labels[0, 7]


def test_coordinates_alone_cut_a_picture_of_one_colour_into_regions():
    labels = colour_clusters(torch.zeros(3, 8, 8), 1.0, 4)
    assert sorted(labels.flatten().bincount().tolist()) == [16, 16, 16, 16]


def test_the_mean_place_of_labels():
    labels = torch.zeros(1, 2, 2, dtype=torch.long)
    labels[0, 1] = 2  # the lower two of four pixels, whose centres are half a unit from the middle
    places = mean_places(labels, 3)
    assert places[0].tolist() == [0, -0.5]
    assert places[1].tolist() == [torch.inf, torch.inf]
    assert places[2].tolist() == [0, 0.5]


def test_clusters_get_the_name_of_the_nearest_part_or_of_the_answer():
    made = drawing(1)
    image, parts = made.images[0], made.parts[0]
    turned = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    assert torch.equal(named_by_place(turned[parts], 8, mean_places(made.parts, 7)), parts)
    assert torch.equal(named_by_oracle(turned[parts], parts, 7), parts)
    labels = colour_clusters(image, 0.0, 8)
    assert mean_iou(named_by_oracle(labels, parts, 8), parts) > 0.4  # its colours are plain


def test_an_untrained_model_changes_nothing_further_than_a_pixel_from_the_slot_but_misses_the_part():
    """So a share of 1 within a pixel of the slot says nothing about what was learned."""
    model, g = DiscoveryModel(Schedule(background=False)).eval(), torch.Generator().manual_seed(0)
    made = render(sample_pose(40, g), sample_appearance(40, g))
    slots = model.masks(made.images).sum(dim=(0, 2, 3)).topk(2).indices.tolist()
    for scores in repainting(model, made.images, made.images.flip(0), made.parts, dict.fromkeys(slots, 2)).values():
        assert scores.near > 0.9999
        assert scores.near_part < 0.5


def test_pictures_whose_partner_lacks_the_slot_do_not_count():
    """There is no look to give: what such a picture changes to says nothing about the slot."""
    parts = torch.zeros(2, 8, 8, dtype=torch.long)
    parts[:, 2:4, 2:4] = 1

    class Painter:
        def masks(self, images):
            masks = torch.nn.functional.one_hot(parts, 2).movedim(3, 1).float()
            return masks * torch.tensor([1.0, images[1].amax()]).view(2, 1, 1, 1)  # empty where a picture is black

        def transfer(self, x, onto, slots=None):
            if slots is None:
                return torch.zeros(len(x), 3, 8, 8)
            spilt = torch.ones(len(x), 3, 8, 8)
            spilt[x.amax(dim=(1, 2, 3)) > 0] = parts[:1, None].float()
            return spilt

    others = torch.ones(2, 3, 8, 8)
    others[1] = 0
    assert repainting(Painter(), torch.ones(2, 3, 8, 8), others, parts, {1: 1})[1].inside == 1
