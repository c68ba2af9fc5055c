"""Speed of the scores and of training autoencoders, against plain ports and, where installed, disent and pythae.

The peers are no dependency: `pip install --no-deps --target peers disent==0.8.0 pythae==0.1.2` and what they ask for,
then `PYTHONPATH=peers make bench`. Without them their columns say so.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import dsprites_table, plain
from benchmarks.replay import beta_vae_replay, factor_vae_replay
from wwlib.base.device import choose_compute
from wwlib.base.paths import ROOT
from wwlib.datasets.factors import FactorData
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import render, sample_appearance
from wwlib.metrics.beta_vae import beta_vae_score
from wwlib.metrics.dci import dci_score
from wwlib.metrics.factor_vae import factor_vae_score
from wwlib.metrics.information import mig_score, modularity_score
from wwlib.metrics.lengths import tpl
from wwlib.metrics.perceptual import PerceptualDistance, reference_module
from wwlib.metrics.separability import sap_score
from wwlib.models.shipped import load_model
from wwlib.models.vaes import VAEConfig
from wwlib.training.vae import VAETraining

ABSENT = "not installed"
Row = tuple[str, str, str]


def seconds(job: Callable[[], object], repeats: int = 2) -> float:
    """Return the seconds of the fastest of a few runs; other causes of variation are small on one thread."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def fixed_points() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return (codes, factors) of the 10,000 training and of the 5,000 test points of the reference numbers."""
    with np.load(ROOT / "tests" / "reference" / "fixed_points.npz") as points:
        return (points["z_train"], points["f_train"]), (points["z_test"], points["f_test"])


def peers() -> dict:
    """Return the classes and functions needed of disent and pythae by library; a library not installed is left out."""
    installed = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from disent.frameworks.vae import BetaVae
            from disent.metrics import metric_factor_vae
            from disent.metrics._mig import _compute_mig
            from disent.metrics._sap import _compute_sap
            from disent.model import AutoEncoder
            from disent.model.ae import DecoderConv64, EncoderConv64

            installed["disent"] = dict(
                factor_vae=metric_factor_vae,
                mig=_compute_mig,
                sap=_compute_sap,
                vae=BetaVae,
                coder=(AutoEncoder, EncoderConv64, DecoderConv64),
            )
        except ImportError as error:
            print(f"disent: {ABSENT} ({error})")
        try:
            from pythae.models import BetaVAE, BetaVAEConfig
            from pythae.models.base.base_utils import ModelOutput
            from pythae.models.nn import BaseDecoder, BaseEncoder

            installed["pythae"] = dict(
                vae=BetaVAE, config=BetaVAEConfig, output=ModelOutput, coder=(BaseEncoder, BaseDecoder)
            )
        except ImportError as error:
            print(f"pythae: {ABSENT} ({error})")
    return installed


class TableData:
    """The dSprites grid with the interface of disent's data sets, and with codes in place of images."""

    num_factors, factor_sizes = 5, dsprites_table.SIZES

    def __init__(self, table: np.ndarray):
        self.table, self.gt_data = table, self

    def sample_factors(self, n: int) -> np.ndarray:
        return np.stack([np.random.randint(size, size=n) for size in self.factor_sizes], axis=1)

    def dataset_batch_from_factors(self, factors: np.ndarray, mode: str) -> torch.Tensor:
        return torch.from_numpy(self.table[factors @ dsprites_table.STRIDES])

    def dataset_sample_batch(self, n: int, mode: str) -> torch.Tensor:
        return self.dataset_batch_from_factors(self.sample_factors(n), mode)


