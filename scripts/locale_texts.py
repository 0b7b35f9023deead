"""What the web UI shows of the pack, from the nodes' schemas and our widgets' texts, as the host wants it.

`locales/LANGUAGE/nodeDefs.json` holds names, descriptions and tooltips by node; `main.json` the words of the
menu, the names of our own types of outputs, and what our widgets say. The host shows the values of choices as
they are saved, in every language; commands and settings we have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from pins import ROOT

Tree: TypeAlias = "dict[str, Tree | str]"
WIDGETS = {"attentionMapViewer": "viewer/texts.js", "boxEditor": "boxes/texts.js"}  # by key in main.json
LINE = re.compile(r'  (\w+): (".*"),')
# Names of outputs that the host itself translates, wherever they are also the output's type.
OF_HOST = ("CLIP", "CONDITIONING", "IMAGE", "LATENT", "MASK", "MODEL", "SAMPLER", "SIGMAS", "STRING", "VAE")
SYNTAX = re.compile(r"[@{}|]")  # has a meaning in names and descriptions; tooltips are taken as they are
COMPILED = ("display_name", "description", "name")


def locale_files(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Tree]:
    """The English content of each file; `nodes` are the nodes by id, as the host tells the web UI of them."""
    return {
        "main": {
            "nodeCategories": {word: word for info in nodes.values() for word in info["category"].split("/")},
            "dataTypes": {
                name: name
                for info in nodes.values()
                for name, kind in zip(info["output_name"], info["output"], strict=True)
                if name == kind and name not in OF_HOST
            },
            **{key: {**widget_texts(key)} for key in WIDGETS},
        },
        "nodeDefs": {name: node_texts(info) for name, info in nodes.items()},
    }


def node_texts(info: Mapping[str, Any]) -> Tree:
    """What the host shows of one node."""
    inputs: Tree = {}
    for part in ("required", "optional"):
        for name, (_, *rest) in info["input"].get(part, {}).items():
            options = rest[0] if rest else {}
            inputs[name] = {
                "name": options.get("display_name") or name,
                **{key: options[key] for key in ("tooltip",) if options.get(key)},
            }
    tips = info.get("output_tooltips") or [None] * len(info["output"])
    outputs: Tree = {}
    for index, (name, kind, tip) in enumerate(zip(info["output_name"], info["output"], tips, strict=True)):
        outputs[str(index)] = {
            **({"name": name} if name != kind else {}),
            **({"tooltip": tip} if tip else {}),
        }
    head: Tree = {"display_name": info["display_name"], "description": info["description"]}
    return {**head, "inputs": inputs, "outputs": outputs}


def widget_texts(key: str) -> dict[str, str]:
    """The texts of a widget's `texts.js`, one a line. Raises ValueError at a line that holds none."""
    path = ROOT / "web" / WIDGETS[key]
    _, _, after = path.read_text(encoding="utf-8").partition("export const ENGLISH = {\n")
    lines = after.partition("\n};\n")[0].splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    if wrong := [line for line, match in zip(lines, found, strict=True) if not match]:
        raise ValueError(f'{WIDGETS[key]} has lines that are not `  name: "text",`: {wrong}')
    return {match[1]: json.loads(match[2]) for match in found if match}


def leaves(tree: Tree, *place: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The texts of a tree, each with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, str):
            yield (*place, key), value
        else:
            yield from leaves(value, *place, key)


def texts_of(files: Mapping[str, Tree]) -> list[str]:
    """All texts, each once, in the order in which they stand."""
    return list(dict.fromkeys(text for tree in files.values() for _, text in leaves(tree)))


def rewritten(tree: Tree, translate: Callable[[str], str | None]) -> Tree:
    """The tree in other words; a text for which there are none is left out, and the host shows English."""
    found: Tree = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found[key] = rewritten(value, translate)
        elif (text := translate(value)) is not None:
            found[key] = SYNTAX.sub(r"{'\g<0>'}", text) if key in COMPILED else text
    return found
