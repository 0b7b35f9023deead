"""A call of the sampler made of views of the picture, with all that is cut to them."""
