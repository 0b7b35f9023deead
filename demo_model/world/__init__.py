"""The emoji world: scenes whose subjects, colours, style, places and background are known exactly."""

from .captions import caption
from .crowds import sample_crowd
from .render import Picture, render
from .scene import Scene, Subject, sample_scene
from .sprites import Sprites
from .vocabulary import BACKGROUNDS, COLOURS, STYLES, SUBJECTS

__all__ = [
    "BACKGROUNDS",
    "COLOURS",
    "STYLES",
    "SUBJECTS",
    "Picture",
    "Scene",
    "Sprites",
    "Subject",
    "caption",
    "render",
    "sample_crowd",
    "sample_scene",
]
