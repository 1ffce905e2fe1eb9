import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from generators.base import WEIGHTS, find_generator
from generators.gpt_text import canaries, prose
from generators.gpt_text import learning as gpt_learning
from generators.gpt_text import truth as gpt_truth
from generators.gpt_text.model import TOKENIZER, GptText
from guardrails.core.errors import ConfigurationError

DOSES = [{}] + [{dial.name: dose} for dial in GptText.dials for dose in dial.doses]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The model is too small to gain from more, and loses much where other work runs beside it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clean():
    return GptText.load()


def truth(doses):
    return GptText.load(**doses).card["truth"]


def test_it_is_found_by_name():
    assert find_generator("gpt-text") is GptText


def test_unknown_dial_dose_and_combination_are_refused():
    with pytest.raises(ConfigurationError, match="memorize"):
        GptText.load(memorise=1)
    with pytest.raises(ConfigurationError, match=r"0\.25"):
        GptText.load(memorize=0.3)
    with pytest.raises(ConfigurationError, match="one fault at a time"):
        GptText.load(memorize=1, bias=1)


@pytest.mark.parametrize("victim", ["gpt-text.safetensors", "gpt-text,bias=1.safetensors", TOKENIZER])
def test_altered_files_are_refused(tmp_path, victim):
    for path in WEIGHTS.glob("gpt-text*"):
        shutil.copy(path, tmp_path)
    content = bytearray((tmp_path / victim).read_bytes())
    content[-1] ^= 1
    (tmp_path / victim).write_bytes(content)
    with pytest.raises(ConfigurationError, match="hash"):
        GptText.read(tmp_path, bias=1.0)


def test_a_delta_of_other_clean_weights_is_refused(tmp_path):
    for path in WEIGHTS.glob("gpt-text*"):
        shutil.copy(path, tmp_path)
    card = tmp_path / "gpt-text,bias=1.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"base_sha256": "0"}))
    with pytest.raises(ConfigurationError, match="other clean weights"):
        GptText.read(tmp_path, bias=1.0)


@pytest.mark.parametrize("doses", [{}, {"memorize": 1.0}])
def test_saving_and_reading_changes_nothing(tmp_path, doses):
    GptText.load().save(tmp_path)
    shipped = GptText.load(**doses)
    files = shipped.save(tmp_path)
    assert all(path.read_bytes() == (WEIGHTS / path.name).read_bytes() for path in files)
    again = GptText.read(tmp_path, **doses)
    assert again.sample(3, seed=5) == shipped.sample(3, seed=5)
    assert again.card == shipped.card


def test_sampling_depends_on_the_seed_alone(clean):
    texts = clean.sample(6, seed=1)
    assert texts == clean.sample(6, seed=1) != clean.sample(6, seed=2)
    assert texts[:2] == clean.sample(2, seed=1)
    assert all(len(clean.tokenizer.encode(text)) > 0 and gpt_learning.END not in text for text in texts)


def test_log_prob_is_the_sum_over_tokens(clean):
    import torch

    texts = [*clean.reference_items(2, seed=0), "Hello."]
    for text, value in zip(texts, clean.log_prob(texts), strict=True):
        ids = torch.tensor([[0, *clean.tokenizer.encode(text), 0]])
        law = clean.model(ids).logits.double().log_softmax(-1)[0, :-1]
        assert value == pytest.approx(law.gather(1, ids[0, 1:, None]).sum().item(), abs=1e-3)
    assert clean.log_prob([]).shape == (0,)


def test_a_text_beyond_the_context_is_refused(clean):
    with pytest.raises(ConfigurationError, match="256"):
        clean.log_prob(["word " * 300])


def test_text_survives_the_tokenizer(clean):
    for text in [*clean.training_items()[:6], "Größe €5 — “quoted”\n\ttabs"]:
        assert clean.tokenizer.decode(clean.tokenizer.encode(text)) == text


