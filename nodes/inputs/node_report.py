"""What a schema declares so that a report reaches the node that it belongs to."""

from typing import Any

from comfy_api.latest import io


def shows_report() -> dict[str, Any]:
    """Fields of `io.Schema`: the node's id, as part of the key under which the host caches the node.

    Without `not_idempotent` the host's cache hands what one node made to every equal node, in this workflow
    or in a later one, and with it the id of the first, on which the report of them all would be shown. (A
    hidden id alone keeps them apart only where a node is declared in the host's older form.)

    The same node in the same workflow still comes from the cache. Under a new id it is made again, which is
    cheap, and so is what hangs on it, which is not: samplers run again, once. So only nodes that show
    something declare this.
    """
    return {"hidden": [io.Hidden.unique_id], "not_idempotent": True}
