"""The attention at the end of the chain."""
