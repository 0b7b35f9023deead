"""scikit-learn, imported only where it is used: that takes a second, and most nodes do without."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed_for(what: str) -> Iterator[None]:
    """Round an import of scikit-learn: RuntimeError that says how to install it, if it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"{what} needs scikit-learn, which ComfyUI does not bring; run `python -m pip install "
            "scikit-learn` with ComfyUI's Python and start ComfyUI again"
        ) from error
