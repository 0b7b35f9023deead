"""The nodes of `attention control/style`."""
