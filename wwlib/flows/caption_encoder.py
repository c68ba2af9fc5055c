"""The network that reads captions in lesson 19, and its training on pairs of caption and picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.datasets.captions import SIZES, distorted_captions, tokens, vocabulary

LEARNED = 16_384  # captions that an encoder learns from


class CaptionEncoder(nn.Module):
    """A recurrent network that turns captions into vectors, with heads that read from a vector what was stated.

    Args:
        outputs: length of the vector.
        hidden: units of the recurrent network.
        ordered: False for a bag of words, which averages word vectors and does not see their order.
        seed: of the weights.
    """

    def __init__(self, outputs: int = 48, hidden: int = 64, ordered: bool = True, seed: int = 0):
        super().__init__()
        with drawn_from(seed):
            self.words = nn.Embedding(len(vocabulary()) + 1, hidden, padding_idx=0)
            self.reader = nn.GRU(hidden, hidden, batch_first=True) if ordered else nn.Linear(hidden, hidden)
            self.summary = nn.Linear(hidden, outputs)
            self.heads = nn.ModuleList(nn.Linear(outputs, size + 1) for size in SIZES)
        self.ordered = ordered

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the embedding `[B, outputs]` of captions as `tokens` gives them, `[B, 16]`."""
        vectors = self.words(numbers)
        if self.ordered:
            read = self.reader(vectors)[1][0]
        else:
            read = self.reader(vectors.sum(dim=1) / (numbers > 0).sum(dim=1, keepdim=True)).relu()
        return self.summary(read).tanh()

    def loss(self, numbers: Tensor, stated: Tensor) -> Tensor:
        """Return the cross-entropy of what captions state, summed over the three attributes.

        An attribute that is left out is one more class.
        """
        embedded = self(numbers)
        return sum(F.cross_entropy(head(embedded), stated[:, k] + 1) for k, head in enumerate(self.heads))

    @torch.no_grad()
    def read(self, numbers: Tensor) -> Tensor:
        """Return what captions state, `[B, 3]`, as the encoder understands them; -1 for what they leave out."""
        embedded = self(numbers)
        return torch.stack([head(embedded).argmax(dim=1) - 1 for head in self.heads], dim=1)

    @torch.no_grad()
    def embed(self, captions: Sequence[str]) -> Tensor:
        """Return the embeddings `[n, outputs]` of written captions."""
        return torch.cat([self(part) for part in tokens(captions).split(512)])


def train_caption_encoder(
    steps: int = 800, seed: int = 0, ordered: bool = True, captions: int = LEARNED, batch: int = 128, rate: float = 4e-3
) -> CaptionEncoder:
    """Train an encoder to read from distorted captions what they state, and return it frozen; it sees no pictures.

    Args:
        steps, batch, rate: of Adam, whose rate falls linearly to 0.
        seed: of weights and captions.
        ordered: False for a bag of words.
        captions: number of captions to learn from.
    """
    generator = torch.Generator().manual_seed(seed)
    stated, texts = distorted_captions(captions, generator, seed)
    numbers = tokens(texts)
    encoder = CaptionEncoder(ordered=ordered, seed=seed)

    def loss_at(_: int) -> Tensor:
        rows = torch.randint(captions, (batch,), generator=generator)
        return encoder.loss(numbers[rows], stated[rows])

    descend(encoder, loss_at, steps, rate, clip=5.0)
    return encoder
