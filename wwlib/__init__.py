"""Where & What: the small library that the lessons build. The map of the house, one line a package:

    base         paths, devices, files written whole, tables as text, pictures
    datasets     worlds with known factors, folders of pictures, readers of published sets
    models       generator, discriminator, recogniser, spatial masks, losses, autoencoders
    metrics      one file a measure: FactorVAE score, MIG, DCI, where and what scores, TPL
    training     one training step, the loop around it, checkpoints, recipes
    flows        invertible networks of Part II
    appearance   networks of Part II that separate shape from appearance
    experiments  what makes the records and weights in data/, and the tables read off them
    course       exercises, answers, lessons as files, the grader

A package imports only packages that stand above it here (training, flows and appearance do not know each other);
`tests/test_architecture.py` checks that. Lessons begin with `wwlib.lesson`; the command line is `python -m wwlib`.
"""

__version__ = "0.3.0"
