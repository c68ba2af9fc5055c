"""Examining a model of pictures: what an error is compared with, and a record that belongs to the shipped model."""

import json

import pytest
import torch

from wwlib.datasets.avatars import Avatars
from wwlib.experiments.examination.runs import projection_errors, transfer_errors, unseen
from wwlib.experiments.examination.tables import NAMES, codes_table, load_examination, projection_table, transfer_table
from wwlib.models.editing import share_explained
from wwlib.models.shipped import shipped_names, shipped_record


def test_share_explained_is_one_for_a_copy_and_zero_for_the_mean_picture(generator):
    wanted = torch.randn(9, 3, 4, 4, generator=generator)
    assert share_explained(wanted, wanted) == 1
    assert share_explained(wanted.mean(dim=0, keepdim=True).expand_as(wanted), wanted) == pytest.approx(0, abs=1e-6)


def test_share_explained_is_r_squared(generator):
    """scikit-learn's R² with every pixel an output, weighted by its variance, is the same number."""
    from sklearn.metrics import r2_score

    wanted = torch.randn(30, 3, 4, 4, generator=generator)
    drawn = 0.8 * wanted + 0.3 * torch.randn(wanted.shape, generator=generator)
    slow = r2_score(wanted.flatten(1).numpy(), drawn.flatten(1).numpy(), multioutput="variance_weighted")
    assert share_explained(drawn, wanted) == pytest.approx(slow, abs=1e-5)


class Oracle:
    """A perfect model of the avatars: Q reads the factors, G draws them; each factor has a code of its own."""

    codes = len(Avatars.factor_sizes)

    def __init__(self):
        self.data = Avatars(16)
        every = self.data.sample_factors(4_000, torch.Generator().manual_seed(0))
        self._factors, self._images = every, self.data.images(every).flatten(1)
        self.generator, self.recogniser = self, self.read

    def sample_noise(self, batch, generator=None, device=None):
        return []

    def __call__(self, codes, noise=None):
        return self.data.images(codes.round().long()) + 0 * codes.sum()

    def read(self, images):
        return self._factors[torch.cdist(images.flatten(1), self._images).argmin(dim=1)].float()


def test_a_model_with_one_code_for_each_factor_transfers_it_without_error(monkeypatch):
    model = Oracle()
    monkeypatch.setattr(
        "wwlib.experiments.examination.runs.unseen", lambda data, n, seed=0: model._factors[seed % 7 : seed % 7 + n]
    )
    rows = transfer_errors(model, model.data, 8, torch.eye(7).mul(10).int().tolist())
    assert [row["code"] for row in rows] == list(range(7))
    for row in rows:
        assert row["transfer"] == 0
        assert row["none"] > 0.05


def test_a_search_is_compared_with_answers_that_need_no_model(monkeypatch):
    model = Oracle()
    monkeypatch.setattr(
        "wwlib.experiments.examination.runs.project", lambda g, q, images, steps, starts: (q(images), [])
    )
    errors = projection_errors(model, model.data, lambda a, b: (a - b).square().mean(dim=(1, 2, 3)), 6, 1, 1)["errors"]
    assert errors["mean picture"]["explained"] == pytest.approx(0, abs=1e-3)
    assert errors["mean picture"]["squared"] > errors["search"]["squared"]
    assert errors["search"] == errors["recogniser's guess"]


def test_unseen_pictures_are_drawn_with_a_seed_of_their_own():
    data = Avatars(16)
    assert torch.equal(unseen(data, 5), unseen(data, 5))
    assert not torch.equal(unseen(data, 5), data.sample_factors(5, torch.Generator().manual_seed(1)))


def test_the_record_belongs_to_the_shipped_model_and_has_a_name_for_every_code():
    record, names = load_examination(), json.loads(NAMES.read_text(encoding="utf-8"))
    assert record["model"] in shipped_names()
    shipped = shipped_record(record["model"])
    assert len(record["tpl"]["lengths"]) == len(names["codes"]) == len(shipped["scores"]["votes"][0])
    votes = shipped["scores"]["votes"]
    assert [row["code"] for row in record["transfer"]] == [max(range(len(v)), key=v.__getitem__) for v in votes]
    assert sum(1 for length in record["tpl"]["lengths"] if length >= 0.1) == record["tpl"]["active_codes"]
    assert len(codes_table(record).rows) == len(names["codes"])
    assert len(projection_table(record).rows) == 4
    assert len(transfer_table(record).rows) == len(votes)
