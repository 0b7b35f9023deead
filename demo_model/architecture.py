"""The sizes of Pocket Diffusion's three networks, shared by loading, training and evaluation."""

from collections.abc import Mapping
from typing import Any

CHANNELS = 16  # of the latents that training makes; weights of 4 channels, as SD1.5 has, are loaded as well
WIDTH = 64  # of the U-Net's first level
LATENT_SCALE = 0.18215  # SD1.5's; folded into an autoencoder of 4 channels, so that scaled latents vary by 1


def latent_scale(channels: int) -> float:
    """What the host multiplies an autoencoder's latents of so many channels by."""
    return LATENT_SCALE if channels == 4 else 1.0


def latent_channels(weights: Mapping[str, Any]) -> int:
    """Of the latents that the autoencoder or the U-Net with these tensors works on."""
    first = "post_quant_conv.weight" if "post_quant_conv.weight" in weights else "input_blocks.0.0.weight"
    return int(weights[first].shape[1])


def vae(channels: int = CHANNELS) -> dict[str, Any]:
    """Arguments of comfy.ldm.models.autoencoder.AutoencoderKL: 8 times smaller, 4 or more channels."""
    levels: dict[str, Any] = {
        "double_z": True,
        "z_channels": channels,
        "resolution": 128,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1, 1, 2, 2],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    return {
        "ddconfig": levels,
        "decoder_ddconfig": {**levels, "num_res_blocks": 0},  # the decoder adds one block per level itself
        "embed_dim": channels,
    }


# comfy.clip_model.CLIPTextModel with CLIP's own vocabulary and length.
TEXT: dict[str, Any] = {
    "num_hidden_layers": 2,
    "hidden_size": 96,
    "num_attention_heads": 4,
    "intermediate_size": 384,
    "hidden_act": "gelu",
    "max_position_embeddings": 77,
    "eos_token_id": 49407,
}
VOCABULARY = 49408


def unet_width(weights: Mapping[str, Any]) -> int:
    """Channels of the first level of the U-Net with these tensors."""
    return int(weights["input_blocks.0.0.weight"].shape[0])


def unet(channels: int = CHANNELS, width: int = WIDTH) -> dict[str, Any]:
    """Arguments of comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel."""
    return {
        "image_size": 16,
        "in_channels": channels,
        "out_channels": channels,
        "model_channels": width,
        "num_res_blocks": [1, 1],
        "channel_mult": [1, 2],
        "transformer_depth": [1, 1],
        "transformer_depth_output": [1, 1, 1, 1],
        "transformer_depth_middle": 1,
        "context_dim": TEXT["hidden_size"],
        "use_linear_in_transformer": True,
        "adm_in_channels": None,
        "use_spatial_transformer": True,
        "legacy": False,
        "use_temporal_attention": False,
        "use_temporal_resblock": False,
    }


UNET_HEADS = 4
