"""The shapes of the tiny transformers, by the host's own numbers."""

from dataclasses import dataclass, field
from typing import Any

FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 24,
    "context_in_dim": 40,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 3,
    "axes_dim": [4, 14, 14],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
FLUX2 = {
    "in_channels": 128,
    "out_channels": 128,
    "vec_in_dim": None,
    "mlp_ratio": 3.0,
    "axes_dim": [8] * 4,
    "theta": 2000,
    "patch_size": 1,
    "qkv_bias": False,
    "txt_ids_dims": [3],
    "global_modulation": True,
    "mlp_silu_act": True,
    "ops_bias": False,
    "default_ref_method": "index",
    "ref_index_scale": 10.0,
}
CHROMA = {
    "in_channels": 64,
    "out_channels": 64,
    "vec_in_dim": None,
    "in_dim": 64,
    "out_dim": 64,
    "hidden_dim": 32,
    "n_layers": 1,
    "guidance_embed": None,
}
SD3 = {
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "depth": 2,
    "num_blocks": 3,
    "input_size": None,
    "adm_in_channels": 24,
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": 40, "out_features": 128},
    },
    "num_patches": 576,
    "pos_embed_max_size": 24,
    "pos_embed_scaling_factor": None,
    "qk_norm": "rms",
    "x_block_self_attn_layers": [0, 1],
}
QWEN = {
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 3,
    "attention_head_dim": 32,
    "num_attention_heads": 2,
    "joint_attention_dim": 40,
    "axes_dims_rope": (8, 12, 12),
}
Z_IMAGE = {
    "patch_size": 2,
    "in_channels": 16,
    "dim": 256,
    "cap_feat_dim": 40,
    "n_layers": 2,
    "n_refiner_layers": 2,
    "qk_norm": True,
    "n_heads": 4,
    "n_kv_heads": 4,
    "axes_dims": [16, 24, 24],
    "axes_lens": [1536, 512, 512],
    "rope_theta": 256.0,
    "ffn_dim_multiplier": 8 / 3,
    "z_image_modulation": True,
    "time_scale": 1000.0,
    "pad_tokens_multiple": 32,
}
LUMINA2 = {
    "patch_size": 2,
    "in_channels": 16,
    "dim": 96,
    "cap_feat_dim": 40,
    "n_layers": 2,
    "n_refiner_layers": 2,
    "qk_norm": True,
    "n_heads": 4,
    "n_kv_heads": 2,
    "axes_dims": [8, 8, 8],
    "axes_lens": [300, 512, 512],
    "rope_theta": 10000.0,
    "ffn_dim_multiplier": 4.0,
}
COSMOS = {
    "max_img_h": 240,
    "max_img_w": 240,
    "max_frames": 128,
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 64,
    "concat_padding_mask": True,
    "crossattn_emb_channels": 40,
    "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True,
    "pos_emb_interpolation": "crop",
    "min_fps": 1,
    "max_fps": 30,
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
    "num_blocks": 3,
    "num_heads": 2,
    "extra_per_block_abs_pos_emb": False,
    "rope_h_extrapolation_ratio": 4.0,
    "rope_w_extrapolation_ratio": 4.0,
    "rope_t_extrapolation_ratio": 1.0,
    "extra_h_extrapolation_ratio": 1.0,
    "extra_w_extrapolation_ratio": 1.0,
    "extra_t_extrapolation_ratio": 1.0,
    "rope_enable_fps_modulation": False,
}
KREA2 = {
    "features": 64,
    "channels": 16,
    "patch": 2,
    "layers": 3,
    "heads": 4,
    "kvheads": 2,
    "txtlayers": 3,
    "txtdim": 16,
    "txtheads": 2,
    "txtkvheads": 2,
    "tdim": 32,
}
WAN = {
    "model_type": "t2v",
    "dim": 64,
    "out_dim": 16,
    "in_dim": 16,
    "num_heads": 2,
    "ffn_dim": 96,
    "num_layers": 3,
    "patch_size": (1, 2, 2),
    "freq_dim": 32,
    "window_size": (-1, -1),
    "qk_norm": True,
    "cross_attn_norm": True,
    "eps": 1e-6,
    "text_dim": 40,
    "text_len": 512,
}
HUNYUAN = {
    "in_channels": 64,
    "out_channels": 64,
    "patch_size": [1, 1],
    "vec_in_dim": None,
    "axes_dim": [16, 16],
    "meanflow": False,
    "context_in_dim": 40,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 3,
    "theta": 256,
    "qkv_bias": True,
    "byt5": False,
    "guidance_embed": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
}
AURA = {
    "max_seq": 576,
    "cond_seq_dim": 40,
    "n_double_layers": 2,
    "n_layers": 4,
    "dim": 64,
    "n_heads": 2,
    "global_conddim": 64,
}
HIDREAM = {
    "attention_head_dim": 32,
    "axes_dims_rope": [16, 8, 8],
    "caption_channels": [40, 40],
    "max_resolution": [128, 128],
    "in_channels": 16,
    "out_channels": 16,
    "llama_layers": [0, 1, 1, 1],
    "num_attention_heads": 2,
    "num_routed_experts": 2,
    "num_activated_experts": 1,
    "num_layers": 2,
    "num_single_layers": 2,
    "patch_size": 2,
    "text_emb_dim": 24,
}


@dataclass(frozen=True)
class Shape:
    """One kind of tiny transformer: the host's classes by name, its numbers, and what it is told."""

    config: str
    model: str
    numbers: dict[str, Any]
    channels: int = 16
    frames: bool = False  # latents (B, C, 1, h, w)
    width: int = 40  # of the text
    further: tuple[Any, ...] = ()
    llama: bool = False  # whether another encoder reads the text too
    told: dict[str, Any] = field(default_factory=dict)


TRANSFORMERS: dict[str, Shape] = {
    "flux": Shape("Flux", "Flux", FLUX),
    "flux2": Shape("Flux2", "Flux2", {**FLUX, **FLUX2}, channels=128),
    "chroma": Shape("Chroma", "Chroma", {**FLUX, **CHROMA}, told={"guidance": 0.0}),
    "z-image": Shape("ZImage", "Lumina2", Z_IMAGE),
    "lumina2": Shape("Lumina2", "Lumina2", LUMINA2),
    "qwen-image": Shape("QwenImage", "QwenImage", QWEN, frames=True),
    "sd3": Shape("SD3", "SD3", SD3),
    "cosmos": Shape("CosmosT2IPredict2", "CosmosPredict2", COSMOS, frames=True),
    "krea2": Shape("Krea2", "Krea2", KREA2, frames=True, width=48),
    "wan": Shape("WAN21_T2V", "WAN21", WAN, frames=True),
    "hunyuan-image": Shape("HunyuanImage21", "HunyuanImage21", HUNYUAN, channels=64),
    "aura-flow": Shape("AuraFlow", "AuraFlow", AURA, channels=4),
    "hidream": Shape("HiDream", "HiDream", HIDREAM, llama=True),
}
SIX = ("flux", "z-image", "qwen-image", "sd3", "cosmos", "krea2")  # one of each of the first families
FURTHER = ("wan", "hunyuan-image", "aura-flow", "hidream")
LLAMA = 9  # tokens that another encoder makes of the text
TOKENS = 11
