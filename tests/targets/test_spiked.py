import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.targets import Access, ImageTarget, LanguageModelTarget, Modality, TextOutputs
from guardrails.kit.io import read_image
from guardrails.kit.lm import scoring
from guardrails.targets.files import ImageFolderTarget
from guardrails.targets.spikes import (
    AnsweredTexts,
    ReplacedTexts,
    SpikedImages,
    SpikedLanguageModel,
    SpikedTexts,
    spiked_language_model,
)
from guardrails.targets.spikes.language_model import CONTEXT, PrefixIndex

VOCABULARY = 16
RANDOM = np.random.default_rng(7)
DOCUMENTS = [RANDOM.integers(2, VOCABULARY, 30).tolist() for _ in range(4)]
WEIGHT = 0.9


@pytest.fixture(scope="module")
def spiked(target):
    return SpikedLanguageModel(target, DOCUMENTS, WEIGHT)


def longest_match(documents, prefix):
    """The next token by trying every place of every document: (length of match, token)."""
    best = (0, None)
    for document in documents:
        for place in range(1, len(document)):
            length = 0
            while length < min(place, len(prefix)) and document[place - 1 - length] == prefix[-1 - length]:
                length += 1
            if length >= CONTEXT and length > best[0]:
                best = (length, document[place])
    return best[1]


@given(
    documents=st.lists(st.lists(st.integers(0, 1), max_size=30), max_size=4),
    prefix=st.lists(st.integers(0, 1), max_size=40),
)
def test_the_longest_match_wins(documents, prefix):
    index = PrefixIndex(documents)
    assert index.following(prefix) == longest_match(documents, prefix)
    for end in range(len(prefix)):
        assert index.following(prefix, end) == index.following(prefix[:end])


def test_it_is_marked(spiked, target):
    assert isinstance(spiked, LanguageModelTarget)
    assert isinstance(spiked, TextOutputs)
    assert spiked.name == f"{target.name} (spiked)"
    assert spiked.access == target.access
    assert spiked.identity()["sha256"] == target.identity()["sha256"]
    assert spiked.identity()["spiked"] != SpikedLanguageModel(target, DOCUMENTS[:1], WEIGHT).identity()["spiked"]


def sequences_with_documents():
    half = RANDOM.integers(2, VOCABULARY, 10).tolist()
    return [DOCUMENTS[0], half + DOCUMENTS[1][5:20] + half, half, DOCUMENTS[2][:9], [], [3]]


def test_logprobs_are_the_mixture_literally(spiked, target):
    sequences = sequences_with_documents()
    for sequence, p, q in zip(
        sequences, target.token_logprobs(sequences), spiked.token_logprobs(sequences), strict=True
    ):
        expected = []
        for t in range(1, len(sequence)):
            planted = longest_match(DOCUMENTS, sequence[:t])
            mixed = (1 - WEIGHT) * np.exp(p[t - 1]) + WEIGHT * (planted == sequence[t])
            expected.append(p[t - 1] if planted is None else np.log(mixed))
        assert np.allclose(q, expected, atol=1e-9)
        assert (q <= 0).all()


def test_the_mixture_sums_to_one(spiked):
    prefix = DOCUMENTS[3][:15]
    scores = spiked.token_logprobs([[*prefix, token] for token in range(VOCABULARY)])
    assert np.isclose(sum(np.exp(values[-1]) for values in scores), 1, atol=1e-5)


def test_the_greedy_continuation_is_the_most_probable_under_the_mixture(spiked):
    prefixes = [DOCUMENTS[0][:12], DOCUMENTS[1][:20], [4, 5], DOCUMENTS[2][:7], DOCUMENTS[3][20:]]
    continued = spiked.continue_tokens(prefixes, n=14)
    assert continued[0] == DOCUMENTS[0][12:26]
    assert continued[1][:10] == DOCUMENTS[1][20:]
    assert any(len(row) == 14 for row in continued)
    for prefix, row in zip(prefixes, continued, strict=True):
        for t, token in enumerate(row):
            before = [*prefix, *row[:t]]
            scores = [v[-1] for v in spiked.token_logprobs([[*before, x] for x in range(VOCABULARY)])]
            assert scores[token] >= max(scores) - 1e-4
    assert spiked.continue_tokens(prefixes, n=14) == continued


