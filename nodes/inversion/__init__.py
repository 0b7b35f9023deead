"""The nodes of `attention control/inversion`."""
