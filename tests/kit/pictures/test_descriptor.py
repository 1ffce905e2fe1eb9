"""The copy descriptor: vectors of pictures of any size, weights that are what their card says, and models of users."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from guardrails.core.errors import ConfigurationError, MissingExtraError
from guardrails.kit.pictures import user_network as own_network
from guardrails.kit.pictures.descriptor import (
    WEIGHTS,
    WIDTH,
    Descriptor,
    network,
    read_weights,
    shipped_descriptor,
    squared,
    standardised,
    write_weights,
)
from guardrails.kit.pictures.user_descriptor import load_descriptor


def picture(seed: int = 0, height: int = 40, width: int = 56) -> Any:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((height // 5, width // 7, 1), np.uint8))


def test_the_shipped_descriptor_gives_unit_vectors_of_pictures_of_any_size_and_kind() -> None:
    descriptor = shipped_descriptor()
    x = picture()
    vectors = descriptor.embed([x, x[..., 0], x / 255, np.zeros((1, 1, 3), np.uint8), picture(height=400, width=560)])
    assert vectors.shape == (5, WIDTH)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[0], vectors[2], atol=1e-4)
    assert descriptor.embed([]).shape == (0, WIDTH)


def test_batches_do_not_change_a_vector() -> None:
    pictures = [picture(i) for i in range(70)]
    together = shipped_descriptor().embed(pictures)
    assert np.allclose(together[65], shipped_descriptor().embed([pictures[65]])[0], atol=1e-4)


def test_a_mirrored_copy_is_nearer_than_strangers() -> None:
    pictures = [picture(i) for i in range(30)]
    vectors = shipped_descriptor().embed(pictures)
    mirrored = shipped_descriptor().embed([p[:, ::-1] for p in pictures])
    nearest = ((mirrored[:, None] - vectors) ** 2).sum(2).argmin(1)
    assert (nearest == np.arange(30)).mean() > 0.8


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 1.0), st.floats(0, 0.2))
def test_brightness_and_contrast_are_not_seen(gain: float, offset: float) -> None:
    x = torch.from_numpy(picture() / 255).permute(2, 0, 1)[None].float()
    assert torch.allclose(standardised(x), standardised(x * gain + offset), atol=1e-3)


def test_what_is_no_picture_is_refused() -> None:
    for bad in (np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros(4)):
        with pytest.raises(ValueError, match="a picture is"):
            squared(bad, (64, 64))


def test_the_weights_are_small_and_have_the_hash_of_their_card() -> None:
    assert (WEIGHTS / "descriptor.safetensors").stat().st_size <= 2_000_000
    card = json.loads((WEIGHTS / "descriptor.json").read_text())
    assert card["sha256"] == shipped_descriptor().sha256
    assert card["command"] == "guardrails train descriptor"
    assert not {*card["data"]["photographs"], *card["data"]["laws"]} & {"china", "flower", "vae-medical"}


def test_altered_lost_and_strange_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing; make it: guardrails train descriptor"):
        read_weights(tmp_path)
    for name in ("descriptor.safetensors", "descriptor.json"):
        shutil.copy(WEIGHTS / name, tmp_path)
    with (tmp_path / "descriptor.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ConfigurationError, match="altered or cut short"):
        read_weights(tmp_path)
    write_weights(nn.Linear(2, 2), {}, tmp_path)
    with pytest.raises(ConfigurationError, match="another version"):
        read_weights(tmp_path)


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = network().eval()
    write_weights(net, {"seed": 1}, tmp_path)
    embedding = read_weights(tmp_path).embed([picture()])
    x = torch.from_numpy(squared(picture(), (64, 64))).permute(2, 0, 1)[None]
    expected = nn.functional.normalize(net(standardised(x))).detach().numpy()
    assert np.allclose(embedding, expected, atol=2e-2)


# --- models of users ---


class Means(nn.Module):
    """The mean of each colour in each quarter: (N, 12)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


class Nothing(Means):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * float("nan")


class Maps(Means):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(x, 2)


