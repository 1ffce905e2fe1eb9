"""What may be spoken of: kinds of pictures, scopes of calibrations that ship, and calibrations by source."""

import json
from dataclasses import replace

import numpy as np
import pytest

from guardrails.core.detector import Detection
from guardrails.deepfake.images import base, encoder, fitted_head
from guardrails.deepfake.images.kinds import DRAWING, FACE, LAYER, PHOTOGRAPH, Scope, drawn_score, kind_of
from guardrails.deepfake.images.picture import Picture
from guardrails.deepfake.images.source_calibration import NAME, calibration_of, recalibrated
from guardrails.kit.pictures.faces import Face

SCOPE = Scope(frozenset({PHOTOGRAPH}), "it has photographs alone")


def picture(vector=None, faces=()):
    """A picture of which what the encoder and the face finder say is known already."""
    shown = Picture("a.png", pixels=np.zeros((64, 64, 3), np.uint8))
    shown.kept(("faces", None), lambda: list(faces))
    shown.kept(("features", encoder.SHA256), lambda: {LAYER: vector})
    return shown


def towards(sign):
    """A vector that is surely drawn, or surely photographed."""
    from guardrails.deepfake.images.kinds import _weights

    coefficients = _weights()["coefficients"]
    return sign * 50 * coefficients / (coefficients @ coefficients)


def test_a_face_comes_first_then_whether_it_is_drawn():
    assert drawn_score(towards(1)) > 10 > -10 > drawn_score(towards(-1))
    assert kind_of(picture(towards(1))) == DRAWING
    assert kind_of(picture(towards(-1))) == PHOTOGRAPH
    assert kind_of(picture(towards(-1), [Face((0, 0, 30, 30))])) == FACE


@pytest.mark.parametrize(("sign", "faces", "kind"), [(1, (), DRAWING), (-1, (Face((0, 0, 30, 30)),), FACE)])
def test_a_kind_without_sources_has_neither_verdict_nor_ratio(sign, faces, kind):
    fitted = replace(fitted_head.shipped("deepfake.fusion"), scope=SCOPE)
    said = Detection("a.png", 3.0, 0.9, "synthetic", ("p = .01", "traces: +2"), "some sources", 9.0)
    scoped = base.within_scope(said, fitted, picture(towards(sign), faces))
    assert (scoped.verdict, scoped.likelihood_ratio, scoped.probability, scoped.score) == ("abstain", None, None, 3.0)
    assert scoped.reasons[0] == f"no verdict on {kind}: it has photographs alone"
    assert scoped.reasons[1] == "traces: +2"


def test_a_kind_with_sources_keeps_what_was_said_and_so_does_a_calibration_of_ones_own():
    said = Detection("a.png", 3.0, 0.9, "synthetic", ("p = .01",), "some sources", 9.0)
    fitted = replace(fitted_head.shipped("deepfake.fusion"), scope=SCOPE)
    assert base.within_scope(said, fitted, picture(towards(-1))) is said
    assert base.within_scope(said, replace(fitted, scope=None), picture(towards(1))) is said


def test_what_ships_speaks_of_photographs_alone_and_of_nothing_without_the_encoder():
    for stem in ("default", "cnn", "face", "video"):
        for name, head in fitted_head.read(stem=stem)[0].items():
            assert head.scope is not None, name
            assert head.scope.kinds <= {PHOTOGRAPH}
            assert bool(head.scope.kinds) == (name in ("deepfake.fusion, encoder", "deepfake.features")), name


def test_the_shipped_calibrations_are_those_of_the_stored_scores():
    stated = json.loads((fitted_head.WEIGHTS / NAME).read_text())
    heads, card = fitted_head.read()
    for name, scores in stated["heads"].items():
        assert scores["weights_sha256"] == card["sha256"], "stale: run scripts/calibrate_by_source.py"
        calibration = heads[name].calibration
        assert (calibration.real.n, calibration.generated.n) == (len(scores["real"]), len(scores["generated"]))
        assert calibration.real.n >= 19
        assert np.exp(calibration.bounds[1]) <= calibration.real.n + 1
        assert np.exp(-calibration.bounds[0]) <= calibration.generated.n + 1


def test_scores_of_other_weights_are_not_used(tmp_path):
    scores = {"real": {"a": [0.0, 1.0], "b": [0.5]}, "generated": {"g": [2.0]}, "weights_sha256": "x", "reach": 3.0}
    stated = {"heads": {"h": scores}, "basis": "some", "scope": {"kinds": [PHOTOGRAPH], "why": "y"}}
    (tmp_path / NAME).write_text(json.dumps(stated))
    one = fitted_head.shipped("deepfake.fusion")
    assert recalibrated({"h": one}, "other", tmp_path)["h"] is one
    head = recalibrated({"h": one}, "x", tmp_path)["h"]
    assert (head.calibration.real.n, head.calibration.generated.n, head.reach) == (2, 1, 3.0)
    assert head.calibration.real.weights.tolist() == [0.5, 1.0, 0.5]
    assert calibration_of(scores).slope == head.calibration.slope
