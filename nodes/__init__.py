"""The pack's nodes, one per file; this list is the table of contents."""

from typing import Any


def node_classes() -> list[Any]:
    """All node classes, imported on demand so that importing the pack does not import the host."""
    from .attention_leakage import AttentionLeakage
    from .attention_map_viewer import AttentionMapViewer
    from .attention_probe import AttentionProbe
    from .attention_recorder import AttentionRecorder
    from .bounded_attention import BoundedAttention
    from .cross_image_attention import CrossImageAttention
    from .encode_prompt_batch import EncodePromptBatch
    from .invert_latent import InvertLatent
    from .layout_guidance import LayoutGuidance
    from .load_attention_maps import LoadAttentionMaps
    from .load_demo_model import LoadDemoModel
    from .load_inversion import LoadInversion
    from .reconstruct_latent import ReconstructLatent
    from .save_attention_maps import SaveAttentionMaps
    from .save_inversion import SaveInversion
    from .self_segment import SelfSegment
    from .style_aligned import StyleAlignedBatch

    return [
        StyleAlignedBatch,
        EncodePromptBatch,
        AttentionRecorder,
        AttentionProbe,
        AttentionMapViewer,
        SelfSegment,
        AttentionLeakage,
        SaveAttentionMaps,
        LoadAttentionMaps,
        InvertLatent,
        ReconstructLatent,
        SaveInversion,
        LoadInversion,
        CrossImageAttention,
        BoundedAttention,
        LayoutGuidance,
        LoadDemoModel,
    ]
