"""Faces laid into pictures: what is measured of them, and what the detector says of none, one and several."""

import json
from dataclasses import replace

import numpy as np
import pytest

from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import load_detector
from guardrails.core.statistics import auc
from guardrails.deepfake.face import HEAT, FaceManipulation, _named, face_scores, heat_map
from guardrails.deepfake.faces import network, noise_maps
from guardrails.kit.pictures.faces import Face
from guardrails.training.exams.faces import DOSES, exam_pictures, overlap
from guardrails.training.material.self_blending import jpeg, self_blended, soft_mask

FACE = Face((40.0, 30.0, 50.0, 50.0))


def noise(side=120, seed=0, sigma=8.0):
    return np.clip(np.random.default_rng(seed).normal(128, sigma, (side, side, 3)), 0, 255).round().astype(np.uint8)


def test_a_crop_of_its_own_size_is_the_square_itself():
    picture, face = noise(), Face((35.0, 25.0, 50.0, 50.0))
    left, top, side = network.square_of(face)
    assert (left, top, side) == (15.0, 10.0, 90.0)
    assert np.array_equal(network.crop(picture, face, 90), picture[10:100, 15:105])


def test_beyond_the_edge_a_crop_is_mirrored():
    picture, face = noise(), Face((0.0, 25.0, 50.0, 50.0))
    left, top, side = network.square_of(face)
    assert left == -20
    crop = network.crop(picture, face, int(side))
    assert np.array_equal(crop[:, :20], picture[int(top) : int(top + side), 19::-1])
    assert np.array_equal(crop[:, 20:], picture[int(top) : int(top + side), : int(side) - 20])


@pytest.mark.parametrize("seed", range(8))
def test_a_self_blend_changes_the_picture_and_has_a_mask_in_the_face(seed):
    picture = noise(160)
    forged, mask = self_blended(picture, FACE, np.random.default_rng(seed))
    again, _ = self_blended(picture, FACE, np.random.default_rng(seed))
    assert forged.shape == picture.shape
    assert forged.dtype == np.uint8
    assert np.array_equal(forged, again)
    assert (forged != picture).any()
    assert mask.max() == pytest.approx(1)
    assert mask.min() >= 0
    rows, columns = np.nonzero(mask > 0.5)
    assert abs(columns.mean() - 65) < 15
    assert abs(rows.mean() - 60) < 25


def test_masks_differ_from_draw_to_draw():
    shares = [float((soft_mask((160, 160, 3), FACE, np.random.default_rng(s)) > 0.5).mean()) for s in range(20)]
    assert max(shares) > 1.5 * min(shares)


def test_the_noise_map_finds_the_deviation_of_white_noise():
    deviations = noise_maps.noise_map(noise(256, sigma=6.0)).mean(axis=(1, 2))
    luma = 6 * np.sqrt(0.299**2 + 0.587**2 + 0.114**2)
    assert deviations[0] == pytest.approx(luma, rel=0.06)
    assert noise_maps.noise_map(np.full((64, 64, 3), 90, np.uint8)).max() == 0


def test_a_smooth_gradient_is_no_noise():
    ramp = np.repeat(np.arange(128, dtype=np.uint8)[None, :, None], 128, axis=0).repeat(3, axis=2)
    assert noise_maps.noise_map(ramp).max() < 1e-4


def test_grain_in_the_face_alone_is_told_and_its_lack_too():
    radius, _ = noise_maps.polar(128)
    calm, loud = noise(128, sigma=2.0), noise(128, seed=1, sigma=12.0)
    inside = (radius < 1)[..., None]
    more, less = (noise_maps.noise_traits(np.where(inside, *pair)) for pair in ((loud, calm), (calm, loud)))
    assert more[0] > 1
    assert less[0] < -1
    assert abs(noise_maps.noise_traits(calm)[0]) < 0.2


