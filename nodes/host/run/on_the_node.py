"""What a node shows while a run goes on: a line of text, and maps as a picture.

Both go to the browser tab that the running prompt comes from, if it comes from one, and only there; what
another node has put in its place while it ran is seen as that node. Nothing of it is kept.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comfy_api import feature_flags
from comfy_execution.progress import get_progress_state
from PIL import Image
from protocol import BinaryEventTypes
from torch import Tensor
from torch.nn.functional import interpolate, pad

SIDE = 128  # pixels, at least, of one map
COLUMNS = 4
GROUND = 0.25  # between maps


@dataclass(frozen=True)
class OnTheNode:
    """The face of a node, by its id; one without an id shows nothing."""

    node_id: str | None

    def tell(self, text: str) -> None:
        """Put a text on the node; it may have several lines."""
        server = self._followed()
        if server is not None:
            lines = text.replace("\n", "  \n")  # Nodes 2.0 reads Markdown, in which two spaces end a line
            server.send_progress_text(lines, self._names()["display_node_id"], server.client_id)

    def draw(self, make: Callable[[], Tensor]) -> None:
        """Put maps (images, h, w) in 0..1 on the node, black to white, as the host puts a sampler's
        previews.

        They are only made where somebody follows who is shown previews by their node.
        """
        server = self._followed()
        if server is None or not feature_flags.supports_feature(
            server.sockets_metadata, server.client_id, "supports_preview_metadata"
        ):
            return
        preview = ("PNG", in_tiles(make()), None)
        message = (preview, self._names())
        server.send_sync(BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA, message, server.client_id)

    def _followed(self) -> Any:
        """The server, if the running prompt comes from a tab of a browser that has this node."""
        # without a server (tests, scripts) the module was never imported
        server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
        client = getattr(server, "client_id", None)
        return None if self.node_id is None or client is None else server

    def _names(self) -> dict[str, Any]:
        """Where the host's messages belong."""
        progress = get_progress_state()
        return {
            "node_id": self.node_id,
            "prompt_id": progress.prompt_id,
            "display_node_id": progress.dynprompt.get_display_node_id(self.node_id),
            "parent_node_id": progress.dynprompt.get_parent_node_id(self.node_id),
            "real_node_id": progress.dynprompt.get_real_node_id(self.node_id),
        }


def in_tiles(maps: Tensor) -> Image.Image:
    """Maps (images, h, w) side by side, in rows of four at most, each cell as a square of pixels."""
    maps = maps.detach().float().clamp(0, 1).cpu()
    images, columns = len(maps), min(len(maps), COLUMNS)
    scale = max(1, math.ceil(SIDE / max(maps.shape[1:])))
    tiles = pad(interpolate(maps[:, None], scale_factor=scale, mode="nearest"), (2, 2, 2, 2), value=GROUND)
    missing = -images % columns
    tiles = pad(tiles, (0, 0, 0, 0, 0, 0, 0, missing), value=GROUND)
    rows = tiles.unflatten(0, (-1, columns)).squeeze(2)  # (rows, columns, height, width)
    picture = rows.transpose(1, 2).flatten(2).flatten(0, 1)
    return Image.fromarray((picture * 255).round().byte().numpy())
