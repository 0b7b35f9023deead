"""What needs scikit-learn says so where it is missing: not everybody installs packs with a manager."""

import sys

import pytest
from attention_control.attention_patches.layout.leakage import leakage
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.maps.components import components
from attention_control.attention_patches.maps.self_segmentation.segmentation import SelfSegmentation
from attention_control.attention_patches.text.words import Word

from .recorded import recorded

MAPS = recorded()
LAYOUT = Layout(((Subject("cat", (2,), ((0.0, 0.0, 0.5, 1.0),)),),))


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda: SelfSegmentation(segments=4)(MAPS, (Word("cat", (2,)),)), "segmentation"),
        (lambda: components(MAPS), "components"),
        (lambda: leakage(MAPS, LAYOUT, image=0), "the plot of queries"),
    ],
)
def test_without_scikit_learn_the_user_learns_what_to_install(use, name, monkeypatch):
    """ComfyUI does not bring it; with it the same call works."""
    use()
    for module in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(RuntimeError, match=f"^{name} needs scikit-learn.*pip install scikit-learn"):
        use()
