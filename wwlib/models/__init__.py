"""Networks and losses of Part I: masks, generator, discriminator, recogniser, autoencoders, traversals."""
