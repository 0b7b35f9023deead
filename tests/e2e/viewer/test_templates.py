"""Every example workflow opens as a user would have it."""

import pytest

from ..runs import EXAMPLES
from .browser import RENDERERS, Ui, workflow
from .layout import faults


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_opens_tidy(name: str, renderer: str, own: Ui) -> None:
    """In either renderer: no error, no node over another, none too small for what it shows."""
    own.load(workflow(EXAMPLES[name]), renderer)
    assert list(faults(own.page)) == []
