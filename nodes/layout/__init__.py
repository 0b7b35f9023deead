"""The nodes of `attention control/layout`."""
