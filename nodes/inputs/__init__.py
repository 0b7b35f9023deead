"""Inputs that nodes of several categories share."""
