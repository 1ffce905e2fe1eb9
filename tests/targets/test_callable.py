import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from guardrails.core.errors import ConfigurationError, NotApplicable, TargetError
from guardrails.core.targets import Access, ImageTarget, Modality, TableTarget, TextOutputs, TextTarget
from guardrails.targets import load_target
from guardrails.targets.callable import callable_target


def echo(prompts):
    return [f"you said {prompt}" for prompt in prompts]


class Sampler:
    """An object with ``sample``: returns whatever `make` makes of a number of outputs."""

    def __init__(self, make):
        self.make = make

    def sample(self, n, *, seed):
        return self.make(n, np.random.default_rng(seed))


def test_a_function_of_prompts():
    target = load_target(echo)
    assert isinstance(target, TextTarget)
    assert isinstance(target, TextOutputs)
    assert target.name.startswith("python:")
    assert target.name.endswith(":echo")
    assert target.access == {Access.OUTPUTS, Access.SAMPLING}
    assert target.generate(["a", "b"], max_new_tokens=5) == ["you said a", "you said b"]
    assert target.sample_texts(2, seed=0) == ["you said ", "you said "]
    assert target.identity() == {"callable": target.name}


@pytest.mark.parametrize("method", ["generate", "predict"])
def test_an_object_gets_the_options_that_it_takes(method):
    asked = []

    def answer(self, prompts, temperature=1.0, seed=None):
        asked.append((temperature, seed))
        return ["x"] * len(prompts)

    target = load_target(type("Mine", (), {method: answer})())
    target.generate(["a"], max_new_tokens=5, temperature=0.5, seed=9)
    assert asked[-1] == (0.5, 9)


def test_a_sampler_of_texts_takes_no_prompts():
    target = load_target(Sampler(lambda n, random: [str(random.integers(100)) for _ in range(n)]))
    assert not isinstance(target, TextTarget)
    assert target.access == {Access.OUTPUTS}
    assert target.sample_texts(3, seed=1) == target.sample_texts(3, seed=1)


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda n, random: np.full((n, 4, 5, 3), 9, np.uint8), 9),
        (lambda n, random: np.full((n, 4, 5), 9, np.uint8), 9),
        (lambda n, random: [np.full((3, 4, 5), 1.0)] * n, 255),
        (lambda n, random: [np.full((4, 5, 1), 0.5)] * n, 128),
        (lambda n, random: [Pillow.new("L", (5, 4), 7)] * n, 7),
    ],
)
def test_pictures_become_rgb_bytes(make, value):
    target = load_target(Sampler(make))
    assert isinstance(target, ImageTarget)
    assert target.modality is Modality.IMAGE
    assert target.available is None
    images = target.sample_images(3, seed=0)
    assert len(images) == 3
    assert images[0].shape == (4, 5, 3)
    assert images[0].dtype == np.uint8
    assert (images[0] == value).all()


def test_a_torch_batch_of_pictures():
    import torch

    target = load_target(Sampler(lambda n, random: torch.zeros(n, 3, 8, 8)))
    assert target.sample_images(2, seed=0)[1].shape == (8, 8, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda n, random: pd.DataFrame({"a": range(n), "b": 1}, index=range(5, 5 + n)),
        lambda n, random: np.ones((n, 2)),
        lambda n, random: [{"a": 1, "b": 2}] * n,
    ],
)
def test_rows_become_a_data_frame(make):
    target = load_target(Sampler(make))
    assert isinstance(target, TableTarget)
    rows = target.sample_rows(4, seed=0)
    assert rows.shape == (4, 2)
    assert list(rows.index) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n, random: [object()] * n, "returned object, of which neither text, picture nor table"),
        (lambda n, random: [1.5] * n, "returned float, of which neither"),
        (lambda n, random: ["x"], r"returned 1 outputs \(list\) where 2 are needed"),
        (lambda n, random: "xy", r"returned 2 outputs \(str\)"),
        (lambda n, random: None, "returned NoneType; a sequence of 2 is needed"),
        (lambda n, random: 1 / 0, "failed with ZeroDivisionError: division by zero"),
        (lambda n, random: np.full((n, 4, 4, 3), 7.0), "floats outside 0–1"),
        (lambda n, random: np.full((n, 4, 4, 3), 7), "a picture of int64"),
        (lambda n, random: [np.zeros((4, 4, 7), np.uint8)] * n, r"a picture of shape \(4, 4, 7\)"),
    ],
)
def test_what_cannot_be_audited_is_refused_with_the_reason(make, message):
    with pytest.raises(TargetError, match=message):
        load_target(Sampler(make))


