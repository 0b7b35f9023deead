"""No method escapes the laws."""

import importlib
import pkgutil

from attention_control.attention_patches import methods as papers
from attention_control.attention_patches.contract.method import Method

from . import guidance_methods, methods

SPECIMENS = (*methods.METHODS, *guidance_methods.METHODS)

# A single attention call cannot show what they do: tests of their own stand in for laws 4, 7 and 9.
WITHOUT_NAIVE = {
    "cross image",
    "plug and play",
    "plug and play, features of one guide",
    "shared group norm",
    "style of a picture",
    "styles of two pictures",
    "bounded by what is found",
    "prompt to prompt, until",
    "prompt to prompt, blended",
    "shape variations, until",
    "shape variations, keeping",
    "shape variations, background",
    "multidiffusion",
    "layout guidance",
    "bounded attention, guided",
}


def test_every_method_is_held_to_the_laws() -> None:
    """Every specification in `attention_patches/methods/` has an entry in METHODS."""
    for module in pkgutil.walk_packages(papers.__path__, f"{papers.__name__}."):
        importlib.import_module(module.name)
    ours = {kind for kind in specifications(Method) if kind.__module__.startswith(papers.__name__)}
    assert ours
    assert ours - {specimen.method for specimen in SPECIMENS} == set()


def test_naive_versions_are_left_out_on_purpose_only() -> None:
    """Whose naive version is left out stands in the list above, with the reason."""
    assert {specimen.name for specimen in SPECIMENS if not specimen.has_naive} == WITHOUT_NAIVE


def specifications(base: type[Method]) -> set[type[Method]]:
    """All that extend it, at any depth."""
    return {kind for child in base.__subclasses__() for kind in (child, *specifications(child))}
