"""The translations, by their English text, and the files of the host that are made from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from locale_texts import Tree, rewritten
from pins import ROOT

LANGUAGES = ("zh", "zh-TW", "ja", "ko", "fr", "es", "ru", "ar")  # besides English, as the web UI names them
CATALOGUES = ROOT / "translations"
LOCALES = ROOT / "locales"

Catalogue: TypeAlias = dict[str, str]


def read(language: str) -> Catalogue:
    """The translations of a language by their English text; none if nobody has begun."""
    path = CATALOGUES / f"{language}.json"
    if not path.exists():
        return {}
    known: Catalogue = json.loads(path.read_text(encoding="utf-8"))
    return known


def write(language: str, known: Catalogue) -> None:
    """Keep the translations of a language."""
    CATALOGUES.mkdir(exist_ok=True)
    (CATALOGUES / f"{language}.json").write_text(as_json(known), encoding="utf-8")


def missing(texts: Sequence[str], known: Catalogue) -> list[str]:
    """Texts without a translation."""
    return [text for text in texts if not known.get(text)]


def stale(texts: Sequence[str], known: Catalogue) -> Catalogue:
    """Translations of what is no longer said."""
    return {text: known[text] for text in known.keys() - set(texts)}


def written(files: Mapping[str, Tree]) -> dict[str, str]:
    """The content of each file of `locales/`, by its place there."""
    spoken = {"en": None, **{language: read(language) for language in LANGUAGES}}
    return {
        f"{language}/{name}.json": as_json(
            rewritten(tree, (lambda text: text) if known is None else known.get)
        )
        for language, known in spoken.items()
        for name, tree in files.items()
    }


def write_locales(files: Mapping[str, Tree]) -> None:
    """Write them all."""
    for place, content in written(files).items():
        path = LOCALES / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def as_json(content: Tree | Catalogue) -> str:
    """As people read it: each in its own script, in the order in which the web UI shows it."""
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
