"""What an attacked classifier still knows: samples from its layers after a step of FGSM, read by a judge."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.experiments.hosts import load_host, load_judge
from wwlib.flows.invariances import attack, cut
from wwlib.flows.translation import Translation, draws_of
from wwlib.models.judges import Judge

DRAWS = 8  # from every condition
EPSILON = 0.04  # of the attack: a fiftieth of a pixel's range
THOROUGH = dict(steps=4_000, noise=0.2)  # flows for the second attack: longer, and half of the pictures with noise
ATTACKED = ("conv1", "logits")
LARGE, SURE = 0.08, 0.99  # its step, and how sure the classifier must be of its wrong answer


def attacked(classifier: Judge, layer: str, translation: Translation, images: Tensor, labels: Tensor,
             random: torch.Generator, epsilon: float = EPSILON, sure: float = 0.0,
             witness: Judge | None = None) -> dict[str, float]:  # fmt: skip
    """Return what samples from an attacked layer show, by the judge, over pictures whose attack succeeds.

    Args:
        classifier, layer, translation: the classifier is attacked, the translation and the judge are not.
        images, labels: pictures and their digits; those misread already are left out.
        random: of the samples.
        epsilon: of the attack.
        sure: probability that the classifier must give its wrong answer for the attack to count.
        witness: another network, which must still read the true digit for the attack to count; none if left out.
    """
    host, judge = load_host("autoencoder"), load_judge("digits")
    logits = cut(classifier, "logits")[0]
    right = classifier.verdict(images)[:, 0] == labels
    moved = attack(logits, images[right], labels[right], epsilon)
    with torch.no_grad():
        (confidence, answer), truth = logits(moved).softmax(dim=1).max(dim=1), labels[right]
    fooled = (answer != truth) & (confidence >= sure)
    if witness is not None:
        fooled &= witness.verdict(moved)[:, 0] == truth
    if not fooled.any():
        raise ValueError(f"epsilon, sure and witness must let at least one attack count, got {epsilon} and {sure}")
    moved, answer, truth = moved[fooled], answer[fooled], truth[fooled]
    with torch.no_grad():
        drawn = draws_of(translation, cut(classifier, layer)[0](moved), DRAWS, random)
        seen = torch.cat([judge.verdict(host.decode(part)) for part in drawn.flatten(0, 1).split(512)])[:, 0]
    seen = seen.unflatten(0, (-1, DRAWS))
    return dict(
        epsilon=epsilon,
        tried=int(right.sum()),
        succeeded=int(fooled.sum()),
        wrong=float((seen == answer[:, None]).float().mean()),
        true=float((seen == truth[:, None]).float().mean()),
        judge_true=float((judge.verdict(moved)[:, 0] == truth).float().mean()),
    )
