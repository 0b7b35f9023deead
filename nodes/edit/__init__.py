"""The nodes of `attention control/edit`."""
