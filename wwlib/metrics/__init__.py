"""Measures, one in each file: disentanglement scores, where and what scores, perceptual lengths, Frechet distance."""
