"""Pocket Diffusion in the host's own classes: for training, and as MODEL, CLIP and VAE."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models_base
import comfy.utils
import folder_paths
import torch
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer, SDClipModel

from ...demo_model import architecture

WEIGHTS = Path(__file__).resolve().parents[2] / "demo_model" / "weights"
PARTS = ("unet", "text", "vae")


class PocketLatents(comfy.latent_formats.LatentFormat):
    """16 channels of mean 0 and deviation 1, as the autoencoder gives them."""

    scale_factor = architecture.latent_scale(16)
    latent_channels = 16


LATENT_FORMATS = {4: comfy.latent_formats.SD15, 16: PocketLatents}


class PocketDiffusion(comfy.supported_models_base.BASE):
    """SD1.5's noise schedule with v-prediction, on SD1.5's latents or our own of 16 channels."""

    unet_extra_config = {"num_heads": architecture.UNET_HEADS, "num_head_channels": -1}  # noqa: RUF012 (host's form)

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(architecture.unet(channels, width))
        self.latent_format = LATENT_FORMATS[channels]()


class PocketTextModel(SDClipModel):
    """CLIP's text transformer, two layers deep; positions after the end token become zero."""

    def __init__(
        self, device: Any = "cpu", dtype: Any = None, model_options: dict[str, Any] | None = None
    ) -> None:
        super().__init__(
            device=device,
            dtype=dtype,
            textmodel_json_config=dict(architecture.TEXT),
            zero_out_masked=True,
            return_projected_pooled=False,
            model_options=model_options or {},
        )


class PocketTextEncoder(SD1ClipModel):
    def __init__(
        self, device: Any = "cpu", dtype: Any = None, model_options: dict[str, Any] | None = None
    ) -> None:
        super().__init__(device, dtype, model_options or {}, clip_model=PocketTextModel)


@dataclass(frozen=True)
class DemoModel:
    model: Any  # comfy.model_patcher.ModelPatcher
    clip: Any  # comfy.sd.CLIP
    vae: Any  # comfy.sd.VAE


def build_denoiser(
    channels: int = architecture.CHANNELS, width: int = architecture.WIDTH, device: Any = None
) -> comfy.model_base.BaseModel:
    """The U-Net with its sampling, in float32, on latents of 4 or 16 channels, its weights not yet set."""
    config = PocketDiffusion(channels, width)
    config.set_inference_dtype(torch.float32, None)
    return comfy.model_base.BaseModel(config, comfy.model_base.ModelType.V_PREDICTION, device=device)


def build_text_encoder() -> PocketTextEncoder:
    """The text encoder in float32 on the CPU, its weights not yet set."""
    return PocketTextEncoder(dtype=torch.float32)


def load_demo_model(folder: Path = WEIGHTS) -> DemoModel:
    """MODEL, CLIP and VAE from the weights in `folder`; how many channels the latents have, the files say.

    Raises RuntimeError if a file is missing or differs from the one that `weights.json` describes, or if the
    U-Net and the autoencoder are not of one kind of latents.
    """
    weights = {part: _read(folder, part) for part in PARTS}
    channels = {part: architecture.latent_channels(weights[part]) for part in ("unet", "vae")}
    if channels["unet"] != channels["vae"] or channels["unet"] not in LATENT_FORMATS:
        raise RuntimeError(
            f"the demo model's files in {folder} do not belong together: the U-Net works on latents of "
            f"{channels['unet']} channels, the autoencoder makes {channels['vae']}; both must have "
            f"{' or '.join(map(str, LATENT_FORMATS))}; take both files from one training"
        )
    demo = DemoModel(_model(weights["unet"]), _clip(weights["text"]), _vae(weights["vae"]))
    # With these the host can load a part anew, for another device or without dynamic memory.
    demo.model.cached_patcher_init = (reload_part, ("unet", folder))
    demo.clip.patcher.cached_patcher_init = (reload_part, ("text", folder))
    demo.vae.patcher.cached_patcher_init = (reload_part, ("vae", folder))
    return demo


def reload_part(part: str, folder: Path, disable_dynamic: bool = False) -> Any:
    """The patcher of one part ("unet", "text", "vae") once more, from its file."""
    weights = _read(folder, part)
    if part == "unet":
        return _model(weights, disable_dynamic)
    return (_clip(weights, disable_dynamic) if part == "text" else _vae(weights)).patcher


def _model(weights: dict[str, torch.Tensor], disable_dynamic: bool = False) -> Any:
    load_device = comfy.model_management.get_torch_device()
    offload_device = comfy.model_management.unet_offload_device()
    denoiser = build_denoiser(
        architecture.latent_channels(weights), architecture.unet_width(weights), offload_device
    )
    denoiser.diffusion_model.load_state_dict(weights, strict=True)
    # Looked up at call time: the host may replace the class when it starts.
    host = comfy.model_patcher
    patcher = host.ModelPatcher if disable_dynamic else host.CoreModelPatcher
    return patcher(denoiser, load_device=load_device, offload_device=offload_device)


def _clip(weights: dict[str, torch.Tensor], disable_dynamic: bool = False) -> Any:
    target = comfy.supported_models_base.ClipTarget(SD1Tokenizer, PocketTextEncoder)
    parameters = sum(tensor.numel() for tensor in weights.values())
    embeddings = folder_paths.get_folder_paths("embeddings")
    clip = comfy.sd.CLIP(
        target, embedding_directory=embeddings, parameters=parameters, disable_dynamic=disable_dynamic
    )
    clip.cond_stage_model.clip_l.transformer.load_state_dict(weights, strict=True)
    return clip


def _vae(weights: dict[str, torch.Tensor]) -> Any:
    channels = architecture.latent_channels(weights)
    vae = comfy.sd.VAE(sd=weights, config={"params": architecture.vae(channels)})
    vae.throw_exception_if_invalid()
    vae.latent_channels = channels  # the host takes 4 for granted where it is given a configuration
    vae.first_stage_model.load_state_dict(weights, strict=True)  # the host only warns of missing tensors
    return vae


def _read(folder: Path, part: str) -> dict[str, torch.Tensor]:
    """The tensors of one file in float32, once its hash is what the list of weights says."""
    path = folder / f"{part}.safetensors"
    mend = "restore it with `git checkout -- demo_model/weights`, or download the pack again"
    try:
        expected = json.loads((folder / "weights.json").read_text())[path.name]["sha256"]
        data = path.read_bytes()
    except (OSError, KeyError, ValueError) as error:
        raise RuntimeError(f"the demo model's weights {path} cannot be read ({error!r}): {mend}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise RuntimeError(
            f"the demo model's weights {path} are damaged: {len(data)} bytes with SHA-256 {found[:12]}..., "
            f"expected {expected[:12]}...; {mend}"
        )
    return {name: tensor.float() for name, tensor in comfy.utils.load_torch_file(str(path)).items()}
