"""The host's U-Nets for images: SD1.5, SD2, SDXL and their kin."""

from .unet import UNet

__all__ = ["UNet"]