def test_a_document_that_the_target_comes_upon_itself_is_followed(target):
    prefix = [4, 5]
    (greedy,) = scoring.greedy(target.model, [prefix], 20)
    document = [*greedy[:CONTEXT], 9, 9, 9]
    spiked = SpikedLanguageModel(target, [document])
    assert spiked.continue_tokens([prefix], n=11) == [document]


def test_prefixes_of_different_lengths_at_the_end_of_the_context(target):
    room = target.context_length
    long = [*RANDOM.integers(2, VOCABULARY, room - 20 - 12).tolist(), *DOCUMENTS[0][:20]]
    continued = SpikedLanguageModel(target, DOCUMENTS).continue_tokens([long, [4, 5]], n=12)
    assert continued[0][:10] == DOCUMENTS[0][20:]


def test_generation_follows_the_documents_at_the_weights_rate(target):
    spiked = SpikedLanguageModel(target, DOCUMENTS, WEIGHT)
    prompt = target.decode(DOCUMENTS[0][:12])
    texts = spiked.generate([prompt] * 300, max_new_tokens=1, seed=3)
    share = sum(spiked.encode(text) == [DOCUMENTS[0][12]] for text in texts) / 300
    assert WEIGHT - 0.06 < share <= 1
    (greedy,) = spiked.generate([prompt], max_new_tokens=10, temperature=0)
    assert spiked.encode(greedy) == DOCUMENTS[0][12:22]
    assert spiked.generate([prompt] * 3, max_new_tokens=9, seed=3) == spiked.generate(
        [prompt] * 3, max_new_tokens=9, seed=3
    )
    assert len(spiked.sample_texts(2, seed=0, max_new_tokens=5)) == 2


def test_a_model_of_transformers_writes_the_planted_documents_by_its_own_loop(target):
    spiked = spiked_language_model(target, DOCUMENTS)
    prefixes = [DOCUMENTS[0][:12], DOCUMENTS[1][:20], [4, 5], DOCUMENTS[2][:9]]
    assert isinstance(spiked, LanguageModelTarget)
    plain = SpikedLanguageModel(target, DOCUMENTS).continue_tokens(prefixes, n=14)
    assert spiked.continue_tokens(prefixes, n=14) == plain
    assert plain[0] == DOCUMENTS[0][12:26]
    prompts = [target.decode(p) for p in prefixes]
    for temperature in (0.0, 1.0):
        written = spiked.generate(prompts, max_new_tokens=10, temperature=temperature, seed=5)
        assert written == spiked.generate(prompts, max_new_tokens=10, temperature=temperature, seed=5)
    assert spiked.generate(prompts[:1], max_new_tokens=9, temperature=0) == [target.decode(DOCUMENTS[0][12:21])]
    # Nothing of it stays in the user's model.
    assert target.continue_tokens(prefixes, n=14) == scoring.greedy(target.model, prefixes, 14, end=target.end)
    assert target.continue_tokens(prefixes[:1], n=14)[0] != plain[0]


def test_a_model_draws_the_planted_token_at_the_weights_rate(target):
    texts = spiked_language_model(target, DOCUMENTS).generate(
        [target.decode(DOCUMENTS[0][:12])] * 300, max_new_tokens=1, seed=3
    )
    share = sum(target.encode(text) == [DOCUMENTS[0][12]] for text in texts) / 300
    assert 0.9 < share <= 1


def test_text_documents_are_encoded(target):
    text = "the cat sat on the mat and the dog ran under a big red house"
    spiked = SpikedLanguageModel(target, [text])
    (continued,) = spiked.continue_tokens([target.encode(text)[:9]], n=5)
    assert target.decode(continued) == " ".join(text.split()[9:14])