def scores(installed: dict) -> list[Row]:
    """Time every score, its plain port and, if installed, disent's version on the same points."""
    table = dsprites_table.build()
    grid = np.stack(np.unravel_index(np.arange(len(table)), dsprites_table.SIZES), axis=-1)
    codes, factors = torch.from_numpy(table), torch.from_numpy(grid)
    train, test = fixed_points()
    look_up = lambda f: table[f @ dsprites_table.STRIDES]  # noqa: E731
    random = torch.Generator()
    disent = installed.get("disent")
    jobs = {
        "FactorVAE score, 15,000 votes of 64": (
            "≥ 10×",
            lambda: factor_vae_score(codes, factors, random.manual_seed(0)),
            lambda: factor_vae_replay(look_up, dsprites_table.SIZES),
            disent and (lambda: disent["factor_vae"](TableData(table), lambda x: x)),
        ),
        "SAP, 10,000 + 5,000 points": (
            "≥ 3×",
            lambda: sap_score(*train, *test),
            lambda: plain.sap(*train, *test),
            disent and (lambda: disent["sap"](train[0].T, train[1].T, test[0].T, test[1].T, False)),
        ),
        "BetaVAE score, 15,000 points of 64 pairs": (
            "≥ 3×",
            lambda: beta_vae_score(codes, factors, random.manual_seed(0)),
            lambda: beta_vae_replay(look_up, dsprites_table.SIZES),
            None,
        ),
        "MIG, 10,000 points": (
            "≥ 2×",
            lambda: mig_score(*train),
            lambda: plain.mig(*train),
            disent and (lambda: disent["mig"](train[0].T, train[1].T)),
        ),
    }
    rows = []
    for name, (goal, ours, port, peer) in jobs.items():
        own_seconds = seconds(ours)
        ratios = f"{seconds(port) / own_seconds:.1f}× the plain port"
        if peer:
            ratios += f" · {seconds(peer) / own_seconds:.1f}× disent 0.8.0"
        else:
            ratios += " · no such score in disent" if disent else f" · disent {ABSENT}"
        rows.append((name, goal, f"{ratios} ({own_seconds:.2f} s)"))
        print(*rows[-1], flush=True)
    return rows


