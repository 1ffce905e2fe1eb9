"""The smaller commands: generate, train, report, list, schema, doctor."""

from __future__ import annotations

import json
import subprocess
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pandas as pd
import pytest

from generators.base import WEIGHTS, Item, find_generator
from guardrails import cli
from guardrails.cli import _outputs as outputs
from guardrails.cli import doctor, generate
from guardrails.core.errors import ConfigurationError
from guardrails.kit.io import read_image
from guardrails.kit.pictures.folder import ImageFolder

ROOT = Path(__file__).parents[2]


class Texts:
    """Stands for a generator of texts."""

    modality = "text"
    name = "some"
    rate: int | None = None
    card = {"sha256": "0"}
    asked: list[tuple[int, int]] = []

    @classmethod
    def load(cls, **settings: float | str) -> Texts:
        return cls()

    def items(self, n: int, *, seed: int) -> list[Item]:
        print("a library that prints")
        self.asked.append((n, seed))
        return [self.item(np.random.default_rng((seed, i)), f"<{seed % 97}.{i}>") for i in range(n)]

    def item(self, rng: np.random.Generator, name: str) -> Item:
        return Item(name)


class Pictures(Texts):
    """Stands for a generator of pictures."""

    modality = "image"

    def item(self, rng: np.random.Generator, name: str) -> Item:
        return Item(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8))


class Forgeries(Texts):
    """Stands for a generator that knows which of its pixels are forged."""

    modality = "image"

    def item(self, rng: np.random.Generator, name: str) -> Item:
        return Item(np.zeros((5, 4, 3), np.uint8), {"label": "forged"}, np.full((5, 4), 255, np.uint8))


class Videos(Texts):
    """Stands for a generator of videos."""

    modality, rate = "video", 12

    def item(self, rng: np.random.Generator, name: str) -> Item:
        return Item(rng.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8))


class Sounds(Texts):
    """Stands for a generator of sound."""

    modality, rate = "audio", 8000

    def item(self, rng: np.random.Generator, name: str) -> Item:
        return Item(rng.uniform(-1, 1, 80).astype(np.float32))