def test_later_outputs_are_checked_too():
    calls = iter([["x", "y"], ["x", 3]])
    target = load_target(Sampler(lambda n, random: next(calls)))
    with pytest.raises(TargetError, match="output 1 is int, not str"):
        target.sample_texts(2, seed=0)


def test_our_own_errors_pass_and_objects_without_methods_are_refused():
    def refuses(prompts):
        raise NotApplicable("no")

    with pytest.raises(NotApplicable):
        load_target(refuses)
    with pytest.raises(TargetError, match="an object of type int has none of generate, sample, predict"):
        load_target(3)


def test_a_bare_transformers_model_is_told_where_to_go(target):
    with pytest.raises(TargetError, match="save_pretrained"):
        load_target(target.model)


def test_a_target_is_returned_as_it_is(target):
    assert load_target(target) is target


def test_a_name_of_python(tmp_path, monkeypatch):
    (tmp_path / "mine_for_test.py").write_text(
        "def f(prompts): return ['ok' for _ in prompts]\n"
        "class Model:\n    def generate(self, prompts): return f(prompts)\n"
        "    @staticmethod\n    def deep(prompts): return f(prompts)\n"
    )
    (tmp_path / "broken_for_test.py").write_text("raise RuntimeError('boom')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    for name in ("python:mine_for_test:f", "python:mine_for_test:Model", "python:mine_for_test:Model.deep"):
        target = load_target(name)
        assert target.name == name
        assert target.generate(["a"], max_new_tokens=1) == ["ok"]
    with pytest.raises(ConfigurationError, match="Did you mean 'Model'"):
        load_target("python:mine_for_test:Modle")
    with pytest.raises(ConfigurationError, match="no module 'absent_for_test'"):
        load_target("python:absent_for_test:f")
    with pytest.raises(TargetError, match="RuntimeError: boom"):
        load_target("python:broken_for_test:f")
    with pytest.raises(ConfigurationError, match="write python:module:callable"):
        load_target("python:mine_for_test")


def test_a_series_is_read_by_place_whatever_its_index():

    target = load_target(lambda prompts: pd.Series([f"{p}!" for p in prompts], index=range(7, 7 + len(prompts))))
    assert target.generate(["a", "b"], max_new_tokens=4) == ["a!", "b!"]


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ({"generated_text": "so"}, "['generated_text']"),
        ([{"generated_text": "so"}], "[0]['generated_text']"),
        ([{"translation_text": "so"}], "[0]['translation_text']"),
        ({"id": "1", "choices": [{"message": {"content": "so"}}]}, "['choices']"),
    ],
)
def test_an_answer_around_the_text_is_refused_with_what_to_return(answer, part):
    def pipe(prompts):
        return [answer for _ in prompts]

    with pytest.raises(TargetError, match=re.escape(f"[answer{part} for answer in")) as caught:
        callable_target(pipe, name="python:mine:pipe")
    assert "pipe(prompts)]" in str(caught.value)
    assert "return_full_text=False" in str(caught.value)


def test_a_callable_says_from_how_many_threads_it_may_be_called():
    class Client:
        def __getattr__(self, name):
            if name == "concurrent_batches":  # as of a client that has any attribute that is asked for
                return object()
            raise AttributeError(name)

        def generate(self, prompts):
            return ["text" for _ in prompts]

    assert callable_target(Client()).concurrent_batches == 1
    several = Client()
    several.concurrent_batches = 8
    assert callable_target(several).concurrent_batches == 8

    def answer(prompts):
        return ["text" for _ in prompts]

    assert callable_target(answer).concurrent_batches == 1
    answer.concurrent_batches = 4
    assert callable_target(answer).concurrent_batches == 4
