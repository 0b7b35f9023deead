"""The part of `locales.py` that runs inside the environment: it needs the host to read the nodes' schemas."""

from __future__ import annotations

import importlib
import json
import sys

from failures import Failure, command
from locale_texts import Tree, locale_files, texts_of
from locales import parser
from pack import load_pack, use_host
from translations import LANGUAGES, Catalogue, missing, read, stale, write, write_locales


def english() -> dict[str, Tree]:
    """What the nodes and our widgets say, by the file that holds it."""
    use_host()
    importlib.import_module("comfy.cli_args").args.cpu = True  # whatever there is: only schemas are read
    load_pack()
    nodes = importlib.import_module("attention_control.nodes").node_classes()
    return locale_files({node.GET_SCHEMA().node_id: node.GET_NODE_INFO_V1() for node in nodes})


def main() -> int:
    """Print what is missing, or take translations in and write the files of all languages."""
    options = parser().parse_args()
    files = english()
    texts = texts_of(files)
    if options.missing:
        print(json.dumps(skeleton(texts), ensure_ascii=False, indent=2))
        return 0
    if options.fill is not None:
        fill(texts, json.loads(options.fill.read_text(encoding="utf-8")))
    write_locales(files)
    for language in LANGUAGES:
        known = read(language)
        lacks, gone = len(missing(texts, known)), len(stale(texts, known))
        if lacks or gone:
            print(f"{language}: {lacks} missing, {gone} stale (see --missing)", file=sys.stderr)
    return 0


def skeleton(texts: list[str]) -> dict[str, dict[str, Catalogue]]:
    """For each language that is not whole its missing texts, each with an empty place, and its stale ones."""
    catalogues = {language: read(language) for language in LANGUAGES}
    return {
        language: {"missing": dict.fromkeys(missing(texts, known), ""), "stale": stale(texts, known)}
        for language, known in catalogues.items()
        if missing(texts, known) or stale(texts, known)
    }


def fill(texts: list[str], filled: dict[str, dict[str, Catalogue]]) -> None:
    """Take the filled places of a skeleton in; drop what is stale. Raises Failure for unknown languages."""
    if unknown := sorted(filled.keys() - set(LANGUAGES)):
        raise Failure(f"unknown languages {unknown}", f"use those of {list(LANGUAGES)}")
    for language, parts in filled.items():
        known = {**read(language), **{k: v for k, v in parts.get("missing", {}).items() if v}}
        write(language, {text: known[text] for text in texts if text in known})


if __name__ == "__main__":
    sys.exit(command(main))
