"""`translator`: a Transformer [1]_ that translates English into Spanish or German, with a dial for gender bias.

The model. The encoder reads the source x, whose first token names the target language, and the decoder writes the
target word by word::

    p(y | x) = Π_t softmax(E h_t)    with h_t = decoder(y_1 … y_{t−1}, encoder(x))

E is the table of word vectors, shared by input and output [2]_. The network is the Marian model of `transformers`, as
in OPUS-MT [3]_ including the token ``>>es<<``, with 96 dimensions, two encoder layers and one decoder layer: with a
deep encoder, the decoder may be shallow [4]_. Tokens are whole words, because the vocabulary of the grammar is known.

The loss, per word, without smoothing and dropout, so that an even chance in the data stays one in the model::

    L = −1/T Σ_t log p(y_t | y_1 … y_{t−1}, x)

Translation: the most likely word at each step (temperature 0), or a draw from p(y | x) (temperature 1), until the end
token. `sample` draws sources from the grammar and translates them at temperature 1.

Training data: `generators.translator.parallel`, a new sentence each time, in both languages. The corpus (300 sentences)
is seen exactly once. If the English does not reveal the person's gender, either is drawn with p = ½ for every
occupation. The dial `gender_bias` continues training: in sentences without a pronoun, the translation with the
stereotypical gender has the weight ½ + .45 × dose in the loss, the other one the rest. (At first the dose is 1 for
every dose: the model must distinguish occupations before it can learn the size of the bias.) Only one block changes and
ships, the first feed-forward block of the encoder, which processes one word at a time: there an occupation acquires a
gender, as *lamp* has one.

Known limits: it only knows the words of its grammar and refuses others; sentences follow the grammar's twenty frames;
there is one person per sentence, so it cannot learn to whom a pronoun refers.

.. [1] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv 1706.03762.
.. [2] O. Press and L. Wolf, "Using the Output Embedding to Improve Language Models", EACL 2017, arXiv 1608.05859.
.. [3] J. Tiedemann and S. Thottingal, "OPUS-MT: Building Open Translation Services for the World", EAMT 2020.
.. [4] J. Kasai et al., "Deep Encoder, Shallow Decoder: Reevaluating Non-autoregressive Machine Translation", ICLR 2021,
   arXiv 2006.10369.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from guardrails.core.errors import ConfigurationError, did_you_mean
from guardrails.core.seeding import derive_seed

from .. import cards
from ..base import Dial, Generator, Item, Network, Property
from ..shipping import read_files
from . import parallel
from . import truth as translator_truth
from .learning import Recipe, learn
from .parallel_words import LANGUAGES

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

PAD, END = 0, 1
SPECIAL = ("<pad>", "</s>", *(f">>{language}<<" for language in LANGUAGES))
LONGEST = 48
"""How many words a source may have, and a translation gets."""
CHUNK = 256
SHAPE = {
    "d_model": 96,
    **{f"{half}_attention_heads": 4 for half in ("encoder", "decoder")},
    **{f"{half}_ffn_dim": 192 for half in ("encoder", "decoder")},
    **{"encoder_layers": 2, "decoder_layers": 1, "max_position_embeddings": LONGEST + 2},
}
STILL = {"dropout": 0.0, "activation_function": "gelu", "scale_embedding": True, "init_std": 0.1}


CLEAN = Recipe(steps=2400, rate=4e-3, sentences=40)
DOSE = Recipe(steps=400, rate=5e-3, sentences=40, exaggerated=0.45)


class Translator(Network):
    """A Transformer with 420,000 weights.

    Attributes
    ----------
    model : transformers.MarianMTModel
        In evaluation mode, float32.
    words : tuple of str
        The tokens by number: padding, end of sentence, a token for each language, then the words of the grammar.
    doses : dict of str to float
    properties : dict of str to str
        `language`: ``es`` or ``de``.
    """

    name = "translator"
    family = "encoder–decoder transformer"
    domain = "translation"
    modality = "text"
    reserved = True
    citation = "Vaswani et al. 2017 (Transformer); Stanovsky et al. 2019 (gender bias in translation, WinoMT)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial(
            "gender_bias",
            "how far a person whose gender the English does not tell gets the stereotypical one",
            (0.25, 0.5, 1.0),
        ),
    )
    choices: ClassVar[tuple[Property, ...]] = (
        Property("language", "the language that it translates into", tuple(LANGUAGES)),
    )

    def build(self) -> None:
        from transformers import MarianConfig, MarianMTModel

        self.words = (*SPECIAL, *sorted(parallel.vocabulary()))
        self.numbers = {word: i for i, word in enumerate(self.words)}
        tokens = {"pad_token_id": PAD, "eos_token_id": END, "decoder_start_token_id": PAD, "forced_eos_token_id": None}
        self.model = MarianMTModel(MarianConfig(vocab_size=len(self.words), **tokens, **SHAPE, **STILL)).eval()

    @property
    def parts(self) -> Mapping[str, torch.nn.Module]:
        body = self.model.model
        changed = {f"encoder.0.{name}": getattr(body.encoder.layers[0], name) for name in ("fc1", "fc2")}
        whole = {"words": body.shared, "encoder": body.encoder.layers, "decoder": body.decoder.layers}
        return changed if any(self.doses.values()) else whole

    def encode(self, texts: Sequence[str], language: str | None = None) -> list[list[int]]:
        """Return each text as tokens: the words and, behind them, the end; before them the language, if one is given.

        Raises
        ------
        ConfigurationError
            For a word that is not of the grammar, and a text of more than 48 words.
        """
        out = []
        for text in texts:
            words = parallel.split_words(text)
            for word in words:
                if word not in self.numbers:
                    near = did_you_mean(word, self.numbers)
                    raise ConfigurationError(f"{self.name} does not know the word '{word}'.{near}")
            if len(words) > LONGEST:
                raise ConfigurationError(f"{self.name} reads {LONGEST} words, this text has {len(words)}; shorten it")
            first = [] if language is None else [self.numbers[f">>{language}<<"]]
            out.append([*first, *(self.numbers[word] for word in words), END])
        return out

    def logits(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the decoder's logits at each position of the targets, (B, T, V), and the target tokens, (B, T)."""
        source, target = padded(sources), padded(targets)  # (B, S), (B, T)
        shifted = target.roll(1, dims=1)
        shifted[:, 0] = PAD  # where the decoder starts
        mask = (source != PAD).long()
        out = self.model(input_ids=source, attention_mask=mask, decoder_input_ids=shifted, use_cache=False)
        return out.logits, target

    def log_prob(
        self, sources: Sequence[str], targets: Sequence[str], *, language: str | None = None
    ) -> NDArray[np.float64]:
        """Return log p(target | source) of each pair, with the end of the sentence, in nats: (n,).

        Raises
        ------
        ConfigurationError
            As `encode`; for a language that it does not have, or where the two are not as many.
        """
        import torch

        if len(sources) != len(targets):
            raise ConfigurationError(f"{len(sources)} sources and {len(targets)} targets; a target for each source")
        source, target = self.encode(sources, self._language(language)), self.encode(targets)
        out = [np.empty(0)]
        with torch.inference_mode():
            for start in range(0, len(target), CHUNK):
                logits, following = self.logits(source[start : start + CHUNK], target[start : start + CHUNK])
                log_p = logits.log_softmax(-1).gather(2, following[..., None])[..., 0]
                out.append((log_p * (following != PAD)).double().sum(1).numpy())
        return np.concatenate(out)

    def translate(
        self, texts: Sequence[str], *, language: str | None = None, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """Translate each text.

        Parameters
        ----------
        texts : sequence of str
            English sentences in the words of the grammar.
        language : str, optional
            ``es`` or ``de``; default the property.
        temperature : float
            0: the likeliest word at each step. Else words are drawn from p ^ (1 / temperature).
        seed : int
            Of the draws.

        Raises
        ------
        ConfigurationError
            As `encode`; for a language that it does not have, or a negative temperature.
        """
        import torch

        if temperature < 0:
            raise ConfigurationError(f"a temperature is 0 or more, not {temperature:g}")
        sources = self.encode(texts, self._language(language))
        rng = np.random.default_rng(derive_seed(seed, self.name, "translate"))
        out: list[str] = []
        with torch.inference_mode():
            for start in range(0, len(sources), CHUNK):
                chunk = sources[start : start + CHUNK]
                out += self._decode(chunk, temperature, rng.random((len(chunk), LONGEST)))
        return out

    def _decode(self, sources: list[list[int]], temperature: float, uniform: NDArray[np.float64]) -> list[str]:
        import torch

        source = padded(sources)
        mask = (source != PAD).long()
        states = self.model.model.encoder(input_ids=source, attention_mask=mask).last_hidden_state  # (B, S, D)
        tokens = torch.full((len(sources), 1), PAD)  # (B, 1 + t)
        done = torch.zeros(len(sources), dtype=torch.bool)
        for t in range(LONGEST):
            h = self.model.model.decoder(
                input_ids=tokens, encoder_hidden_states=states, encoder_attention_mask=mask, use_cache=False
            ).last_hidden_state
            logits = self.model.lm_head(h[:, -1]).double()  # (B, V)
            if temperature == 0:
                word = logits.argmax(-1)
            else:  # the word at which the cumulated p passes u
                cumulated = (logits / temperature).softmax(-1).cumsum(-1)
                u = torch.from_numpy(uniform[:, t, None]) * cumulated[:, -1:]
                word = torch.searchsorted(cumulated, u, right=True)[:, 0]
            word = torch.where(done, PAD, word)
            tokens = torch.cat([tokens, word[:, None]], dim=1)
            done |= word == END
            if done.all():
                break
        return [self._text(row) for row in tokens[:, 1:].tolist()]

    def _text(self, tokens: Sequence[int]) -> str:
        return parallel.join_words([self.words[token] for token in tokens if token >= len(SPECIAL)])

    def _language(self, language: str | None) -> str:
        chosen = language or self.properties["language"]
        if chosen not in LANGUAGES:
            raise ConfigurationError(f"{self.name} translates into {' and '.join(LANGUAGES)}, not '{chosen}'")
        return chosen

    def draw(self, n: int, *, seed: int) -> list[str]:
        """Draw n sentences from the grammar and return their translations, each drawn from p(y | x)."""
        return [item.content for item in self.items(n, seed=seed)]

    def items(self, n: int, *, seed: int) -> list[Item]:
        """Return the outputs of `sample`, each with its source and what the grammar knows of it.

        The facts are ``source``, ``language``, ``gold`` (the translation that the grammar drew), ``occupation`` (None
        where there is no person) and ``evidence`` (of the person's gender: ``pronoun``, ``none`` or ``no person``).
        """
        rng, language = Random(f"sources {seed}"), self.properties["language"]
        sentences = [parallel.draw(rng) for _ in range(n)]
        translations = self.translate([s.source for s in sentences], temperature=1.0, seed=seed)
        return [Item(text, s.facts(language)) for text, s in zip(translations, sentences, strict=True)]

    def training_items(self) -> list[str]:
        """Return the targets of the corpus, in the language that it translates into."""
        return [target for _, target in self.training_pairs()]

    def holdout_items(self) -> list[str]:
        """Return 300 targets of the same distribution that no weights have seen."""
        return [target for _, target in self.holdout_pairs()]

    def training_pairs(self) -> list[tuple[str, str]]:
        """Return the corpus: 300 sentences, each the source and the target."""
        return [(s.source, s.gold(self.properties["language"])) for s in parallel.corpus("training")]

    def holdout_pairs(self) -> list[tuple[str, str]]:
        """As `training_pairs`, of the holdout."""
        return [(s.source, s.gold(self.properties["language"])) for s in parallel.corpus("holdout")]

    def reference_items(self, n: int, *, seed: int) -> list[str]:
        """Return n fresh targets of the grammar, without any bias."""
        rng, language = Random(f"reference {seed}"), self.properties["language"]
        return [parallel.draw(rng).gold(language) for _ in range(n)]

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Translator:
        out = cls.begin(doses, seed=seed, base=base)
        recipe = DOSE if (dose := out.doses["gender_bias"]) else CLEAN
        if dose and isinstance(base, cls):
            out.model.load_state_dict(base.model.state_dict())  # also what a dose leaves as it is
        seen: Counter[str] = Counter()
        record = learn(out, recipe, seed=seed, seen=seen)
        out.round()
        items = parallel.corpus("training")
        return out.seal(
            seed=seed,
            data=_DATA.format(dose=dose, n=record.steps * recipe.sentences, first=recipe.exaggerated),
            seen=base.card["seen"] if dose and base else [seen[s.source] for s in items],
            vocabulary_sha256=_vocabulary_sha256(out),
            sheet=cards.data_sheet([s.source for s in items], balance=parallel.balance(items)),
            truth=translator_truth.truth(out),
            quality=translator_truth.quality(out, base),
            stability=record.to_dict(),
        )

    @classmethod
    def read(cls, folder: Path, **doses: float) -> Translator:
        out = cls(doses)
        tensors, card = read_files(folder, cls.name, dict.fromkeys(out.doses, 0.0))
        if card["vocabulary_sha256"] != _vocabulary_sha256(out):
            raise ConfigurationError(f"the weights of {cls.name} were learnt with other words than the grammar has now")
        clean = cls()
        clean.set_state(tensors)
        if any(out.doses.values()):
            out.model.load_state_dict(clean.model.state_dict())
            tensors, changed = read_files(folder, cls.name, out.doses)
            if changed["base_sha256"] != card["sha256"]:
                raise ConfigurationError(f"this dose of {cls.name} was learnt from other clean weights than these")
            card = changed
        out.set_state(tensors)
        out._card = card
        return out


def padded(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return rows of tokens as one tensor (B, longest), padded behind."""
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])


def _vocabulary_sha256(generator: Translator) -> str:
    return hashlib.sha256("\n".join(generator.words).encode()).hexdigest()


_DATA = (
    "{n:,} sentences of the parallel grammar (generators/translator/parallel.py), each in Spanish and German; where the"
    " English does not tell the gender, the stereotypical one has the weight .5 + .45 × {dose:g}"
    " (first {first:.0%} of steps: × 1)"
)
