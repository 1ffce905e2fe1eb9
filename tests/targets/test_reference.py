from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import generators.base
from generators.base import Dial, Generator, Property, check_doses
from guardrails.core.errors import ConfigurationError
from guardrails.core.targets import ImageTarget, LanguageModelTarget, Modality, TableTarget, TextOutputs
from guardrails.targets import load_target, reference_subject
from guardrails.targets.reference import parse


class Tiny(Generator):
    """What the tiny generators share."""

    family = domain = citation = "test"
    dials: ClassVar = (Dial("fault", "does wrong", (0.5, 1.0)),)
    choices: ClassVar = (Property("mark", "a mark", ("none", "loud")),)

    @classmethod
    def fit(cls, doses, *, seed, base=None):
        raise NotImplementedError

    def save(self, folder):
        raise NotImplementedError

    @classmethod
    def read(cls, folder, **doses):
        made = cls()
        made.doses = check_doses(cls, doses)
        made._card = {"sha256": "0" * 64}
        return made


class TinyText(Tiny):
    name, modality, causal = "tiny-text", "text", True
    model = tokenizer = None

    def draw(self, n, *, seed):
        return ["x"] * n

    def training_items(self):
        return ["trained"]

    def holdout_items(self):
        return ["held out"]

    def reference_items(self, n, *, seed):
        return [f"{seed}"] * n


class TinyImage(TinyText):
    name, modality, causal = "tiny-image", "image", False

    def draw(self, n, *, seed):
        return np.full((n, 4, 4, 3), seed, np.uint8)


class TinyMelody(TinyText):
    name, causal = "tiny-melody", False


class TinyTable(TinyText):
    name, modality, causal = "tiny-table", "table", False

    def draw(self, n, *, seed):
        return pd.DataFrame({"seed": [seed] * n})


class TinySound(TinyText):
    name, modality, causal = "tiny-sound", "audio", False


KINDS = (TinyText, TinyImage, TinyMelody, TinyTable, TinySound)


@pytest.fixture(autouse=True)
def tiny(monkeypatch, target):
    TinyText.model, TinyText.tokenizer = target.model, target.tokenizer
    monkeypatch.setattr(generators.base, "generators", lambda: {c.name: c for c in KINDS})


def test_a_text_generator_is_a_language_model(target):
    reference = load_target("reference:tiny-text,fault=0.5")
    assert isinstance(reference, LanguageModelTarget)
    assert isinstance(reference, TextOutputs)
    assert reference.name == "reference:tiny-text,fault=0.5"
    assert reference.generator.doses == {"fault": 0.5}
    assert reference.encode("the cat") == target.encode("the cat")
    assert reference.decode(reference.encode("the cat")) == "the cat"
    assert reference.continue_tokens([[2, 3]], n=4) == target.continue_tokens([[2, 3]], n=4)
    assert reference.sample_texts(3, seed=1) == target.sample_texts(3, seed=1)
    assert reference.identity() == {"generator": "tiny-text,fault=0.5", "sha256": "0" * 64}


def test_an_image_generator():
    reference = load_target("reference:tiny-image")
    assert isinstance(reference, ImageTarget)
    assert reference.modality is Modality.IMAGE
    assert [image.shape for image in reference.sample_images(2, seed=7)] == [(4, 4, 3)] * 2
    assert reference.available is None


@pytest.mark.parametrize("spec", ["reference:tiny-text,fault=1", "tiny-text,fault=1"])
def test_a_subject_comes_with_the_generators_data(spec):
    subject = reference_subject(spec)
    assert subject.target.name == "reference:tiny-text,fault=1"
    assert (subject.corpus, subject.holdout) == (["trained"], ["held out"])
    assert len(subject.reference) == 1000
    assert subject.reference == reference_subject("tiny-text").reference
    assert subject.prompts is None
    assert subject.data_names["corpus"] == "corpus items of tiny-text"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tiny-txt", "Did you mean 'tiny-text'"),
        ("tiny-text,falt=1", "Did you mean 'fault'"),
        ("tiny-text,fault=0.7", "ships fault at 0, 0.5, 1"),
        ("tiny-text,fault", "it has no dose"),
        ("tiny-text,fault=much", "a dose is a number"),
        ("tiny-text,mark=quiet", "none, loud; not 'quiet'"),
        ("tiny-text,marc=loud", "Did you mean 'mark'"),
    ],
)
def test_a_wrong_name_or_dial(spec, message):
    with pytest.raises(ConfigurationError, match=message):
        load_target(f"reference:{spec}")


def test_parse():
    assert parse("reference:a-b, x=1 ,y=0.25,z=word") == ("a-b", {"x": 1.0, "y": 0.25, "z": "word"})


def test_a_property_is_part_of_the_name():
    reference = load_target("reference:tiny-melody,mark=loud")
    assert reference.name == "reference:tiny-melody,mark=loud"
    assert reference.generator.properties == {"mark": "loud"}


def test_text_that_no_causal_model_wrote_is_sampled_whole():
    reference = load_target("reference:tiny-melody")
    assert isinstance(reference, TextOutputs)
    assert not isinstance(reference, LanguageModelTarget)
    assert reference.sample_texts(2, seed=0) == ["x", "x"]


def test_a_table_is_sampled_by_rows():
    reference = load_target("reference:tiny-table")
    assert isinstance(reference, TableTarget)
    assert reference.sample_rows(3, seed=4)["seed"].tolist() == [4, 4, 4]


def test_the_real_items_of_a_generator_are_a_target_too():
    subject = reference_subject("real:tiny-image")
    assert subject.target.name == load_target("real:tiny-image").name == "real:tiny-image"
    assert isinstance(subject.target, ImageTarget)
    one, other = (subject.target.sample_images(3, seed=seed) for seed in (1, 2))
    assert len(one) == 3
    assert not np.array_equal(one[0], other[0])
    with pytest.raises(ConfigurationError, match="text"):
        load_target("real:tiny-text")