def test_a_border_is_a_bump_at_its_radius():
    radius, _ = noise_maps.polar(128)
    for edge in (0.65, 1.05):
        picture = np.repeat(np.where(radius < edge, 150, 100).astype(np.uint8)[..., None], 3, axis=2)
        profile = noise_maps.border_traits(picture).reshape(3, -1)[0]
        assert profile.argmax() == int((edge - 0.4) * noise_maps.RINGS)


def test_the_network_is_small_and_gives_maps():
    import torch

    net = network.network()
    assert sum(p.numel() for p in net.parameters()) <= 150_000
    places, faces = network.FaceNet(net, (0.1, 0.05))(np.zeros((2, 96, 96, 3), np.uint8))
    assert places.shape == (2, 2, 24, 24)
    assert faces.shape == (2,)
    with torch.inference_mode():
        raw, _ = net(torch.zeros(1, 3, 96, 96))
    assert np.allclose(places[0, 0] - raw[0, 0].numpy(), np.log(9), atol=1e-5)


def test_altered_weights_are_refused(tmp_path):
    for name in ("face.json", "face-net.safetensors"):
        (tmp_path / name).write_bytes((network.WEIGHTS / name).read_bytes())
    assert network.read_net(tmp_path).shares[0] > 0
    (tmp_path / "face-net.safetensors").write_bytes(b"\0" * 100)
    network.read_net.cache_clear()
    with pytest.raises(ConfigurationError, match="hash"):
        network.read_net(tmp_path)
    network.read_net.cache_clear()
    with pytest.raises(ConfigurationError, match="missing"):
        network.read_net(tmp_path / "nowhere")


def test_a_heat_map_lies_where_the_face_is():
    heat = np.zeros((24, 24), np.float32)
    heat[12:] = 3
    placed = heat_map((200, 400, 3), [FACE], [heat])
    assert placed.shape == (HEAT // 2, HEAT)
    left, top, side = network.square_of(FACE)
    rows, columns = np.nonzero(~np.isnan(placed))
    scale = HEAT / 400
    assert columns.min() == pytest.approx(left * scale, abs=1)
    assert columns.max() + 1 == pytest.approx((left + side) * scale, abs=1)
    assert rows.max() + 1 == pytest.approx((top + side) * scale, abs=1)
    middle = (rows.min() + rows.max()) // 2
    assert np.nanmean(placed[middle + 2 :]) == pytest.approx(3, abs=0.2)
    assert np.nanmean(placed[: middle - 2]) == pytest.approx(0, abs=0.2)


def test_overlap_is_intersection_over_union_and_nothing_is_below():
    places = np.array([[2.0, np.nan], [0.0, 3.0]])
    assert overlap(places, np.array([[True, True], [False, False]]), 1.0) == pytest.approx(1 / 3)


def test_no_face_is_no_score():
    row = load_detector("deepfake.face").score([np.full((90, 90, 3), 128, np.uint8)])[0]
    assert (row.score, row.probability, row.verdict) == (None, None, "abstain")
    assert "no face found" in row.reasons[0]


def test_the_users_boxes_are_judged_and_a_small_one_is_not(tmp_path):
    from PIL import Image

    Image.fromarray(noise()).save(tmp_path / "a.png")
    Image.fromarray(noise()).save(tmp_path / "b.png")
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"a.png": [[40, 30, 50, 50], [5, 5, 30, 30]], "b.png": [[3, 3, 10, 10]]}))
    detector = load_detector(f"deepfake.face:{boxes}")
    first, second, third = detector.score([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "boxes.json"])
    assert first.score is not None
    assert any("of 2 faces" in reason for reason in first.reasons)
    assert second.score is None
    assert "24 pixels" in second.reasons[0]
    assert third.score is None
    assert detector.explain(tmp_path / "a.png").heat_map is not None


def test_the_longest_end_of_a_path_names_its_boxes():
    one, other = [FACE], [Face((0, 0, 30, 30))]
    boxes = {"a.png": one, "x/a.png": other}
    assert _named(boxes, "/data/x/a.png") is other
    assert _named(boxes, "/data/y/a.png") is one
    assert _named(boxes, "/data/y/b.png") == []


