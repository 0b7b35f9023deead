"""Pocket Diffusion: the embedded demo model, the world it draws, and the code that trains and evaluates it."""
