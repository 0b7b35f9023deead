"""Tiny random models of the host's own classes, and sampling with them as the server does it."""

from .models import LAYOUTS, SHAPES, tiny_model
from .sampling import (
    Call,
    assert_same_image,
    conditioning,
    every_image,
    only_image,
    prolonged,
    sample,
    split_calls,
    spy_calls,
)
from .text import tiny_clip

__all__ = [
    "LAYOUTS",
    "SHAPES",
    "Call",
    "assert_same_image",
    "conditioning",
    "every_image",
    "only_image",
    "prolonged",
    "sample",
    "split_calls",
    "spy_calls",
    "tiny_clip",
    "tiny_model",
]
