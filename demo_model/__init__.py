"""Pocket Diffusion: the demo model, the world it draws, and the code that trains and evaluates it."""
