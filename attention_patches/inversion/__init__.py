"""The noisy states that lead to a given picture."""
