"""Captions: what they state can be read off them, by rule and by an encoder that knows word order."""

import random

import pytest
import torch

from wwlib.datasets.captions import (
    DIGITS,
    INKS,
    LONGEST,
    PAPERS,
    SIZES,
    UNSAID,
    WORDINGS,
    distort,
    leave_out,
    random_stated,
    tokens,
    vocabulary,
    write,
    write_all,
)
from wwlib.experiments.translation.runs import load_encoder
from wwlib.flows.caption_encoder import CaptionEncoder, train_caption_encoder


def stated_by(caption):
    """The slow reader: what a caption says, by rule."""
    words, stated = caption.split(), [UNSAID] * 3
    for k, word in enumerate(words):
        dark = k > 0 and words[k - 1] == "dark"
        if word in DIGITS or word.isdigit():
            stated[0] = DIGITS.index(word) if word in DIGITS else int(word)
        elif word in INKS:
            stated[2 if dark else 1] = INKS.index(word)
        elif word in PAPERS:
            stated[2] = PAPERS.index(word)
    return stated


def test_a_caption_says_what_was_stated_in_every_wording():
    words, seen = random.Random(0), set()
    for stated in random_stated(2000, torch.Generator().manual_seed(0)).tolist():
        caption = write(stated, words)
        assert stated_by(caption) == stated
        assert "{" not in caption
        seen.add(caption)
    assert len(seen) > 1000


def test_no_hue_has_two_names_and_every_wording_places_all_three():
    assert len({*INKS, *PAPERS}) == 20
    assert all(all(f"{{{name}}}" in wording for name in ("ink", "digit", "paper")) for wording in WORDINGS)


def test_articles_fit_what_follows():
    captions = write_all(random_stated(3000, torch.Generator().manual_seed(1)), 0)
    pairs = {tuple(pair) for c in captions for pair in zip(c.split(), c.split()[1:], strict=False)}
    assert {("an", "eight"), ("an", "orange"), ("a", "one")} <= pairs
    assert not {("a", "eight"), ("a", "8"), ("a", "orange"), ("an", "one")} & pairs


def test_values_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"stated ink must be -1 or 0\.\.9, got 10"):
        write((0, 10, 0), random.Random(0))


def test_a_distorted_caption_still_states_the_same():
    words, stated = random.Random(0), random_stated(3000, torch.Generator().manual_seed(2))
    captions = write_all(stated, 1)
    assert [stated_by(caption) for caption in captions] == stated.tolist()
    distorted = [distort(caption, words, drop=0.5, swap=1.0) for caption in captions]
    assert [stated_by(caption) for caption in distorted] == stated.tolist()
    assert sum(a != b for a, b in zip(distorted, captions, strict=True)) > 2900


def test_values_are_left_out_with_their_share(generator):
    factors = torch.randint(3, (20_000, 6), generator=generator)
    stated = leave_out(factors, generator, (0.0, 0.2, 0.5))
    assert torch.allclose((stated == UNSAID).float().mean(dim=0), torch.tensor([0.0, 0.2, 0.5]), atol=0.02)
    is_stated = stated != UNSAID
    assert torch.equal(stated[is_stated], factors[:, :3][is_stated])


def test_words_become_numbers_at_the_right_end():
    numbers = tokens(["a red seven", "Navy paper, with a pink 3"])
    assert numbers.shape == (2, LONGEST)
    assert numbers[0, :-3].sum() == 0
    assert numbers[0, -2] == vocabulary()["red"]
    assert (numbers[1] > 0).sum() == 6


@pytest.mark.parametrize(
    ("caption", "message"),
    [("a crimson seven", "got 'crimson'"), ("", "1 to 16 words, got 0"), ("a " * 17, "1 to 16 words, got 17")],
)
def test_strange_captions_are_named(caption, message):
    with pytest.raises(ValueError, match=message):
        tokens([caption])


def test_a_bag_of_words_cannot_tell_who_is_red_and_the_shipped_encoder_can():
    pair = tokens(["a red seven on dark green paper", "a green seven on dark red paper"])
    first, second = CaptionEncoder(ordered=False)(pair)
    assert torch.allclose(first, second, atol=1e-6)
    assert load_encoder().read(pair).tolist() == [[7, 0, 3], [7, 3, 0]]


def test_a_short_training_reads_digits_and_the_same_seed_gives_the_same():
    short = dict(steps=30, captions=512)
    first, again = (train_caption_encoder(**short).state_dict() for _ in range(2))
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    encoder = train_caption_encoder(steps=200, captions=4096)
    stated = random_stated(600, torch.Generator().manual_seed(8))
    right = (encoder.read(tokens(write_all(stated, 9))) == stated).float().mean(dim=0)
    assert (right > 0.9).all()
    assert not encoder.summary.weight.requires_grad


def test_the_shipped_encoder_reads_unseen_captions():
    stated = random_stated(2000, torch.Generator().manual_seed(5))
    captions, words = write_all(stated, 6), random.Random(7)
    assert (load_encoder().read(tokens(captions)) == stated).float().mean() > 0.999
    assert (load_encoder().read(tokens([distort(c, words) for c in captions])) == stated).float().mean() > 0.99
    assert load_encoder().embed(captions).shape == (2000, 48)
    assert len(SIZES) == 3
