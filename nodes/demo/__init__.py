"""The nodes of `attention control/demo`."""
