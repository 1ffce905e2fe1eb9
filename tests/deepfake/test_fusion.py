"""The fusion: members that count alike, doubts where they disagree, and honesty about who spoke."""

import numpy as np
import pytest

from guardrails.core.errors import ConfigurationError
from guardrails.deepfake import fusion as module
from guardrails.deepfake.fusion import Fusion, apart, block_of, members
from guardrails.kit.detection.linear_head import FLAT, Head


def pictures(n=24, seed=0):
    """Noise against noise that was made smaller and enlarged again."""
    rng = np.random.default_rng(seed)
    fine = rng.integers(0, 256, (n, 96, 96, 3), dtype=np.uint8)
    coarse = rng.integers(0, 256, (n, 48, 48, 3), dtype=np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    return [*fine, *coarse], [0] * n + [1] * n


class Encoder:
    """In the place of deepfake.features: mean colours as a view's vector."""

    fitted = None

    def blocks(self, picture):
        mean = picture.pixels.reshape(-1, 3).mean(axis=0).astype(np.float32)
        return {"whole7": mean, "centre7": mean}


@pytest.fixture
def alone():
    return Fusion("traces")


@pytest.fixture
def fitted(alone):
    return alone.fit(*pictures())


def test_it_learns_and_says_who_spoke(fitted):
    items, labels = pictures(8, seed=1)
    rows = fitted.score(items)
    scores = np.array([row.score for row in rows])
    assert scores[:8].max() < scores[8:].min()
    assert all("members: traces" in row.calibration for row in rows if row.calibration)
    assert any("the traces alone were asked for" in reason for row in rows for reason in row.reasons)
    assert labels[0] == 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 200, 3)])
def test_one_colour_has_no_traces(fitted, shape):
    row = fitted.score([np.full(shape, 7, np.uint8)])[0]
    assert (row.score, row.probability, row.likelihood_ratio, row.verdict) == (None, None, None, "abstain")
    assert "one colour" in row.reasons[0]


def test_with_an_encoder_its_views_are_members():
    detector = Fusion()
    detector.__dict__["encoder"] = Encoder()
    detector.fit(*pictures())
    row = detector.score([pictures(1, seed=2)[0][0]])[0]
    assert row.calibration is None or row.calibration.endswith("members: traces, whole, centre")
    assert set(detector.local.head.mean) == set(Fusion.descriptors)
    assert detector.explain(np.tile(pictures(1)[0][0], (2, 2, 1))).heat_map is not None


def test_the_sum_of_members_is_the_score(fitted):
    blocks = fitted.described(pictures(3, seed=3)[0])
    for i in range(6):
        one = {name: x[i : i + 1] for name, x in blocks.items()}
        said = sum(members(fitted.fitted, one).values()) + fitted.fitted.head.intercept
        assert said == pytest.approx(float(fitted.fitted.head.score(one)[0]))


def test_the_spread_of_every_member_is_its_share():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    x = {
        "a/1": rng.normal(size=(80, 3)) + labels[:, None],
        "a/2": rng.normal(size=(80, 9)),
        "b": rng.normal(size=(80, 2)),
    }
    head = Head.fit_members(x, labels)
    for member, spread in (("a/", 1.0), ("b", 0.5)):
        blocks = {name: v for name, v in x.items() if name.startswith(member)}
        expected = Head.fit(blocks, labels)
        expected_scores = expected.score(blocks) - expected.intercept
        got = sum(share for name, share in head.shares(x).items() if name in blocks)
        assert got == pytest.approx(spread * expected_scores / max(expected.score(blocks).std(), FLAT))
        assert got.std() == pytest.approx(spread)


def test_strong_members_that_point_apart_are_no_verdict(fitted, monkeypatch):
    synthetic = pictures(1, seed=4)[0][1]
    assert apart({"traces": 0.6, "whole": -1.2})
    assert not apart({"traces": 0.4, "whole": -1.2})
    assert not apart({"traces": 1.5, "whole": -0.5})
    monkeypatch.setattr(module, "members", lambda *_: {"traces": 2.0, "whole": -2.0})
    row = fitted.score([synthetic])[0]
    assert row.verdict == "abstain"
    assert row.score is not None


def test_the_names_of_views_become_members():
    assert [block_of(name) for name in ("whole7", "centre9", "spectrum")] == ["whole/7", "centre/9", "spectrum"]


def test_labels_that_are_none_are_a_mistake(alone):
    with pytest.raises(ConfigurationError, match="labels are 1"):
        alone.fit(pictures(10)[0], [2] * 20)


def test_the_traces_can_be_had_where_the_encoder_is_installed(monkeypatch):
    from guardrails.core.registry import load_detector
    from guardrails.deepfake.images import encoder

    monkeypatch.setattr(encoder, "installed", lambda: True)
    detector = load_detector("deepfake.fusion:traces")
    row = detector.score([pictures(1)[0][0]])[0]
    assert row.score is not None
    assert detector.encoder is None
    assert any("traces alone were asked for" in reason for reason in row.reasons)
    assert (row.verdict, row.likelihood_ratio) == ("abstain", None)
    with pytest.raises(ConfigurationError, match="it takes traces"):
        load_detector("deepfake.fusion:trace")


@pytest.mark.parametrize("there", [False, True])
def test_damaged_weights_are_said_and_not_taken_for_a_missing_encoder(there, tmp_path, monkeypatch):
    import shutil

    from guardrails.deepfake.images import encoder, fitted_head

    for name in ("default.safetensors", "default.json"):
        shutil.copy(fitted_head.WEIGHTS / name, tmp_path / name)
    with (tmp_path / "default.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\1\2\3")
    whole = fitted_head.read.__wrapped__
    monkeypatch.setattr(fitted_head, "read", lambda: whole(tmp_path))
    monkeypatch.setattr(encoder, "installed", lambda: there)
    with pytest.raises(ConfigurationError, match="altered or cut short"):
        Fusion().score([pictures(1)[0][0]])
