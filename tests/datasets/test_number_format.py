"""Pictures have torch's default number format, as networks do; what goes to a file has always the same."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import CPU, TINY
from wwlib.datasets import shapes3d
from wwlib.datasets.avatars import Avatars
from wwlib.datasets.domains import Domains
from wwlib.datasets.dsprites import DSprites
from wwlib.datasets.glyphs import Glyphs, Handwriting
from wwlib.datasets.pictures import ImageFolder
from wwlib.datasets.portraits import Portraits
from wwlib.datasets.shapes3d import SHAPES, Shapes3D, SmallRooms
from wwlib.datasets.styles.artists import Drawings
from wwlib.models.vaes import FAMILIES, VAEConfig
from wwlib.training.step import Training
from wwlib.training.vae import VAETraining

SETS = {
    "shapes3d": lambda: Shapes3D(32),
    "small rooms": SmallRooms,
    "dsprites": lambda: DSprites(32),
    "avatars": lambda: Avatars(32),
    "portraits": lambda: Portraits(32),
    "artists": Drawings,
    "glyphs": Glyphs,
    "handwriting": Handwriting,
    "domains": Domains,
}


@pytest.fixture
def doubles():
    """A function that makes float64 torch's default; afterwards it is float32 again."""
    yield lambda: torch.set_default_dtype(torch.float64)
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", SETS)
def test_every_set_draws_in_the_default_format_and_the_same_pictures(name, doubles):
    """The report: pytorch/vision#3393, data that do not follow `set_default_dtype`."""
    single = SETS[name]().sample_images(4, torch.Generator().manual_seed(0))
    doubles()
    double = SETS[name]().sample_images(4, torch.Generator().manual_seed(0))
    torch.set_default_dtype(torch.float32)
    again = SETS[name]().sample_images(4, torch.Generator().manual_seed(0))
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert torch.allclose(single.double(), double, atol=1e-4)
    assert torch.equal(single, again)


def test_a_folder_of_pictures_too(tmp_path, doubles):
    Image.fromarray(np.full((16, 16, 3), 51, np.uint8)).save(tmp_path / "a.png")
    doubles()
    assert ImageFolder(tmp_path, 16).sample_images(1).dtype == torch.float64


@pytest.mark.parametrize("shape", SHAPES)
def test_rooms_are_rendered_to_the_same_bits_whatever_the_default_is(shape, doubles):
    """They go to a cache: written as float64 once, it made every later session fail."""
    expected = shapes3d._render(16, 1, shape, 1.0, 10.0)
    doubles()
    rendered = shapes3d._render(16, 1, shape, 1.0, 10.0)
    assert rendered.dtype == torch.float32
    assert torch.equal(rendered, expected)


def test_trainings_run_in_the_default_format(doubles):
    doubles()
    losses = Training(TINY, SmallRooms(), CPU).step()
    assert {loss.dtype for loss in losses.values()} == {torch.float64}
    for family in FAMILIES:
        config = VAEConfig(family, 4.0, codes=2, features=8, critic_width=8, batch=4)
        assert VAETraining(config, Avatars(32), CPU).step()["kl"].dtype == torch.float64
