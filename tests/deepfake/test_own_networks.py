"""Detectors on networks of the user's: what their answers mean, calibration alone, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import load_detector
from guardrails.deepfake.classifier import Classifier, synthetic_labels
from guardrails.deepfake.images.encoder import centre, whole
from guardrails.deepfake.network import OwnNetwork
from guardrails.deepfake.own import OwnClass

from . import networks

Image = NDArray[np.uint8]


def picture(seed: int, light: int = 255, side: int = 24) -> Image:
    return np.random.default_rng(seed).integers(0, light, (side, side, 3)).astype(np.uint8)


SEEN = [picture(i, 256 if i % 2 else 100 + i) for i in range(40)]
LABELS = [i % 2 for i in range(40)]


def normalised(pixels: Image) -> NDArray[np.float64]:
    return (pixels / 255 - np.array((0.485, 0.456, 0.406))) / np.array((0.229, 0.224, 0.225))


def scores(form: str, folder: Path, pictures: list[Image]) -> list[float | None]:
    detector = OwnNetwork(str(networks.torchscript(networks.Answers(form), folder / f"{form}.pt")))
    return [row.score for row in detector.score(pictures)]


# --- what an answer means ---


@pytest.mark.parametrize(
    ("form", "times"), [("logit", 1.0), ("pair", 3.0), ("probability", 1.0), ("probabilities", 1.0)]
)
def test_a_score_is_a_logit_whatever_form_the_answer_has(form: str, times: float, tmp_path: Path) -> None:
    expected = [times * normalised(whole(one, 224)).mean() for one in SEEN[:3]]
    assert scores(form, tmp_path, SEEN[:3]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("form", "said"), [("constant", "the same score"), ("nothing", "not finite"), ("many", "one number, or two")]
)
def test_answers_that_say_nothing_are_refused(form: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        scores(form, tmp_path, SEEN)


class Rare(torch.nn.Module):
    """A probability of most pictures; of one colour it is not."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        light = x.mean((1, 2, 3))
        strange = (x[:, 0].mean((1, 2)) > 2.2) & (x[:, 1].mean((1, 2)) < -2)
        return torch.where(strange, light + 7, torch.sigmoid(light))


def test_a_number_that_is_no_probability_after_all_is_a_row_that_abstains(tmp_path: Path) -> None:
    detector = OwnNetwork(str(networks.torchscript(Rare(), tmp_path / "rare.pt")))
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    row, other = detector.score([red, SEEN[0]])
    assert row.score is None
    assert "were probabilities" in row.reasons[0]
    assert other.score is not None


# --- calibration ---


def test_there_is_no_probability_before_calibration(tmp_path: Path) -> None:
    path = networks.torchscript(networks.Light(), tmp_path / "light.pt")
    detector = load_detector(f"deepfake.network:{path}")
    row = detector.score([SEEN[0]])[0]
    assert row.score is not None
    assert (row.probability, row.likelihood_ratio, row.verdict) == (None, None, "abstain")
    assert "not calibrated" in row.reasons[0]
    assert np.isnan(detector.predict_proba([SEEN[0]])).all()
    with pytest.raises(ConfigurationError, match="not calibrated"):
        OwnNetwork(str(path)).save(tmp_path / "kept")


def test_to_fit_is_to_calibrate_and_leaves_the_score(tmp_path: Path) -> None:
    path = str(networks.torchscript(networks.Light(), tmp_path / "light.pt"))
    bare, fitted = OwnNetwork(path), OwnNetwork(path).fit(SEEN, LABELS)
    light, dark = picture(99, 256), picture(98, 110)
    rows = fitted.score([light, dark])
    assert [row.verdict for row in rows] == ["synthetic", "nothing found"]
    assert [row.score for row in rows] == pytest.approx([row.score for row in bare.score([light, dark])])
    fitted.save(tmp_path / "kept")
    again = load_detector(f"deepfake.network:{tmp_path / 'kept'}").score([light])[0]
    assert again.probability == pytest.approx(rows[0].probability, abs=1e-5)
    assert again.calibration == rows[0].calibration


def test_a_network_that_points_the_other_way_is_not_calibrated(tmp_path: Path) -> None:
    detector = OwnNetwork(str(networks.torchscript(networks.Light(), tmp_path / "light.pt")))
    with pytest.raises(ConfigurationError, match=r"not larger for synthetic items \(AUC 0\.0"):
        detector.calibrate(SEEN, [1 - label for label in LABELS])


# --- a file ---


class Corner(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, 0, 0].mean(1)