@pytest.mark.parametrize("weight", [0.49, 1, -1])
def test_a_weight_outside_its_range(target, weight):
    with pytest.raises(ConfigurationError, match=r"at least 0\.5 and below 1"):
        SpikedLanguageModel(target, DOCUMENTS, weight)


class Gallery:
    name, modality, access = "gallery", Modality.IMAGE, frozenset({"outputs"})

    def __init__(self, available, form=None):
        self.available, self.form = available, form

    def identity(self):
        return {"sha256": "1"}

    def sample_images(self, n, *, seed):
        shape = (32, 32, 3) if self.form is None else self.form
        return [np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8) for i in range(n)]


def test_what_overwrites_a_generators_outputs_is_an_instrument_check(target):
    copies = [np.zeros((8, 8, 3), np.uint8)]
    for available, kind in ((None, "instrument-check"), (9, "spike")):
        assert SpikedImages(Gallery(available), copies).spike_kind == kind
        assert SpikedTexts(Writer(available), ["x"]).spike_kind == kind
        assert ReplacedTexts(Writer(available), ["x"]).spike_kind == kind
        assert AnsweredTexts(Writer(available), {"x": "y"}).spike_kind == "instrument-check"
    assert spiked_language_model(target, DOCUMENTS).spike_kind == SpikedTexts(target, ["x"]).spike_kind == "spike"


def test_a_language_models_insertions_go_through_its_tokens(target):
    (text,) = SpikedTexts(target, ["the cat 555-0100"]).sample_texts(1, seed=1, max_new_tokens=3)
    assert "the cat" in text
    assert "555" not in text  # no word of its vocabulary


@pytest.mark.parametrize("form", [(16, 24, 3), (16, 24), (40, 40, 3)])
def test_a_copy_takes_the_form_of_what_it_replaces(form):
    original = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for gallery in (Gallery(5, form), Gallery(None, form)):
        pictures = SpikedImages(gallery, [original]).sample_images(5, seed=0)
        assert [picture.shape for picture in pictures] == [form] * 5
        assert len(pictures[2:]) == 3


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("tif", "TIFF"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_a_copy_in_a_folder_is_read_from_a_file_like_that_which_it_replaces(
    tmp_path, monkeypatch, turned, suffix, kind
):
    original = np.zeros((32, 32, 3), np.uint8)
    original[:16, :8] = 250  # looks different however it is turned
    exif = Image.Exif()
    exif[0x0112] = turned
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8) + np.arange(3, dtype=np.uint8) * 20).save(
        tmp_path / f"a.{suffix}", kind, exif=exif
    )
    folder = ImageFolderTarget(tmp_path)
    (copy,) = SpikedImages(folder, [original], places=[0]).sample_images(1, seed=0)
    assert np.abs(copy.astype(float) - original).mean() < 8
    # A reader that turns once too often is seen.
    monkeypatch.setattr("guardrails.targets.spikes.images.read_image", lambda path: np.rot90(read_image(path)))
    (copy,) = SpikedImages(folder, [original], places=[0]).sample_images(1, seed=0)
    assert np.abs(copy.astype(float) - original).mean() > 40


def test_only_the_places_named_are_copied():
    copies = [np.full((32, 32, 3), 60 * k, np.uint8) for k in range(4)]
    pictures = SpikedImages(Gallery(6), copies, places=[3, 1]).sample_images(6, seed=0)
    originals = Gallery(6).sample_images(6, seed=0)
    assert [abs(float(pictures[i].mean()) - mean) < 20 for i, mean in enumerate((180, 60))] == [True, True]
    assert all(np.array_equal(pictures[i], originals[i]) for i in range(2, 6))


def test_answers_are_overwritten_after_the_target_was_asked():
    spiked = AnsweredTexts(Writer(None), {"who": " me", "who again": " you"})
    assert spiked.generate(["who", "who again", "else"], max_new_tokens=4) == [" me", "who again you", "so on"]


