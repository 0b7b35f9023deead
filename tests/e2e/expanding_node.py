"""A custom node for the server under test: it becomes a recorder and a sampler when it runs."""

from typing import Any

from comfy_api.latest import ComfyExtension, io
from comfy_execution.graph_utils import GraphBuilder


class RecordedSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.Model.Input("model", raw_link=True),
            io.Conditioning.Input("text", raw_link=True),
            io.Latent.Input("latent", raw_link=True),
            io.Int.Input("seed"),
        ]
        return io.Schema(
            node_id="RecordedSampler", inputs=inputs, outputs=[io.Latent.Output()], enable_expand=True
        )

    @classmethod
    def execute(cls, model: Any, text: Any, latent: Any, seed: int) -> io.NodeOutput:
        graph = GraphBuilder()
        recording = {"record": "both", "layers": "all", "self_max_tokens": 64, "queries_and_keys": False}
        recorder = graph.node("AttentionRecorder", model=model, **recording)
        sampling = {"steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
        given = {"model": recorder.out(0), "positive": text, "negative": text, "latent_image": latent}
        sampler = graph.node("KSampler", **given, **sampling, seed=seed)
        return io.NodeOutput(sampler.out(0), expand=graph.finalize())


async def comfy_entrypoint() -> ComfyExtension:
    class Expanding(ComfyExtension):
        async def get_node_list(self) -> list[Any]:
            return [RecordedSampler]

    return Expanding()
