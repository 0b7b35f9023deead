"""The sizes of Pocket Diffusion's three networks: plain data, shared by loading, training and evaluation."""

from typing import Any

# comfy.ldm.models.autoencoder.AutoencoderKL: 8 times smaller, 4 channels, like Stable Diffusion's.
_VAE_LEVELS: dict[str, Any] = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 128,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 1, 2, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [],
    "dropout": 0.0,
}
VAE: dict[str, Any] = {
    "ddconfig": _VAE_LEVELS,
    "decoder_ddconfig": {**_VAE_LEVELS, "num_res_blocks": 0},  # the decoder adds one block per level itself
    "embed_dim": 4,
}
LATENT_SCALE = 0.18215  # SD1.5's; folded into our VAE so that scaled latents have unit deviation

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

# comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel
UNET: dict[str, Any] = {
    "image_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 64,
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
NATIVE_PIXELS = 128
