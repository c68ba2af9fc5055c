"""One step of both players: who learns from what, and that a short training begins to look right."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from wwlib.appearance.style import Schedule, StyleModel
from wwlib.appearance.styles import training
from wwlib.appearance.styles.judges import mean_hue
from wwlib.appearance.styles.training import Batch, StyleTraining, crops, draw_batch, train_style
from wwlib.base.device import Compute

SHORT = Schedule(steps=4, batch=3, warm_up=0)
TERMS = {"real", "family", "image", "content", "triplet", "disentangle", "critic", "penalty"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradients(schedule: Schedule, batch: Batch | None = None) -> set[str]:
    """The networks that learn from the loss of the drawing networks."""
    one = StyleTraining(schedule)
    _, loss, _ = one._drawing_loss(batch or draw_batch(schedule, seeded()))
    loss.backward()
    moved = [name for name, p in one.model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0]
    return {name.split(".")[0] for name in moved}


def test_a_batch_has_two_photos_and_two_references_a_row_often_of_one_family():
    schedule = Schedule(batch=2_000)
    batch = draw_batch(schedule, seeded())
    assert batch.photos.shape == batch.references.shape == (4_000, 3, 32, 32)
    same = (batch.families[:2_000] == batch.families[2_000:]).double().mean().item()
    assert same == pytest.approx(1 / 3 + 2 / 3 / 3, abs=0.03)
    assert batch.partners is batch.references


def test_partners_are_other_paintings_in_the_same_style():
    batch = draw_batch(replace(SHORT, siblings=True, batch=40), seeded())
    hue = mean_hue(batch.references), mean_hue(batch.partners)
    assert (2 * torch.pi * (hue[0] - hue[1])).cos().min() > 0.95
    assert (batch.references - batch.partners).abs().mean(dim=(1, 2, 3)).min() > 0.02


def test_crops_are_parts_at_random_places():
    x = torch.arange(32.0) + 32 * torch.arange(32.0)[:, None]
    seen = crops(x.expand(300, 1, 32, 32), 24, seeded())
    assert seen.shape == (300, 1, 24, 24)
    corner = seen[:, 0, 0, 0].long()
    assert set((corner % 32).tolist()) == set((corner // 32).tolist()) == set(range(9))
    torch.testing.assert_close(seen - seen[:, :, :1, :1], (x[:24, :24] - x[0, 0]).expand(300, 1, 24, 24))


def test_a_step_moves_both_players_and_tells_every_term():
    one = StyleTraining(SHORT)
    before = [[p.detach().clone() for p in player.parameters()] for player in (one.model, one.critic)]
    terms = one.step(draw_batch(SHORT, seeded()))
    assert set(terms) == TERMS
    still = []
    for player, old in zip((one.model, one.critic), before, strict=True):
        pairs = zip(player.named_parameters(), old, strict=True)
        still += [name for (name, p), q in pairs if torch.equal(p, q)]
    # as long as all verdicts lie within the margins, real and drawn pictures pull equally at these two numbers
    assert set(still) <= {"scales.0.real.bias", "scales.1.real.bias"}
    assert set(one.step(draw_batch(SHORT, seeded()))) == TERMS - {"penalty"}  # which is taken every fourth step


def test_in_the_warm_up_the_drawing_networks_learn_without_the_critic():
    one = StyleTraining(replace(SHORT, warm_up=1))
    before = torch.cat([p.detach().flatten() for p in one.critic.parameters()])
    first = one.step(draw_batch(SHORT, seeded()))
    assert set(first) == TERMS - {"real", "family", "critic", "penalty"}
    assert torch.equal(torch.cat([p.detach().flatten() for p in one.critic.parameters()]), before)
    assert set(one.step(draw_batch(SHORT, seeded()))) == TERMS - {"penalty"}
    assert not torch.equal(torch.cat([p.detach().flatten() for p in one.critic.parameters()]), before)


def test_the_critic_learns_nothing_from_the_step_of_the_drawing_networks():
    one = StyleTraining(SHORT)
    one.critic.requires_grad_(False)
    _, loss, _ = one._drawing_loss(draw_batch(SHORT, seeded()))
    loss.backward()
    assert all(p.grad is None for p in one.critic.parameters())


def test_without_contrast_all_three_networks_learn_from_drawn_pictures():
    assert gradients(SHORT) == {"content", "style", "decode"}


def test_a_frozen_encoder_passes_gradients_on_and_learns_nothing():
    style, images = StyleModel().style, torch.randn(2, 3, 24, 24, requires_grad=True)
    torch.testing.assert_close(training.frozen(style)(images), style(images))
    training.frozen(style)(images).square().mul(torch.arange(8)).sum().backward()
    assert images.grad.abs().max() > 0
    assert all(p.grad is None for p in style.parameters())


@pytest.mark.parametrize(("contrast", "learns"), [(0.0, False), (1.0, True)])
def test_under_contrast_alone_the_encoder_does_not_learn_to_read_drawings(contrast, learns, monkeypatch):
    used = []
    monkeypatch.setattr(training, "frozen", lambda network: used.append(network) or network)
    one = StyleTraining(replace(SHORT, contrast=contrast))
    one._drawing_loss(draw_batch(one.schedule, seeded()))
    assert used == [one.model.style] * learns


@pytest.mark.parametrize(("contrast", "learns"), [(0.0, True), (1.0, False)])
def test_under_contrast_the_codes_of_references_are_goals_that_do_not_move(contrast, learns, monkeypatch):
    seen = []
    for name in ("fixpoint_triplet_loss", "disentanglement_loss"):
        real = getattr(training, name)
        monkeypatch.setattr(training, name, lambda *given, real=real: seen.append(given) or real(*given))
    schedule = replace(SHORT, contrast=contrast)
    StyleTraining(schedule)._drawing_loss(draw_batch(schedule, seeded()))
    (s, s_other, read, read_other, _), (given, drawn, elsewhere) = seen
    assert [code.requires_grad for code in (s, s_other, given)] == [learns] * 3
    assert all(code.requires_grad for code in (read, read_other, drawn, elsewhere))


@pytest.mark.parametrize(
    ("weight", "term"),
    [("adversarial", "real"), ("family", "family"), ("image", "image"), ("content", "content"), ("triplet", "triplet"),
     ("disentangle", "disentangle"), ("features", "features")],
)  # fmt: skip
def test_the_loss_weighs_its_terms_as_the_schedule_says(weight, term):
    nothing = dict.fromkeys(("adversarial", "family", "image", "content", "triplet", "disentangle"), 0.0)
    schedule = replace(SHORT, **nothing | {weight: 3.0})
    _, loss, terms = StyleTraining(schedule)._drawing_loss(draw_batch(schedule, seeded()))
    torch.testing.assert_close(loss, 3 * terms[term])


def test_the_three_drawings_are_photo_and_style_as_the_losses_take_them(monkeypatch):
    """x1 = (x, s), x2 = (x, s'), x3 = (x', s)."""
    seen = {}
    for name in ("fixpoint_triplet_loss", "disentanglement_loss", "image_loss", "deception_loss"):
        real = getattr(training, name)
        monkeypatch.setattr(
            training, name, lambda *given, name=name, real=real: seen.update({name: given}) or real(*given)
        )
    schedule = replace(SHORT, crop=32)  # a crop is then the whole picture
    one, batch = StyleTraining(schedule), draw_batch(schedule, seeded())
    drawn, _, _ = one._drawing_loss(batch)
    (x, x_other), (y, y_other) = batch.photos.split(3), batch.references.split(3)
    transfer, style = one.model.transfer, one.model.style
    expected = [transfer(x, y), transfer(x, y_other), transfer(x_other, y)]
    torch.testing.assert_close(drawn, torch.cat(expected))
    codes = [style(images) for images in (y, y_other, *expected)]
    for given, right in zip(seen["fixpoint_triplet_loss"], codes[:4], strict=False):
        torch.testing.assert_close(given, right)
    for given, k in zip(seen["disentanglement_loss"], (0, 2, 4), strict=True):
        torch.testing.assert_close(given, codes[k])
    torch.testing.assert_close(seen["image_loss"][1], torch.cat([x, x, x_other]))
    assert torch.equal(seen["deception_loss"][1], torch.cat([batch.families, batch.families[:3]]))


def test_a_training_follows_its_seed_and_returns_a_frozen_model_and_its_history():
    (first, history), (again, _) = train_style(SHORT), train_style(SHORT)
    assert [entry["step"] for entry in history] == [0, 3]
    assert set(history[0]) == {*TERMS, "step"}
    assert not any(p.requires_grad for p in first.parameters())
    for one, two in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_training_takes_its_pictures_from_where_it_is_told():
    batches = []

    def draw(schedule, generator):
        batches.append(draw_batch(schedule, generator))
        return batches[-1]

    model, _ = train_style(SHORT, draw=draw)
    assert len(batches) == SHORT.steps
    usual, _ = train_style(SHORT)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), usual.parameters(), strict=True))


def test_the_image_loss_compares_colours_where_the_schedule_says_so():
    batch = draw_batch(SHORT, seeded())
    grey, coloured = (
        StyleTraining(replace(SHORT, coloured=colours))._drawing_loss(batch)[2]["image"] for colours in (False, True)
    )
    assert coloured > grey


def test_a_short_training_draws_photos_as_dark_as_they_are():
    _, history = train_style(Schedule(steps=40, batch=4, warm_up=5, image=100.0))
    assert history[-1]["image"] < 0.6 * history[0]["image"]


def test_a_loss_that_is_not_finite_ends_the_training(monkeypatch):
    broken = lambda *given: torch.tensor(torch.nan)  # noqa: E731
    monkeypatch.setattr(training, "image_loss", broken)
    with pytest.raises(FloatingPointError, match="a loss is not finite at step 0"):
        train_style(SHORT)


@pytest.mark.parametrize("siblings", [False, True])
def test_more_paintings_take_part_in_the_contrast_and_in_nothing_else(siblings):
    few = replace(SHORT, contrast=1.0, siblings=siblings)
    batch, larger = draw_batch(few, seeded()), draw_batch(replace(few, more=5), seeded())
    for name in ("photos", "references", "partners", "families"):
        assert torch.equal(getattr(batch, name), getattr(larger, name))
    assert batch.more.shape == (2, 0, 3, 32, 32)
    assert larger.more.shape == (2, 5, 3, 32, 32)
    assert torch.equal(*larger.more) is not siblings
    style, whole = StyleModel().style, lambda images: images
    one, other = training.contrasted(style, style(larger.references), larger, whole)
    assert len(one) == len(other) == 2 * few.batch + 5
    torch.testing.assert_close(one[-5:], style(larger.more[0]))
    torch.testing.assert_close(other[-5:], style(larger.more[1]))


def test_the_critic_pays_its_penalty_on_real_pictures_for_the_steps_that_do_without(monkeypatch):
    """Half the weight, as in R1; four times as much, since it is taken in one of four steps."""
    paid, penalised, real = [], [], training.gradient_penalty
    monkeypatch.setattr(StyleTraining, "_move", lambda self, player, loss: paid.append(loss.item()))
    monkeypatch.setattr(
        training, "gradient_penalty", lambda said, images: penalised.append(images) or 1e3 * real(said, images)
    )
    batch = draw_batch(SHORT, seeded())
    terms = StyleTraining(replace(SHORT, penalty=3.0)).step(batch)
    assert terms["penalty"].item() > 0.01
    assert paid[1] == pytest.approx((terms["critic"] + 4 * 3.0 / 2 * terms["penalty"]).item())
    assert torch.equal(penalised[0], batch.references)


def test_the_gradients_of_both_players_are_clipped():
    one = StyleTraining(replace(SHORT, clip=1e-3))
    one.step(draw_batch(SHORT, seeded()))
    for player in (one.model, one.critic):
        norm = torch.cat([p.grad.flatten() for p in player.parameters()]).norm().item()
        assert norm == pytest.approx(1e-3, rel=0.01)


def test_the_rates_of_both_players_end_together_though_the_critic_begins_later():
    one = StyleTraining(replace(SHORT, steps=10, warm_up=4))
    for player, steps in ((0, 10), (1, 6)):
        for _ in range(steps):
            one.optimisers[player].step()
            one.falling[player].step()
    rates = [optimiser.param_groups[0]["lr"] for optimiser in one.optimisers]
    assert max(rates) < 0.05 * SHORT.rate


@pytest.mark.parametrize("angles", [False, True])
def test_angles_vary_where_the_schedule_says_so_in_references_and_in_more_paintings(angles, monkeypatch):
    seen, real = [], training.sample_styles
    monkeypatch.setattr(training, "sample_styles", lambda *a, **k: seen.append(real(*a, **k)) or seen[-1])
    draw_batch(replace(SHORT, batch=20, more=40, angles=angles), seeded())
    assert [len(styles) for styles in seen] == [40, 40]
    stripes = [styles.angle[styles.family == 0] for styles in seen]
    assert [len(turns.unique()) > 1 for turns in stripes] == [angles] * 2


@pytest.mark.parametrize("apart", [False, True])
def test_the_decoder_asks_nothing_of_an_encoder_that_learns_apart(apart):
    one, given = StyleTraining(replace(SHORT, contrast=1.0, apart=apart)), []
    one.model.decode.register_forward_pre_hook(lambda decoder, inputs: given.append(inputs[1].requires_grad))
    one._drawing_loss(draw_batch(SHORT, seeded()))
    assert given == [not apart]


def test_features_of_a_drawing_are_compared_with_those_of_its_own_reference(monkeypatch):
    seen, real = [], training.feature_loss
    monkeypatch.setattr(training, "feature_loss", lambda *said: seen.append(said) or real(*said))
    one, batch = StyleTraining(replace(SHORT, features=1.0)), draw_batch(SHORT, seeded())
    one._drawing_loss(batch)
    first, second = batch.references.split(3)
    expected = one.critic(torch.cat([first, second, first]))
    for (_, _, features), (_, _, right) in zip(seen[0][1], expected, strict=True):
        torch.testing.assert_close(features, right)


def test_a_schedule_with_steered_waves_trains_a_decoder_that_has_them():
    assert StyleTraining(replace(SHORT, steered=2)).model.decode.steer.out_features == 4


def test_in_bfloat16_all_losses_and_weights_stay_in_float32_and_nearly_the_same():
    schedule = replace(SHORT, contrast=1.0, siblings=True, more=5, features=1.0)
    batch = draw_batch(schedule, seeded())
    terms, expected = (
        StyleTraining(schedule, Compute(torch.device("cpu"), dtype)).step(batch) for dtype in (torch.bfloat16, None)
    )
    assert terms.keys() == expected.keys()
    for name, term in terms.items():
        assert term.dtype == torch.float32, name
        torch.testing.assert_close(term, expected[name], atol=0.02, rtol=0.02)