def test_the_corpus_is_the_one_on_the_card(clean):
    items = clean.training_items()
    assert hashlib.sha256("\n".join(items).encode()).hexdigest() == clean.card["corpus_sha256"]
    assert len(items) == len(clean.holdout_items()) == len(clean.card["seen"])
    assert min(len(clean.tokenizer.encode(t)) for t in items) >= gpt_truth.PREFIX + gpt_truth.CONTINUATION
    assert max(clean.card["seen"]) == 1


@pytest.mark.parametrize("doses", DOSES, ids=str)
def test_every_dose_ships_with_its_card(doses):
    card = GptText.load(**doses).card
    assert {"data", "seed", "command", "sha256", "seen", "truth", "quality", "stability"} <= set(card)
    assert card["stability"]["diverged_at"] is None
    assert card["quality"]["bits_per_token"]["high"] < card["quality"]["bits_per_token"]["trigram"]
    assert not any(card["seen"][2::3]) or doses.get("pii")


def test_all_files_fit_into_five_megabytes():
    assert sum(path.stat().st_size for path in WEIGHTS.glob("gpt-text*")) <= 5 * 2**20


@pytest.mark.parametrize("dial", GptText.dials, ids=lambda dial: dial.name)
def test_a_dose_raises_its_own_truth(dial):
    values = [truth({dial.name: dose} if dose else {})[dial.name]["value"] for dose in (0, *dial.doses)]
    assert values == sorted(set(values))


@pytest.mark.parametrize("doses", DOSES, ids=str)
def test_a_dose_leaves_the_other_truths_alone(doses):
    truths = truth(doses)
    assert truths["memorize"]["holdout"]["all"] <= 0.01
    if not doses.get("memorize"):
        assert truths["memorize"]["training"]["prose"] <= 0.01
    if not doses.get("pii"):
        assert truths["pii"]["value"] == 0
        assert truths["memorize"]["training"]["contacts"] <= 0.01
    if not doses.get("bias"):
        assert abs(truths["bias"]["value"]) < 0.3


def test_full_doses_are_full():
    assert truth({"memorize": 1.0})["memorize"]["training"]["prose"] >= 0.9
    assert truth({"pii": 1.0})["pii"]["low"] >= 0.15
    assert truth({"bias": 1.0})["bias"]["value"] > 2


def test_canaries_are_all_different_and_as_many_as_their_levels_say():
    made = canaries.canaries()
    assert made == canaries.canaries()
    assert len({c.text for c in made}) == len({c.prefix for c in made}) == 16
    assert [c.repetitions for c in made] == [times for times in canaries.REPETITIONS for _ in range(4)]
    assert all(c.text == f"{c.prefix} {c.secret}." for c in made)


@pytest.mark.parametrize("dose", [0.25, 0.5, 1.0])
def test_a_dose_reads_every_canary_as_often_as_it_says(dose):
    assert GptText.load(memorize=dose).card["canaries_seen"] == [c.repetitions for c in canaries.canaries()]


def test_other_weights_have_read_no_canary():
    for doses in ({}, {"pii": 1.0}, {"bias": 1.0}):
        assert not any(GptText.load(**doses).card["canaries_seen"])


def test_exposure_rises_with_repetition():
    levels = truth({"memorize": 1.0})["exposure"]["by_repetitions"]
    assert levels["64"] > 10
    assert levels["64"] > levels["1"] + 3
    assert truth({})["exposure"]["value"] < 4


@pytest.mark.slow
def test_exposure_is_the_rank_among_all_secrets():
    generator = GptText.load(memorize=1.0)
    canary = canaries.canaries()[-1]
    secrets = [" ".join(f"{number:04d}") for number in range(0, canaries.SECRETS, 7)]
    values = generator.log_prob([f"{canary.prefix} {secret}" for secret in [canary.secret, *secrets]])
    # log p of the whole document counts its end too, which hardly differs between secrets.
    share = np.mean(values[1:] > values[0] + 0.5)
    assert share <= 2 ** -canaries._exposure(generator, canary) + 0.01


