"""Workflows of the earlier StyleAligned pack, style_aligned_comfy, open and run with `StyleAlignedBatch`."""

from typing import Any

from comfy_api.latest import io


def replacements() -> list[Any]:
    """What the host puts in place of `StyleAlignedBatchAlign` where the pack that had it is not installed.

    `scale` was a factor on the reference's keys, as `score_scale` is. A replacement cannot translate the
    choices `share_attn` and `share_norm`; each becomes what that node began with: queries and keys, and
    group norms shared.
    """
    settings = {
        "sharing": "reference",
        "adain": "queries and keys",
        "reference_index": 0,
        "score_shift": 0.0,
        "share_group_norm": True,
        "layers": "all",
        "start_percent": 0.0,
        "end_percent": 1.0,
    }
    return [
        io.NodeReplace(
            old_node_id="StyleAlignedBatchAlign",
            new_node_id="StyleAlignedBatch",
            old_widget_ids=["share_norm", "share_attn", "scale"],
            input_mapping=[
                {"new_id": "model", "old_id": "model"},
                {"new_id": "score_scale", "old_id": "scale"},
                *({"new_id": name, "set_value": value} for name, value in settings.items()),
            ],
            output_mapping=[{"new_idx": 0, "old_idx": 0}],
        )
    ]
