"""The pack's nodes, one per file; this list is the table of contents."""

from typing import Any


def node_classes() -> list[Any]:
    """All node classes, imported on demand so that importing the pack does not import the host."""
    from .demo.load_demo_model_node import LoadDemoModel
    from .demo.load_example_picture_node import LoadExamplePicture
    from .edit.blend_masks_node import BlendMasks
    from .edit.plug_and_play_node import PlugAndPlay
    from .edit.prompt_to_prompt_node import PromptToPrompt
    from .edit.shape_variations_node import ShapeVariations
    from .inspect.attention_leakage_node import AttentionLeakage
    from .inspect.attention_map_viewer_node import AttentionMapViewer
    from .inspect.attention_probe_node import AttentionProbe
    from .inspect.attention_recorder_node import AttentionRecorder
    from .inspect.load_attention_maps_node import LoadAttentionMaps
    from .inspect.prompt_diagnosis_node import PromptDiagnosis
    from .inspect.save_attention_maps_node import SaveAttentionMaps
    from .inspect.self_segment_node import SelfSegment
    from .inversion.invert_latent_node import InvertLatent
    from .inversion.load_inversion_node import LoadInversion
    from .inversion.reconstruct_latent_node import ReconstructLatent
    from .inversion.save_inversion_node import SaveInversion
    from .layout.bounded_attention_node import BoundedAttention
    from .layout.layout_guidance_node import LayoutGuidance
    from .style.cross_image_attention_node import CrossImageAttention
    from .style.encode_prompt_batch_node import EncodePromptBatch
    from .style.style_aligned_batch_node import StyleAlignedBatch
    from .style.style_reference_node import StyleReference
    from .wide.multidiffusion_node import MultiDiffusion
    from .wide.prompt_region_node import PromptRegion

    return [
        StyleAlignedBatch,
        EncodePromptBatch,
        StyleReference,
        AttentionRecorder,
        AttentionProbe,
        AttentionMapViewer,
        SelfSegment,
        AttentionLeakage,
        PromptDiagnosis,
        SaveAttentionMaps,
        LoadAttentionMaps,
        InvertLatent,
        ReconstructLatent,
        SaveInversion,
        LoadInversion,
        CrossImageAttention,
        BoundedAttention,
        LayoutGuidance,
        PromptToPrompt,
        BlendMasks,
        PlugAndPlay,
        ShapeVariations,
        MultiDiffusion,
        PromptRegion,
        LoadDemoModel,
        LoadExamplePicture,
    ]