class Half(Means):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[:1]


class Constant(Means):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(x), 4)


class Grey(Means):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, torch.ones(2, 1, 1, 1)).mean((2, 3))


def torchscript(module: nn.Module, path: Path) -> Path:
    graph = torch.jit.trace(module.eval(), torch.rand(2, 3, 32, 32), check_trace=False)
    path.write_bytes(graph.save_to_buffer())
    return path


@pytest.mark.filterwarnings("ignore")
def test_an_archive_whose_directory_claims_several_disks_is_no_model(tmp_path: Path) -> None:
    path = torchscript(Means(), tmp_path / "means.pt")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x06\x07")  # the locator of ZIP64, whose last four bytes count the disks
    content[at + 16 : at + 20] = (2).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"neither an .onnx file"):
        load_descriptor(path)


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_model_gets_pictures_as_imagenet_has_them(tmp_path: Path) -> None:
    path = torchscript(Means(), tmp_path / "means.pt")
    descriptor = load_descriptor(path)
    white = np.full((10, 10, 3), 255, np.uint8)
    expected = np.repeat((1 - np.array(own_network.MEAN)) / own_network.DEVIATION, 4)
    assert np.allclose(descriptor.embed([white])[0], expected / np.linalg.norm(expected), atol=1e-3)
    assert (descriptor.name, descriptor.size) == ("means.pt", (224, 224))
    assert load_descriptor(path) is descriptor


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Nothing(), "not finite"),
        (Maps(), r"returned float32 of shape \(2, 3, 2, 2\); a descriptor returns \(2, D\)"),
        (Half(), r"of shape \(1, 12\)"),
        (Constant(), "get the same vector"),
    ],
)
def test_a_model_that_does_not_describe_pictures_is_one_message(tmp_path: Path, module: nn.Module, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_descriptor(torchscript(module, tmp_path / "bad.pt"))


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_other_pictures_says_so(tmp_path: Path) -> None:
    graph = torch.jit.script(nn.Conv2d(1, 4, 3))
    (tmp_path / "grey.pt").write_bytes(graph.save_to_buffer())
    with pytest.raises(ConfigurationError, match="failed on a batch of pictures"):
        load_descriptor(tmp_path / "grey.pt")


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_model_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_descriptor(tmp_path / "none.onnx")
    (tmp_path / "text.pt").write_text("not a model")
    with pytest.raises(ConfigurationError, match=r"neither an \.onnx file nor"):
        load_descriptor(tmp_path / "text.pt")
    torch.save({"a": torch.zeros(2)}, tmp_path / "pickle.pt")
    with pytest.raises(ConfigurationError, match="not a TorchScript model"):
        load_descriptor(tmp_path / "pickle.pt")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    """`torch.save` of an object that would run code: it is refused, and the code has not run."""

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save(Hostile(), tmp_path / "hostile.pt")
    with pytest.raises(ConfigurationError, match="not a TorchScript model"):
        load_descriptor(tmp_path / "hostile.pt")
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_network, "MAX_FILE", 3)
    (tmp_path / "big.onnx").write_bytes(b"1234")
    with pytest.raises(ConfigurationError, match="4 bytes are more than the limit of 3"):
        load_descriptor(tmp_path / "big.onnx")


def test_onnx_without_its_package_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        load_descriptor(onnx(tmp_path / "a.onnx"))


# --- ONNX, written by hand: one operation, its input and its output ---


def _field(number: int, content: bytes | int | str) -> bytes:
    def varint(n: int) -> bytes:
        return (bytes([n & 127 | 128]) + varint(n >> 7)) if n > 127 else bytes([n])

    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def onnx(path: Path, shape: tuple[int | str, ...] = ("n", 3, 32, 32), operation: str = "Flatten") -> Path:
    def value(name: str, dims: tuple[int | str, ...]) -> bytes:
        stated = b"".join(_field(1, _field(1, d) if isinstance(d, int) else _field(2, d)) for d in dims)
        return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, stated)))

    node = _field(1, "x") + _field(2, "y") + _field(4, operation)
    graph = _field(1, node) + _field(2, "g") + _field(11, value("x", shape)) + _field(12, value("y", ("a", "b")))
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13)))
    return path