class Tables(Texts):
    """Stands for a generator of rows."""

    modality = "table"

    def item(self, rng: np.random.Generator, name: str) -> Item:
        return Item(pd.DataFrame({"name": [name], "age": [int(rng.integers(90))]}))


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> type[Texts]:
    cls: type[Texts] = request.param
    cls.asked = []
    monkeypatch.setattr("guardrails.targets.reference.find_generator", lambda name: cls)
    return cls


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("generator", [Texts], indirect=True)
def test_generate_writes_texts_in_chunks(
    generator: type[Texts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "CHUNK", 4)
    assert cli.run(["generate", "some,pii=0.5", "-n", "10", "--seed", "3", "--out", str(tmp_path / "out")]) == 0
    assert [n for n, _ in generator.asked] == [4, 4, 2]
    assert len({seed for _, seed in generator.asked}) == 3
    rows = [json.loads(line) for line in (tmp_path / "out" / "outputs.jsonl").read_text().splitlines()]
    assert [row["item"] for row in rows] == list(range(10))
    assert len({row["text"] for row in rows}) == 10
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest == {
        **{"generator": "some", "settings": {"pii": 0.5}, "modality": "text", "n": 10, "seed": 3, "chunk": 4},
        **{"faces": None, "sha256": "0"},
    }
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("generator", [Pictures], indirect=True)
def test_generate_writes_the_same_pictures_for_the_same_seed(generator: type[Texts], tmp_path: Path) -> None:
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        assert cli.run(["generate", "some", "-n", "3", "--seed", str(seed), "--out", str(tmp_path / name)]) == 0
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert sorted(a) == ["000000.png", "000001.png", "000002.png", "manifest.json"]
    assert a == b != c
    assert read_image(tmp_path / "a" / "000000.png").shape == (5, 4, 3)


@pytest.mark.parametrize("generator", [Texts], indirect=True)
def test_generate_mixes_nothing_into_a_folder_in_use(
    generator: type[Texts], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    before = files(tmp_path)
    for out in (tmp_path, tmp_path / "mine.txt"):
        assert cli.run(["generate", "some", "--out", str(out)]) == 2
        assert "is not an empty folder" in capsys.readouterr().err
    assert files(tmp_path) == before


@pytest.mark.parametrize("generator", [Forgeries], indirect=True)
def test_generate_keeps_what_is_known_beside_the_outputs(generator: type[Texts], tmp_path: Path) -> None:
    assert cli.run(["generate", "some", "-n", "2", "--out", str(tmp_path / "out")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "facts.jsonl").read_text().splitlines()]
    assert rows == [{"item": 0, "label": "forged"}, {"item": 1, "label": "forged"}]
    with np.load(tmp_path / "out" / "masks.npz", allow_pickle=False) as masks:
        assert sorted(masks) == ["000000", "000001"]
        assert (masks["000001"] == 255).all()
    assert len(ImageFolder(tmp_path / "out")) == 2


def test_masks_are_written_as_they_come(tmp_path: Path) -> None:
    items = (Item(np.zeros((4, 4, 3), np.uint8), {}, np.full((1000, 1000), i, np.uint8)) for i in range(30))
    with outputs.writer(Forgeries(), tmp_path) as write:
        tracemalloc.start()
        for number, item in enumerate(items):
            write(number, [item])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10_000_000  # of 30 MB
    with np.load(tmp_path / "masks.npz", allow_pickle=False) as masks:
        assert len(masks) == 30
        assert (masks["000029"] == 29).all()


@pytest.mark.parametrize(
    ("generator", "files_there"),
    [(Videos, ["000000.avi", "000001.avi"]), (Sounds, ["000000.wav", "000001.wav"]), (Tables, ["outputs.csv"])],
    indirect=["generator"],
)
def test_generate_writes_each_modality(generator: type[Texts], files_there: list[str], tmp_path: Path) -> None:
    assert cli.run(["generate", "some", "-n", "2", "--out", str(tmp_path / "out")]) == 0
    assert set(files(tmp_path / "out")) == {*files_there, "manifest.json"}
    if generator is Tables:
        assert list(pd.read_csv(tmp_path / "out" / "outputs.csv").columns) == ["name", "age"]
        assert len(pd.read_csv(tmp_path / "out" / "outputs.csv")) == 2
    if generator is Sounds:
        import soundfile

        assert soundfile.info(tmp_path / "out" / "000000.wav").samplerate == 8000


@pytest.mark.parametrize("generator", [Texts], indirect=True)
def test_only_a_face_swapper_takes_faces(
    generator: type[Texts], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", "some", "--out", str(tmp_path / "out"), "--faces", str(tmp_path)]
    assert cli.run(arguments) == 2
    assert "takes no --faces" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--boxes", "--face-model"])
@pytest.mark.parametrize("generator", [Texts], indirect=True)
def test_where_faces_are_is_said_of_faces_only(
    generator: type[Texts], option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["generate", "some", "--out", str(tmp_path / "out"), option, "x"]) == 2
    assert "give that too" in capsys.readouterr().err


@pytest.mark.parametrize("n", ["0", "-3", "many", "1000000000000", "1" + 400 * "0"])
@pytest.mark.parametrize("generator", [Texts], indirect=True)
def test_a_number_of_outputs_below_one_or_beyond_any_use_is_refused(
    generator: type[Texts], n: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "item", lambda *given: pytest.fail("it was asked"))
    assert cli.run(["generate", "vae-medical", "-n", n, "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_train_prints_what_was_made_beside_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def train_all(folder: Path, seed: int) -> list[Path]:
        asked.append(seed)
        card = json.loads((WEIGHTS / "vae-medical.json").read_text())
        card["quality"] = {"sharpness": {"value": 0.5, "low": 0.4, "high": 0.6, "bar": 0.3}}
        (folder / "vae-medical.json").write_text(json.dumps(card | {"sha256": "new"}))
        return [folder / "vae-medical.json"]

    monkeypatch.setattr(
        "guardrails.targets.reference.find_generator", lambda name: SimpleNamespace(train_all=train_all)
    )
    assert cli.run(["train", "generator", "vae-medical", "--out", str(tmp_path / "new"), "--seed", "5"]) == 0
    said = capsys.readouterr()
    assert asked == [5]
    assert said.out == f"{tmp_path / 'new' / 'vae-medical.json'}\n"
    assert "vae-medical: other weights than shipped" in said.err
    assert "quality sharpness: 0.5 [0.4, 0.6], shipped none, bar 0.3" in said.err
    assert "truth copy_rate" in said.err


def test_train_says_where_there_is_nothing_to_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("guardrails.core.registry.load_detector", lambda name: json.JSONDecoder())
    assert cli.run(["train", "detector", "some", "--out", str(tmp_path)]) == 2
    assert "nothing to train" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["probes", "detectors", "generators", "targets", "policies", "formats"])
def test_lists_are_the_same_for_people_and_machines(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", kind, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert entries
    assert cli.run(["list", kind]) == 0
    table = capsys.readouterr().out
    for entry in entries:
        assert str(next(iter(entry.values()))) in table


def test_every_kind_of_target_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from guardrails.targets import SCHEMES

    cli.run(["list", "targets", "--json"])
    listed = {entry["target"].partition(":")[0] for entry in json.loads(capsys.readouterr().out)}
    assert listed == set(SCHEMES)


def test_help_and_documents_name_every_kind_of_target(capsys: pytest.CaptureFixture[str]) -> None:
    from guardrails.targets import SCHEMES

    cli.run(["audit", "--help"])
    texts = {"help": capsys.readouterr().out, "cli.md": (ROOT / "docs" / "cli.md").read_text()}
    for where, text in texts.items():
        assert [scheme for scheme in SCHEMES if f"{scheme}:" not in text] == [], where


def test_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["schema"]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_report_of_an_unfinished_run_says_how_to_finish_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"")
    assert cli.run(["report", str(tmp_path), "--format", "html"]) == 2
    assert f"guardrails audit --resume {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"{", b"{}", b"\xff\xfe", b'{"schema_version": "1.0", "value": NaN}'])
def test_report_of_something_else_is_one_message(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "result.json").write_bytes(content)
    assert cli.run(["report", str(tmp_path), "--format", "json"]) == 2
    captured = capsys.readouterr()
    assert "is not a result of this version" in captured.err
    assert captured.out == ""


def test_doctor_reports_what_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--json"]) == 0
    checks = {check["what"]: check for check in json.loads(capsys.readouterr().out)}
    for name in ("python", "torch", "numpy", "opencv-python", "OpenCV loads", "processor cores", "cache folder"):
        assert checks[name]["works"] is True, name
    assert cli.run(["doctor"]) == 0
    assert "transformers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("ImportError: libGL.so.1: cannot open shared object file", "apt-get install libgl1"),
        ("ImportError: libgthread-2.0.so.0: cannot open shared object file", "apt-get install libglib2.0-0"),
        ("ModuleNotFoundError: No module named 'cv2'", "pip install --force-reinstall opencv-python"),
        ("", "pip install --force-reinstall opencv-python"),
    ],
)
def test_doctor_says_what_opencv_lacks(message: str, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr=f"Traceback …\n{message}\n" if message else "")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: failed)
    check = doctor.opencv()
    assert (check.works, check.fix) == (False, fix)


def test_doctor_exits_2_where_something_required_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = doctor.Check("OpenCV loads", False, "libGL is missing", "apt-get install libgl1")
    monkeypatch.setattr(doctor, "opencv", lambda: broken)
    assert cli.run(["doctor"]) == 2
    assert "apt-get install libgl1" in capsys.readouterr().out


def test_the_generator_of_a_wrong_name_is_not_loaded() -> None:
    with pytest.raises(ConfigurationError, match="unknown reference generator"):
        find_generator("no-such")
