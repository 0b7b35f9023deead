"""What a run is about to sample, without a host."""

from attention_control.attention_patches.contract.batch import Batch
from attention_control.attention_patches.contract.call.site import Text
from attention_control.attention_patches.contract.layers.layer_map import LayerMap


def batch(**changes):
    """One image of 8 x 8 cells under a positive and a negative text of 77 tokens."""
    plain = {
        "images": 1,
        "latent": (8, 8),
        "layers": LayerMap("U-Net", ()),
        "layer_sizes": {},
        "presets": {},
        "conditionings": {},
        "texts": (Text("positive", 0, 77), Text("negative", 0, 77)),
        "tell": lambda line: None,
    }
    return Batch(**{**plain, **changes})
