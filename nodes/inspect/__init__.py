"""The nodes of `attention control/inspect`."""
