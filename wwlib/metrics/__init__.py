"""One file a measure: disentanglement scores, where and what scores, perceptual lengths, Frechet distance."""