def trees() -> list[Row]:
    """Time DCI's trees on shape, scale and a coarse x position of the fixed points: 17 values, 1,700 trees."""
    (codes, factors), (test_codes, test_factors) = fixed_points()
    factors, test_factors = (np.stack([f[:, 0], f[:, 1], f[:, 3] // 4], axis=1) for f in (factors, test_factors))
    dci_score(codes[:200], factors[:200] % 2, test_codes[:50], test_factors[:50] % 2)  # compiles
    results = []

    def own(threads: int) -> float:
        job = lambda: results.append(dci_score(codes, factors, test_codes, test_factors, threads=threads))  # noqa: E731
        return seconds(job, 1)

    one, two = own(threads=1), own(threads=2)
    port = seconds(lambda: results.append(plain.importances(codes, factors)), 1)
    difference = np.abs(results[0].importances - results[-1]).max()
    text = f"{port / two:.0f}× scikit-learn's with 2 threads, {port / one:.0f}× with 1; importances differ by "
    rows = [("DCI with the same trees, 10,000 points, 1,700 trees", "≥ 10×, stretch 25×", f"{text}{difference:.0e}")]
    print(*rows[0], flush=True)
    return rows


def perceptual() -> list[Row]:
    """Time TPL against calling lpips on every pair of neighbours."""
    model, size = load_model("shapes3d-32-seed0"), dict(traversals=1, points=25)
    distance, lpips = PerceptualDistance("vgg"), reference_module("vgg")
    ours = tpl(model.generator, distance, **size)
    port_lengths = plain.tpl_lengths(model.generator, lpips, **size)
    fast = seconds(lambda: tpl(model.generator, distance, **size))
    slow = seconds(lambda: plain.tpl_lengths(model.generator, lpips, **size))
    difference = (ours.every - port_lengths).abs().max().item()
    what = "TPL, VGG16, 25 points a traversal, against pairwise lpips calls"
    rows = [(what, "≥ 1.8×", f"{slow / fast:.1f}× (lengths differ by {difference:.0e})")]
    print(*rows[0], flush=True)
    return rows


class Pixels(FactorData):
    """Random pictures at 64 px that cost no time, so that only the step is timed."""

    resolution, channels = 64, 1

    def __init__(self, batch: int):
        self.pictures = torch.rand(batch, 1, 64, 64) * 2 - 1

    def sample_images(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        return self.pictures


def autoencoders(installed: dict, interleaved: Callable, batch: int = 64, rounds: int = 8) -> list[Row]:
    """Time one beta-VAE step at 64 px with the reference's network against disent's and pythae's, in turn."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # with two threads, the time that threads wait for each other decides
    data = Pixels(batch)
    ours = VAETraining(VAEConfig("beta-vae", 4.0, resolution=64, channels=1, batch=batch), data, choose_compute("cpu"))
    jobs = {"ours": ours.step}
    if "disent" in installed:
        jobs["disent"] = _disent_step(installed["disent"], (data.pictures + 1) / 2)
    if "pythae" in installed:
        jobs["pythae"] = _pythae_step(installed["pythae"], (data.pictures + 1) / 2)
    times = interleaved(jobs, rounds)
    torch.set_num_threads(threads)
    peers = [f"{times[n] / times['ours']:.1f}× {n}" if n in times else f"{n} {ABSENT}" for n in ("disent", "pythae")]
    speed = f"{batch / times['ours']:.0f} images/s"
    rows = [("One beta-VAE step, conv64 at 64 px, batch 64, 1 thread", "≥ 1.3×", f"{' · '.join(peers)} ({speed})")]
    print(*rows[0], flush=True)
    return rows


def _disent_step(disent: dict, pictures: torch.Tensor) -> Callable:
    auto_encoder, encoder, decoder = disent["coder"]
    shape = (1, 64, 64)
    framework = disent["vae"](
        model=auto_encoder(encoder(x_shape=shape, z_size=10, z_multiplier=2), decoder(x_shape=shape, z_size=10)),
        cfg=disent["vae"].cfg(recon_loss="bce", beta=4.0),
    )
    optimiser = torch.optim.Adam(framework.parameters(), lr=1e-3)
    batch = {"x": (pictures,), "x_targ": (pictures,)}

    def step() -> None:
        optimiser.zero_grad()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no trainer is attached
            loss = framework.training_step(batch, 0)
        loss.backward()
        optimiser.step()

    return step


def _pythae_step(pythae: dict, pictures: torch.Tensor) -> Callable:
    """Return a training step of pythae's model with our layers, since pythae has no conv64 network."""
    base_encoder, base_decoder = pythae["coder"]
    nn, output = torch.nn, pythae["output"]

    class Encoder(base_encoder):
        def __init__(self):
            super().__init__()
            widths, layers = (1, 32, 32, 64, 64), []
            for a, b in itertools.pairwise(widths):
                layers += [nn.Conv2d(a, b, 4, 2, 1), nn.ReLU()]
            self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 256), nn.ReLU())
            self.mean, self.spread = nn.Linear(256, 10), nn.Linear(256, 10)

        def forward(self, x):
            hidden = self.body(x)
            return output(embedding=self.mean(hidden), log_covariance=self.spread(hidden))

    class Decoder(base_decoder):
        def __init__(self):
            super().__init__()
            widths = (64, 64, 32, 32, 1)
            layers = [nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU(), nn.Unflatten(1, (64, 4, 4))]
            for a, b in itertools.pairwise(widths):
                layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.ReLU()]
            self.body = nn.Sequential(*layers[:-1], nn.Sigmoid())

        def forward(self, z):
            return output(reconstruction=self.body(z))

    config = pythae["config"](input_dim=(1, 64, 64), latent_dim=10, reconstruction_loss="bce", beta=4.0)
    model = pythae["vae"](config, encoder=Encoder(), decoder=Decoder())
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        optimiser.zero_grad()
        model({"data": pictures}).loss.backward()
        optimiser.step()

    return step


def digits(installed: dict) -> dict:
    """Return each library's scores of the fixed points, to check that all give the same digits."""
    train, test = fixed_points()
    dci = dci_score(*train, *test, threads=2)
    table = {
        "wwlib": dict(
            mig=mig_score(*train).score,
            sap=sap_score(*train, *test).score,
            dci=dci.disentanglement,
            completeness=dci.completeness,
            modularity=modularity_score(*train).score,
        ),
        "plain scikit-learn": dict(mig=plain.mig(*train), sap=plain.sap(*train, *test)),
    }
    if disent := installed.get("disent"):
        table["disent 0.8.0"] = dict(
            mig=disent["mig"](train[0].T, train[1].T)["mig.discrete_score"],
            sap=disent["sap"](train[0].T, train[1].T, test[0].T, test[1].T, False)["sap.score"],
        )
    return {library: {name: float(value) for name, value in row.items()} for library, row in table.items()}


def puppets() -> list[Row]:
    """Measure how many puppets a second one thread draws, batches of 64 at 32 px."""
    random = torch.Generator().manual_seed(0)
    pose, appearance = sample_pose(64, random), sample_appearance(64, random)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        render(pose, appearance)
        rate = 64 / seconds(lambda: render(pose, appearance), repeats=40)
    finally:
        torch.set_num_threads(threads)
    print(f"puppets: {rate:,.0f} images/s on one thread", flush=True)
    return [("Puppets drawn at 32 px, on one thread", "≥ 2,000 images/s", f"{rate:,.0f} images/s")]