@pytest.mark.parametrize("argument", ["model.pt", "missing.onnx", "missing.csv"])
def test_another_argument_is_a_mistake(argument):
    with pytest.raises(ConfigurationError, match=argument):
        FaceManipulation(argument)


def test_of_several_faces_the_most_suspicious_decides_and_the_ratio_is_their_mean():
    picture = np.concatenate([noise(seed=1), jpeg(noise(seed=2), 20)], axis=1)
    faces = [FACE, Face((160.0, 30.0, 50.0, 50.0))]
    detector = FaceManipulation()
    detector._fitted = replace(detector.fitted, scope=None)
    detector._finder = lambda _: faces
    row = detector.score([picture])[0]
    alone = []
    for face in faces:
        detector._finder = lambda _, face=face: [face]
        alone.append(detector.score([picture])[0])
    known = [one for one in alone if one.likelihood_ratio is not None]
    assert row.score == pytest.approx(max(one.score for one in known or alone), abs=1e-5)
    if known:
        assert row.likelihood_ratio == pytest.approx(np.mean([one.likelihood_ratio for one in known]), rel=1e-3)
    together = face_scores(picture, faces)
    assert [heat.shape for _, heat in together] == [(24, 24)] * 2
    assert face_scores(picture, []) == []


@pytest.mark.slow
def test_it_calls_nothing_synthetic():
    drawn = exam_pictures("poisson", seed=5, each=4)
    rows = load_detector("deepfake.face").score([*drawn.real, *(image for image, _ in drawn.forged[1.0])])
    assert {row.verdict for row in rows} <= {"nothing found", "manipulated", "abstain"}


def test_what_ships_gives_no_verdict_on_a_face_and_a_rank():
    picture = np.concatenate([noise(seed=1), jpeg(noise(seed=2), 20)], axis=1)
    detector = FaceManipulation()
    detector._finder = lambda _: [FACE]
    row = detector.score([picture])[0]
    assert row.score is not None
    assert (row.verdict, row.likelihood_ratio, row.probability) == ("abstain", None, None)
    assert "no verdict on a picture with a face" in row.reasons[0] or "unlike" in row.reasons[0]
    assert 0 < detector.predict_proba([picture])[0, 1] < 1


@pytest.mark.slow
def test_swaps_of_the_reserved_method_score_higher_and_are_found_in_their_place():
    drawn, detector = exam_pictures("poisson", seed=11, each=30), FaceManipulation()
    real = [row.score for row in detector.score(drawn.real) if row.score is not None]
    forged = [
        row.score for d in DOSES for row in detector.score([i for i, _ in drawn.forged[d]]) if row.score is not None
    ]
    assert auc(forged, real) > 0.85
    card = json.loads((network.WEIGHTS / "face.json").read_text())
    overlaps = []
    for image, mask in drawn.forged[0.5]:
        heat = detector.explain(image).heat_map
        if heat is not None:
            rows, columns = (np.arange(n) * heat.shape[k] // n for k, n in enumerate(mask.shape))
            overlaps.append(overlap(heat[np.ix_(rows, columns)], mask, card["place_threshold"]))
    assert np.mean(overlaps) > 0.4


@pytest.mark.slow
def test_it_can_be_fitted_to_pictures_of_ones_own():
    drawn = exam_pictures("autoencoder", seed=3, each=12)
    detector = FaceManipulation()
    there = [image for image in drawn.real if detector.score([image])[0].score is not None]
    forged = [image for rows in drawn.forged.values() for image, _ in rows]
    forged = [image for image in forged if detector.score([image])[0].score is not None]
    labels = [0] * len(there) + [1] * len(forged)
    detector.fit([*there, *forged], labels)
    p = detector.predict_proba([*there, *forged])
    assert np.nanmean(p[labels.index(1) :, 1]) > np.nanmean(p[: labels.index(1), 1]) + 0.2
    assert detector.score(forged[:1])[0].calibration != load_detector("deepfake.face").score(forged[:1])[0].calibration
