"""Words: chips, their maps, pins, colours."""

import torch

from pack import load_pack

from .browser import Json, Ui, once, renderer

KEPT = """() => app.extensionManager.workflow.activeWorkflow.changeTracker.activeState.nodes
    .find(node => node.type === "AttentionMapViewer").widgets_values"""


@once
def test_words_of_the_prompt_are_chips(ui: Ui) -> None:
    """The words that name something, in their order; each has a colour of its own."""
    assert ui.viewer.chips.all_inner_texts() == ["red", "cat", "blue", "dog", "beach", "clay", "style"]
    colours = [chip.evaluate("x => x.style.getPropertyValue('--word')") for chip in ui.viewer.chips.all()]
    assert len(set(colours)) == len(colours)


@once
def test_hovered_noun_is_hot_where_the_judge_finds_it(ui: Ui) -> None:
    """The hottest place of each subject's map lies in a box in which the judge sees that subject."""
    seen = torch.from_numpy(ui.file(ui.payload()["images"][0]["picture"]).copy()) / 255
    load_pack()
    from attention_control.demo_model.judge import Judge

    boxes: dict[str, list[tuple[float, ...]]] = {}
    for subject in Judge.load()(seen[None])[0].subjects:
        boxes.setdefault(subject.noun, []).append(subject.box)
    nouns = [word for word in ui.viewer.chips.all_inner_texts() if word in boxes]
    assert nouns
    for noun in nouns:
        ui.viewer.chip(noun).hover()
        assert f"“{noun}”" in ui.viewer.text("title")
        ui.picture(f"{renderer(ui)}-word-{noun}")
        ui.viewer.panel.get_by_label("Colour map").select_option("gray")
        ui.viewer.chip(noun).hover()
        x, y = (side * seen.shape[1] for side in ui.viewer.hottest())
        assert any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in boxes[noun])


def test_pins_add_up_and_let_go(ui: Ui) -> None:
    """Click keeps a word alone, shift adds one, Escape lets go; all by keys as well."""
    viewer = ui.viewer
    viewer.chip("cat").click()
    viewer.chip("dog").click(modifiers=["Shift"])
    viewer.leave()
    assert viewer.pressed() == ["cat", "dog"] and "“cat + dog”" in viewer.text("title")
    ui.picture(f"{renderer(ui)}-two-words")
    viewer.chip("cat").click()
    assert viewer.pressed() == ["cat"]
    viewer.chip("cat").press("ArrowRight")
    ui.page.keyboard.press("Shift+Enter")
    assert viewer.pressed() == ["cat", "blue"]
    ui.page.keyboard.press("Escape")
    assert viewer.pressed() == []


def test_colour_map_is_the_nodes_own_input(ui: Ui) -> None:
    """Chosen in the panel or in the node, it is the same; nothing else of the panel goes to the server."""
    viewer, node = ui.viewer, 'app.graph.nodes.find(x => x.type === "AttentionMapViewer")'
    own = f'{node}.widgets.find(x => x.name === "colormap")'
    viewer.panel.get_by_label("Colour map").select_option("viridis")
    assert ui.page.evaluate(f"{own}.value") == "viridis"
    ui.page.evaluate(f'{own}.value = "turbo"; {own}.callback("turbo")')
    viewer.settle()
    assert viewer.panel.get_by_label("Colour map").input_value() == "turbo"

    def prompt() -> Json:
        sent: Json = ui.page.evaluate(f"app.graphToPrompt().then(x => x.output[{node}.id].inputs)")
        return sent

    before = prompt()
    assert before["colormap"] == "turbo" and "attention_maps" not in before
    viewer.panel.get_by_label("Opacity").fill("0.3")
    viewer.slider("layer").press("End")
    assert prompt() == before


@once
def test_what_is_kept_can_be_used_for_outputs(ui: Ui) -> None:
    """Words, layer and time are written into the node, stand in what is sent, and the run gives just them."""
    viewer, node = ui.viewer, 'app.graph.nodes.find(x => x.type === "AttentionMapViewer")'
    names = ["mode", "words", "layer", "time"]
    pairs = "widgets.filter(x => names.includes(x.name)).map(x => [x.name, x.value])"
    read = f"names => Object.fromEntries({node}.{pairs})"
    before = ui.page.evaluate(read, names)
    viewer.chip("cat").click()
    viewer.chip("dog").click(modifiers=["Shift"])
    viewer.slider("layer").fill("2")
    viewer.slider("time").fill("1")
    viewer.panel.get_by_role("button", name="Use for outputs").click()
    assert "“cat + dog” · layer" in viewer.text("written")
    ordinal = ui.payload()["layers"][1]["ordinal"]
    expected = {"mode": "words", "words": "cat, dog", "layer": str(ordinal), "time": "1"}
    assert ui.page.evaluate(read, names) == expected
    assert "cat, dog" in ui.page.evaluate(KEPT)  # when the page is loaded again
    sent = ui.page.evaluate(f"app.graphToPrompt().then(x => x.output[{node}.id].inputs)")
    assert {name: sent[name] for name in names} == expected
    viewer.panel.scroll_into_view_if_needed()
    ui.picture(f"{renderer(ui)}-use-for-outputs")
    viewer.chip("cat").focus()
    ui.run()
    assert viewer.chip("cat").evaluate("chip => chip === document.activeElement")
    payload = ui.payload()
    assert [payload["words"][word]["text"] for word in payload["chosen"]] == ["cat", "dog"]
    assert (payload["layer"], payload["time"]) == (1, 0)
    assert viewer.pressed() == ["cat", "dog"]
    restore = f"values => {node}.widgets.forEach(x => x.name in values && (x.value = values[x.name]))"
    ui.page.evaluate(restore, before)
    ui.run()
