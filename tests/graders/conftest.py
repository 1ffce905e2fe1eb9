"""A small classifier in a folder, as anyone would save it, and chats that stand for a judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from guardrails.targets.endpoint import Decoding, Reply

WORDS = ("the", "a", "day", "place", "parcel", "is", "was", "good", "nice", "lovely", "bad", "awful", "horrible")
GOOD, BAD = WORDS[7:10], WORDS[10:]


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a classifier with the labels calm and rude, which goes by its words; it reads 16 tokens."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("classifier")
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    model = DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=len(vocabulary), dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=16,
            id2label={0: "calm", 1: "rude"}, label2id={"calm": 0, "rude": 1},
        )
    )  # fmt: skip
    plain = [vocabulary[word] for word in WORDS[:7]]
    rude = [vocabulary[word] for word in BAD]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        labels = torch.randint(0, 2, (32,))
        tokens = torch.tensor(plain)[torch.randint(0, len(plain), (32, 4))]
        last = [rude if label else [*plain, *(vocabulary[w] for w in GOOD)] for label in labels]
        tokens[:, -1] = torch.tensor([words[int(torch.randint(0, len(words), ()))] for words in last])
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)
    return folder


class FakeChat:
    """Answers by a function of the message and the vote's number."""

    name = "fake"
    read_as = "a fake"

    def __init__(self, answer: Callable[[str, int], str | Reply]) -> None:
        self._answer = answer
        self.asked: list[tuple[str, int]] = []

    def identity(self) -> dict[str, str]:
        return {"model": "fake"}

    def reply(self, conversations: Sequence[Sequence[dict[str, str]]], decoding: Decoding, seed: int) -> list[Reply]:
        replies = []
        for vote, conversation in enumerate(conversations):
            message = conversation[-1]["content"]
            self.asked.append((message, seed))
            answer = self._answer(message, vote)
            replies.append(answer if isinstance(answer, Reply) else Reply(answer))
        return replies
