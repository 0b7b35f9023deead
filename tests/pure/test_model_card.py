"""The demo model's card says what its files say."""

import json

from attention_control.demo_model.evaluation.card import filled

from pack import ROOT

FOLDER = ROOT / "demo_model"


def test_figures_of_the_card_are_those_of_the_files():
    """Its tables and its list of weights are what `evaluate.py --card` makes of them."""
    card = (FOLDER / "MODEL_CARD.md").read_text()
    weights = json.loads((FOLDER / "weights" / "weights.json").read_text())
    assert all(file["sha256"] in card for file in weights.values())
    assert "| exactly two |" in card and " 120 |" in card
    assert filled(card, FOLDER) == card
