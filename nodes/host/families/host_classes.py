"""Classes of the host that older hosts do not have."""

from importlib import import_module
from typing import Any


class Absent:
    """In place of a class that this host does not have: nothing is of it."""


def host_class(module: str, name: str) -> Any:
    """The host's class of this name, or `Absent` where the host is older than it."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return Absent