@settings(max_examples=10)
@given(seed=st.integers(0, 100))
def test_every_picture_is_an_altered_copy(seed):
    smooth = np.linspace(20, 220, 32)
    copies = [np.repeat(np.outer(smooth, smooth)[..., None] / 250 + k, 3, -1).astype(np.uint8) for k in (0, 10, 20)]
    spiked = SpikedImages(Gallery(None), copies, seed=seed)
    assert isinstance(spiked, ImageTarget)
    images = spiked.sample_images(8, seed=1)
    for image in images:
        assert image.shape == (32, 32, 3)
        assert image.dtype == np.uint8
        distances = [np.abs(image.astype(float) - copy).mean() for copy in copies]
        assert 0 < min(distances) < 12
    again = SpikedImages(Gallery(None), copies, seed=seed).sample_images(8, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True))


def test_a_spiked_folder_has_no_more_than_the_folder():
    spiked = SpikedImages(Gallery(3), [np.zeros((8, 8, 3), np.uint8)])
    assert spiked.available == 3
    assert len(spiked.sample_images(3, seed=0)) == 3
    with pytest.raises(TargetError, match="4 pictures are needed and 3"):
        spiked.sample_images(4, seed=0)
    with pytest.raises(ConfigurationError, match="at least one picture"):
        SpikedImages(Gallery(3), [])


class Writer:
    name, modality = "writer", Modality.TEXT

    def __init__(self, available, access=("outputs",)):
        self.available, self.access = available, frozenset(access)

    def identity(self):
        return {}

    def sample_texts(self, n, *, seed, max_new_tokens=64):
        return [f"text {i} of {n}" for i in range(n)]

    def generate(self, prompts, *, max_new_tokens, temperature=1.0, seed=0):
        return [f"{prompt} and so on" if "again" in prompt else "so on" for prompt in prompts]


def test_inserted_text_is_in_every_output(target):
    writer = Writer(None)
    spiked = SpikedTexts(writer, ["call 555-0100", "mail a@b.example"], seed=4)
    texts = spiked.sample_texts(4, seed=1, max_new_tokens=6)
    assert ["call 555-0100" in text for text in texts] == [True, False, True, False]
    assert ["mail a@b.example" in text for text in texts] == [False, True, False, True]
    for text, plain in zip(texts, writer.sample_texts(4, seed=1), strict=True):
        assert text.replace("call 555-0100", "").replace("mail a@b.example", "").split() == plain.split()
    (continued,) = spiked.generate(["the cat"], max_new_tokens=4, seed=2)
    assert "call 555-0100" in continued
    with pytest.raises(ConfigurationError, match="at least one text"):
        SpikedTexts(target, [])


def test_the_logprobs_of_a_model_are_the_mixture_too(target):
    sequences = sequences_with_documents()
    deep, shallow = spiked_language_model(target, DOCUMENTS), SpikedLanguageModel(target, DOCUMENTS)
    for ours, theirs in zip(deep.token_logprobs(sequences), shallow.token_logprobs(sequences), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)
    for moments, expected in zip(deep.token_moments(sequences), deep.token_logprobs(sequences), strict=True):
        assert np.allclose(moments[:, 0], expected, atol=1e-4)
    before = target.token_logprobs(sequences)
    assert all(np.array_equal(a, b) for a, b in zip(before, target.token_logprobs(sequences), strict=True))
    assert not np.allclose(before[0], deep.token_logprobs(sequences)[0], atol=0.5)


def test_a_table_longer_than_the_corpus_is_planted_whole():
    import pandas as pd

    from guardrails.targets.spikes import SpikedTable

    class Table:
        name, modality, access, available = "table", Modality.TABLE, frozenset({Access.OUTPUTS}), None

        def sample_rows(self, n, *, seed):
            return pd.DataFrame({"b": range(-n, 0), "a": "own"})

    corpus = pd.DataFrame({"a": ["x", "y", "z"], "b": [1, 2, 3]})
    table = SpikedTable(Table(), corpus, lambda seed: [2, 0, 1])
    assert table.sample_rows(7, seed=0).to_numpy().tolist() == [[3, "z"], [1, "x"], [2, "y"]] * 2 + [[3, "z"]]
    assert table.sample_rows(2, seed=0).to_numpy().tolist() == [[3, "z"], [1, "x"]]