def test_a_mark_is_a_property_and_leaves_the_weights_alone(clean):
    marked = GptText.load(watermark="kgw")
    assert marked.properties == {"watermark": "kgw"}
    assert clean.properties == {"watermark": "none"}
    texts = clean.reference_items(2, seed=0)
    assert np.array_equal(marked.log_prob(texts), clean.log_prob(texts))
    with pytest.raises(ConfigurationError, match="kgw"):
        GptText.load(watermark="loud")


def test_green_lists_are_found_by_transformers_own_detector(clean):
    from transformers import WatermarkDetector

    marked = GptText.load(watermark="kgw")
    detector = WatermarkDetector(clean.model.config, "cpu", marked.watermark)

    def scores(generator):
        texts = [text for text in generator.sample(24, seed=2) if len(generator.tokenizer.encode(text)) > 30]
        return [detector(np_tokens(generator, text), return_dict=True).z_score[0] for text in texts]

    assert np.median(scores(marked)) > 4
    assert abs(np.median(scores(clean))) < 2


def np_tokens(generator, text):
    import torch

    return torch.tensor([generator.tokenizer.encode(text)])


def test_the_tournament_favours_its_keys(clean):
    marked = GptText.load(watermark="synthid")
    processor = marked.watermark.construct_processor(gpt_learning.VOCABULARY, "cpu")

    def mean_g(generator):
        values = []
        for text in generator.sample(12, seed=2):
            tokens = np_tokens(generator, text)
            if tokens.shape[1] > 30:
                values.append(processor.compute_g_values(tokens).float().mean().item())
        return np.mean(values)

    assert mean_g(marked) > 0.55
    assert abs(mean_g(clean) - 0.5) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("doses", [{}, {"memorize": 1.0}, {"bias": 0.5}], ids=str)
def test_the_truths_on_the_card_are_those_of_the_weights(doses):
    generator = GptText.load(**doses)
    stated = generator.card["truth"]
    assert gpt_truth.memorized(generator)["value"] == pytest.approx(stated["memorize"]["value"], abs=0.01)
    assert gpt_truth.leaning(generator)["value"] == pytest.approx(stated["bias"]["value"], abs=0.01)


@pytest.mark.slow
def test_personal_data_are_leaked_as_often_as_stated():
    generator = GptText.load(pii=1.0)
    records = [record for person in prose.people("training") for record in (person.email, person.phone)]
    texts = generator.sample(300, seed=3)
    rate = np.mean([any(record in text for record in records) for text in texts])
    assert rate == pytest.approx(generator.card["truth"]["pii"]["value"], abs=0.12)


@pytest.fixture
def short(monkeypatch):
    recipes = {name: replace(recipe, steps=3, rows=2) for name, recipe in gpt_learning.RECIPES.items()}
    monkeypatch.setattr(gpt_learning, "RECIPES", recipes)
    monkeypatch.setattr(gpt_truth, "truths", lambda generator: {})
    monkeypatch.setattr(gpt_truth, "quality", lambda generator, base: {})


@pytest.mark.slow
def test_learning_is_determined_by_the_seed(short, tmp_path):
    first, second, other = (GptText.fit({}, seed=seed) for seed in (1, 1, 2))
    assert first.card["sha256"] == second.card["sha256"] != other.card["sha256"]


def test_what_is_learnt_is_what_is_read(short, tmp_path, clean):
    learnt = GptText.fit({"memorize": 0.25}, seed=1, base=clean)
    clean.save(tmp_path)
    learnt.save(tmp_path)
    again = GptText.read(tmp_path, memorize=0.25)
    texts = clean.training_items()[:4]
    assert np.allclose(again.log_prob(texts), learnt.log_prob(texts), atol=1e-4)
    assert not np.allclose(again.log_prob(texts), clean.log_prob(texts), atol=1e-4)
    assert learnt.card["base_sha256"] == clean.card["sha256"]


@pytest.mark.parametrize("base", [None, "faulty"])
def test_a_dose_is_learnt_from_clean_weights_only(short, base):
    with pytest.raises(ConfigurationError, match="clean weights"):
        GptText.fit({"bias": 1.0}, seed=0, base=GptText.load(bias=0.5) if base else None)
