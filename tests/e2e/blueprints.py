"""A blueprint's subgraph, unpacked into a workflow round it that can be run."""

import copy
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
INPUTS, OUTPUTS = -10, -20  # a subgraph's own nodes
LOADER, PICTURE, SAVER = 1001, 1002, 1003
FROM = {"model": (LOADER, 0), "clip": (LOADER, 1), "vae": (LOADER, 2), "picture": (PICTURE, 0)}


def unpacked(blueprint: Json, values: Mapping[str, Any]) -> Json:
    """The subgraph's nodes with the demo model, an example picture and a saver at its sockets.

    `values` are those of the blueprint's widgets, by name; the others keep what is saved in the subgraph.
    """
    graph = copy.deepcopy(blueprint["definitions"]["subgraphs"][0])
    nodes = {node["id"]: node for node in graph["nodes"]}
    links: list[list[Any]] = []
    for link in graph["links"]:
        here, slot = link["origin_id"], link["origin_slot"]
        there, at = link["target_id"], link["target_slot"]
        if here == INPUTS:
            name = graph["inputs"][slot]["name"]
            if name not in FROM:
                nodes[there]["inputs"][at]["link"] = None
                if name in values:
                    _set(nodes[there], nodes[there]["inputs"][at]["name"], values[name])
                continue
            here, slot = FROM[name]
        if there == OUTPUTS:
            there, at = SAVER, 0
        links.append([link["id"], here, slot, there, at, link["type"]])
    around = [
        {"id": LOADER, "type": "LoadDemoModel", "inputs": [], "order": -2},
        {"id": PICTURE, "type": "LoadExamplePicture", "inputs": [], "order": -1, "widgets_values": ["style"]},
        {
            **{"id": SAVER, "type": "SaveImage", "order": 99, "title": "Pictures"},
            "inputs": [{"name": "images", "type": "IMAGE", "link": graph["outputs"][0]["linkIds"][0]}],
            "widgets_values": ["blueprint"],
        },
    ]
    return {"nodes": [*graph["nodes"], *around], "links": links}


def _set(node: Json, name: str, value: Any) -> None:
    """The saved value of a widget; the samplers' seeds, behind which the UI saves one more, stand first."""
    widgets = [x["name"] for x in node["inputs"] if "widget" in x]
    if "seed" in widgets and widgets.index("seed") < widgets.index(name):
        raise ValueError(f"{name} stands behind a seed")
    node["widgets_values"][widgets.index(name)] = value
