"""Nodes that edit pictures by words or by a guide."""
