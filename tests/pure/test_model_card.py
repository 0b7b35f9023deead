"""The demo model's card says what its files say."""

import json

from attention_control.demo_model.evaluation.card import filled
from attention_control.demo_model.training.weights import listed

from pack import ROOT

FOLDER = ROOT / "demo_model"


def test_figures_of_the_card_are_those_of_the_files():
    """Its tables and its list of weights are what `evaluate.py --card` makes of them."""
    card = (FOLDER / "MODEL_CARD.md").read_text()
    weights = json.loads((FOLDER / "weights" / "weights.json").read_text())
    assert all(file["sha256"] in card for file in weights.values())
    assert "| exactly two |" in card and " 120 |" in card
    assert filled(card, FOLDER) == card


def test_figures_of_companions_are_those_of_their_files_and_of_the_model():
    """Others, or other weights of the U-Net, have to be measured anew."""
    figures = json.loads((FOLDER / "companions" / "results.json").read_text())
    weights = json.loads((FOLDER / "weights" / "weights.json").read_text())
    assert figures["weights"] == weights["unet.safetensors"]["sha256"]
    files = sorted((FOLDER / "companions").rglob("*.safetensors"))
    assert len(files) == 3 and all(path.stat().st_size < 4e6 for path in files)
    assert listed(*files) == figures["files"]