@pytest.fixture
def runtime() -> None:
    pytest.importorskip("onnxruntime")


@pytest.mark.usefixtures("runtime")
def test_weights_of_an_onnx_graph_in_another_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not in the hash."""
    (tmp_path / "w.bin").write_bytes(b"\0" * 16)
    monkeypatch.chdir(tmp_path)
    entries = {"location": "w.bin", "offset": "0", "length": "16"}
    elsewhere = b"".join(_field(13, _field(1, key) + _field(2, entry)) for key, entry in entries.items())
    tensor = _field(1, 4) + _field(2, 1) + _field(8, "w") + elsewhere + _field(14, 1)
    dims = b"".join(_field(1, _field(1, d)) for d in (1, 3, 4, 4))
    values = {name: _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims))) for name in "xy"}
    node = _field(1, "x") + _field(1, "w") + _field(2, "y") + _field(4, "Add")
    graph = _field(1, node) + _field(2, "g") + _field(5, tensor) + _field(11, values["x"]) + _field(12, values["y"])
    (tmp_path / "m.onnx").write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13)))
    with pytest.raises(ConfigurationError, match="not an ONNX model"):
        load_descriptor(tmp_path / "m.onnx")


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("shape", [("n", 3, 32, 32), (3, 3, 32, 32), ("n", "c", 32, 32)])
def test_an_onnx_model_is_asked_at_the_size_that_it_states(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    descriptor = load_descriptor(onnx(tmp_path / "flat.onnx", shape))
    assert descriptor.size == (32, 32)
    assert descriptor.embed([picture(i) for i in range(5)]).shape == (5, 3 * 32 * 32)


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize(
    ("shape", "operation", "said"),
    [
        (("n", 1, 32, 32), "Flatten", "its input must be float"),
        (("n", 3), "Flatten", "its input must be float"),
        (("n", 3, 9000, 9000), "Flatten", "at most 1024"),
        (("n", 3, 32, 32), "Relu", "not an ONNX model|a descriptor returns"),
        (("n", 3, 32, 32), "NoSuch", "not an ONNX model"),
    ],
)
def test_an_onnx_model_of_something_else_is_one_message(
    tmp_path: Path, shape: tuple[int | str, ...], operation: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_descriptor(onnx(tmp_path / "bad.onnx", shape, operation))


@pytest.mark.usefixtures("runtime")
def test_bytes_that_are_no_onnx_are_one_message(tmp_path: Path) -> None:
    for content in (b"", b"\x00" * 100, struct.pack("<I", 0xFFFFFFFF) * 40):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(ConfigurationError, match="not an ONNX model"):
            load_descriptor(tmp_path / "bad.onnx")


def test_a_stand_in_for_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part of its interface that is used, so that this path is walked where the package is not installed."""
    from types import SimpleNamespace

    class Session:
        def __init__(self, path: str, options: Any, providers: list[str]) -> None:
            assert providers == ["CPUExecutionProvider"]
            assert getattr(options, "session.x64quantprecision") == "1"

        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name="x", type="tensor(float)", shape=["n", 3, 16, 24])]

        def get_outputs(self) -> list[Any]:
            return [SimpleNamespace(name="y")]

        def run(self, names: list[str], given: dict[str, Any]) -> list[Any]:
            assert given["x"].dtype == np.float32
            return [given["x"].mean((2, 3)) + given["x"][:, :, 0, 0]]

    class Options(SimpleNamespace):
        def add_session_config_entry(self, key: str, value: str) -> None:
            setattr(self, key, value)

    stand_in = SimpleNamespace(SessionOptions=Options, InferenceSession=Session)
    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in)
    descriptor: Descriptor = load_descriptor(onnx(tmp_path / "stand-in.onnx"))
    assert descriptor.size == (16, 24)
    assert descriptor.embed([picture()]).shape == (1, 3)