def test_the_centre_keeps_the_resolution(tmp_path: Path) -> None:
    path, large = networks.torchscript(Corner(), tmp_path / "corner.pt"), picture(0, side=300)
    score = OwnNetwork(f"{path}#centre").score([large])[0].score
    assert score == pytest.approx(normalised(centre(large, 224))[0, 0].mean(), abs=1e-4)
    with pytest.raises(ConfigurationError, match="whole or centre"):
        OwnNetwork(f"{path}#corner")


def test_an_onnx_network(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = networks.onnx(tmp_path / "mean.onnx", ("GlobalAveragePool", "Flatten"))
    with pytest.raises(ConfigurationError, match="one number, or two"):
        OwnNetwork(str(path))
    path = networks.onnx(tmp_path / "light.onnx", ("ReduceMean",))
    with pytest.raises(ConfigurationError, match="not an ONNX model"):
        OwnNetwork(str(networks.onnx(tmp_path / "bad.onnx", ("NoSuch",))))
    score = OwnNetwork(str(path)).score([SEEN[0]])[0].score
    assert score == pytest.approx(normalised(whole(SEEN[0], 8)).mean(), abs=1e-4)


# --- a class ---


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"net_{tmp_path.name}"
    networks.own_class(tmp_path, name)
    return name


def test_a_class_with_its_checkpoint(module: str, tmp_path: Path) -> None:
    detector = OwnClass(f"{module}:Net,checkpoint={tmp_path / 'net.pt'}")
    expected = normalised(whole(SEEN[0], 224)).mean((0, 1)) @ [1, 2, 3] + 0.5
    assert detector.score([SEEN[0]])[0].score == pytest.approx(expected, abs=1e-4)
    prepared = OwnClass(f"{module}:Prepared,checkpoint={tmp_path / 'net.pt'}")
    expected = (SEEN[0][:4, :4] / 255).mean((0, 1)) @ [1, 2, 3] + 0.5
    assert prepared.score([SEEN[0]])[0].score == pytest.approx(expected, abs=1e-4)


def test_checkpoints_in_other_wrappings(module: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weights = torch.load(tmp_path / "net.pt", weights_only=True)
    torch.save({"epoch": 3, "state_dict": weights}, tmp_path / "nested.pt")
    save_file(weights, tmp_path / "net.safetensors")
    checksums = {
        OwnClass(f"{module}:Net,checkpoint={tmp_path / file}").sha256
        for file in ("net.pt", "nested.pt", "net.safetensors")
    }
    assert len(checksums) == 1


def test_a_pickle_of_more_than_tensors_never_runs(module: str, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(ConfigurationError, match="no checkpoint of tensors alone"):
        OwnClass(f"{module}:Net,checkpoint={tmp_path / 'hostile.pt'}")
    assert not (tmp_path / "ran").exists()


def test_what_is_no_such_class_is_one_message(module: str, tmp_path: Path) -> None:
    torch.save({"line.weight": torch.zeros(1, 3)}, tmp_path / "half.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    for argument, said in (
        (module, "write MODULE:CLASS"),
        ("no_such_module:Net", "no module"),
        (f"{module}:Nett", "Did you mean 'Net'"),
        (f"{module}:function", "no torch.nn.Module"),
        (f"{module}:Needs", "without arguments"),
        (f"{module}:Net", "its weights are random"),
        (f"{module}:Net,checkpoint={tmp_path / 'absent.pt'}", "there is no file"),
        (f"{module}:Net,checkpoint={tmp_path / 'half.pt'}", "does not fill the class"),
        (f"{module}:Net,checkpoint={tmp_path / 'list.pt'}", "does not fill the class"),
        (f"{module}:Listed,checkpoint={tmp_path / 'net.pt'}", "returned a list"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            OwnClass(argument)


# --- a classifier of transformers ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.classifier(tmp_path_factory.mktemp("classifier") / "vit")


def test_a_classifier_is_asked_as_its_own_processor_prepares(folder: Path) -> None:
    from transformers import ViTForImageClassification

    detector = load_detector(f"deepfake.classifier:{folder}")
    model = ViTForImageClassification.from_pretrained(folder).eval()
    square = picture(3, side=32)
    with torch.no_grad():
        logits = model(torch.from_numpy(square / 127.5 - 1).float().permute(2, 0, 1)[None]).logits[0]
    assert detector.score([square])[0].score == pytest.approx(float(logits[1] - logits[0]), abs=1e-3)
    other = Classifier(f"{folder}#real").score([square])[0].score
    assert other == pytest.approx(float(logits[0] - logits[1]), abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        (["real", "fake"], (1,)),
        (["artificial", "human"], (0,)),
        (["Real", "AIGenerated"], (1,)),
        (["Fake", "hum"], (0,)),
        (["real photo", "GAN", "diffusion"], (1, 2)),
        (["Realism", "Deepfake"], (1,)),
    ],
)
def test_which_label_means_synthetic_is_read_from_its_words(labels: list[str], places: tuple[int, ...]) -> None:
    assert synthetic_labels(labels, "", "x") == places


@pytest.mark.parametrize(
    "labels",
    [
        ["LABEL_0", "LABEL_1"],
        ["not fake", "other"],
        ["fake", "deepfake"],
        ["real", "cat", "fake"],
        ["maid", "hair"],
        ["fake"],
    ],
)
def test_where_it_is_not_certain_the_labels_are_listed(labels: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=rf"its labels: {labels[0]}.*FOLDER#LABEL"):
        synthetic_labels(labels, "", "x")


def test_several_labels_can_be_named() -> None:
    assert synthetic_labels(["a", "b", "c"], "a+c", "x") == (0, 2)
    assert synthetic_labels(["a"], "a", "x") == (0,)
    for choice, said in (("d", "there is no label 'd'"), ("a+b+c", "every label")):
        with pytest.raises(ConfigurationError, match=said):
            synthetic_labels(["a", "b", "c"], choice, "x")


def test_what_is_no_classifier_is_one_message(folder: Path, tmp_path: Path) -> None:
    for place, said in (
        ("org/name", "hub:org/name"),
        ("hub:no-slash", "organisation/name"),
        (str(tmp_path / "absent"), "no such folder"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            Classifier(place)
    shutil.copytree(folder, tmp_path / "cut")
    weights = next((tmp_path / "cut").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        Classifier(str(tmp_path / "cut"))
    shutil.copytree(folder, tmp_path / "bare")
    (tmp_path / "bare" / "preprocessor_config.json").write_text("{")
    with pytest.raises(ConfigurationError, match="image processor cannot be loaded"):
        Classifier(str(tmp_path / "bare"))


def test_a_classifier_is_loaded_from_what_was_checked(folder: Path, tmp_path: Path) -> None:
    """No pickle that an index names, no file from elsewhere, no sizes that the weights do not hold."""
    place = shutil.copytree(folder, tmp_path / "copy")
    weights, config = place / "model.safetensors", json.loads((place / "config.json").read_text())
    before = Classifier(str(place)).sha256
    (place / "model.py").write_text("raise SystemExit('ran')")
    assert Classifier(str(place)).sha256 == before
    (place / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 10**7}))
    with pytest.raises(ConfigurationError, match="num_hidden_layers = 10,000,000"):
        Classifier(str(place))
    (place / "config.json").write_text(json.dumps(config))
    weights.rename(place / "other.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "pytorch_model.bin"}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    (place / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ConfigurationError, match="no safetensors file"):
        Classifier(str(place))


def test_a_model_of_the_hub_is_fetched_only_when_named_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = []

    def fetch(id: str, **options: object) -> str:
        asked.append((id, options["allow_patterns"]))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert Classifier("hub:org/name#fake").synthetic == (1,)
    assert asked == [("org/name", ["*.json", "*.safetensors"])]


def test_a_class_that_was_calibrated_is_read_again(module: str, tmp_path: Path) -> None:
    detector = OwnClass(f"{module}:Net,checkpoint={tmp_path / 'net.pt'}").calibrate(SEEN, LABELS)
    detector.save(tmp_path / "kept")
    again = OwnClass(str(tmp_path / "kept"))
    assert [row.verdict for row in again.score(SEEN[:2])] == [row.verdict for row in detector.score(SEEN[:2])]
    torch.save({"line.weight": torch.ones(1, 3), "line.bias": torch.zeros(1)}, tmp_path / "net.pt")
    with pytest.raises(ConfigurationError, match="fit it anew"):
        OwnClass(str(tmp_path / "kept"))


@pytest.mark.parametrize("argument", ["light.pt#centre", "light.pt"])
def test_what_is_kept_holds_wherever_one_works(argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks.torchscript(networks.Light(), tmp_path / "light.pt")
    monkeypatch.chdir(tmp_path)
    OwnNetwork(argument).calibrate(SEEN, LABELS).save("kept")
    monkeypatch.chdir("/")
    assert OwnNetwork(str(tmp_path / "kept")).argument == str(tmp_path / argument)


@pytest.mark.parametrize("name", ["network", "own", "classifier"])
def test_without_an_argument_it_says_what_it_needs(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"deepfake\.{name} needs an argument"):
        load_detector(f"deepfake.{name}")
