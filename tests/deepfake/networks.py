"""Tiny networks for the tests of detectors that are given one."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn


def field(number: int, content: bytes | int | str) -> bytes:
    """Return a field of a protocol buffer."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(n: int) -> bytes:
    return (bytes([n & 127 | 128]) + varint(n >> 7)) if n > 127 else bytes([n])


def onnx(path: Path, chain: tuple[str, ...] = ("Relu", "Flatten"), side: int = 8) -> Path:
    """Write a graph of operations one after another; what the k-th gives is called ``t/k``, the last is the output."""

    def value(name: str, dims: tuple[int | str, ...]) -> bytes:
        stated = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, stated)))

    names = ["x", *(f"t/{k}" for k in range(len(chain)))]
    nodes = [field(1, a) + field(2, b) + field(4, kind) for a, b, kind in zip(names, names[1:], chain, strict=False)]
    ends = field(11, value("x", ("n", 3, side, side))) + field(12, value(names[-1], ("a", "b")))
    graph = b"".join(field(1, node) for node in nodes) + field(2, "g") + ends
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path


def torchscript(module: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch.jit.trace(module.eval(), torch.rand(2, 3, 32, 32), check_trace=False)
        path.write_bytes(graph.save_to_buffer())
    return path


class Light(nn.Module):
    """How light a picture is: one number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2, 3))[:, None]


class Answers(nn.Module):
    """How light a picture is, as `form` says it."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        light = x.mean((1, 2, 3))[:, None]
        if self.form == "probability":
            return torch.sigmoid(light)
        if self.form == "pair":
            return torch.cat([-light, 2 * light], 1)
        if self.form == "probabilities":
            return torch.softmax(torch.cat([torch.zeros_like(light), light], 1), 1)
        if self.form == "constant":
            return 0 * light + 0.3
        if self.form == "nothing":
            return light * float("nan")
        if self.form == "many":
            return light.expand(-1, 5)
        return light


class Places(nn.Module):
    """Vectors of four pools of each channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


def classifier(folder: Path, labels: tuple[str, ...] = ("real", "fake")) -> Path:
    """Write a ViT with random weights and its image processor."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    names = dict(enumerate(labels))
    config = ViTConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=32, patch_size=8,
        id2label=names, label2id={name: i for i, name in names.items()}, num_labels=len(names), initializer_range=0.5,
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "do_normalize": true,'
        ' "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )
    return folder


CLASS = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(3, 1)
    def forward(self, x):
        return self.line(x.mean((2, 3)))
class Prepared(Net):
    def prepare(self, pixels):
        return torch.from_numpy(pixels[:4, :4].copy()).permute(2, 0, 1).float() / 255
class Listed(Net):
    def forward(self, x):
        return [1]
class Needs(Net):
    def __init__(self, width):
        super().__init__()
def function():
    return None
"""


def own_class(folder: Path, name: str = "guardrails_test_net") -> tuple[str, Path]:
    """Write a module and a checkpoint of its class; return the module's name and the checkpoint."""
    (folder / f"{name}.py").write_text(CLASS)
    weights = {"line.weight": torch.tensor([[1.0, 2.0, 3.0]]), "line.bias": torch.tensor([0.5])}
    torch.save(weights, folder / "net.pt")
    return name, folder / "net.pt"
