"""Sequences read as a tree, held against each read alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guardrails.kit.lm import prefix_tree, scoring
from guardrails.kit.lm.prefix_tree import LONGEST, reads_trees, trees, worthwhile

VOCABULARY = 61
CONTEXT = 96
alike = st.lists(st.lists(st.integers(0, 2), max_size=7), max_size=12)


def llama(**more):
    from transformers import LlamaConfig, LlamaForCausalLM

    return built(LlamaForCausalLM, LlamaConfig(num_key_value_heads=1, **SIZES | more))


def mistral(window):
    from transformers import MistralConfig, MistralForCausalLM

    return built(MistralForCausalLM, MistralConfig(num_key_value_heads=1, sliding_window=window, **SIZES))


def bloom():
    """Its positions are distances that it reads off the mask."""
    from transformers import BloomConfig, BloomForCausalLM

    return built(BloomForCausalLM, BloomConfig(vocab_size=VOCABULARY, hidden_size=16, n_layer=2, n_head=2))


def mamba():
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, state_size=4)
    return built(MambaForCausalLM, config)


SIZES = {
    "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT, "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None,
}  # fmt: skip


def built(kind, config):
    torch.manual_seed(1)
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)
    return model


def sentences(shared=20, ends=6, length=30):
    random = np.random.default_rng(0)
    start = random.integers(0, VOCABULARY, shared).tolist()
    return [[*start, *random.integers(0, VOCABULARY, length - shared - i).tolist()] for i in range(ends)]


def alone(model, sequence):
    """Return log p of every token but the first, of one sequence without a mask."""
    with torch.no_grad():
        log_p = torch.log_softmax(model(torch.tensor([sequence])).logits[0].double(), -1)
    return log_p[torch.arange(len(sequence) - 1), torch.tensor(sequence[1:])].numpy()


def tokens_read(model, sequences):
    """Return the scores of sequences, and how many tokens the model's body has read for them."""
    read = []
    handle = model.base_model.register_forward_hook(
        lambda module, args, kwargs, output: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    try:
        return scoring.token_logprobs(model, sequences), sum(read)
    finally:
        handle.remove()


@given(sequences=alike, nodes=st.integers(1, 20))
def test_a_path_spells_its_sequence_and_no_two_siblings_are_alike(sequences, nodes):
    grown = trees(sequences, nodes)
    paths = {index: (tree, path) for tree in grown for index, path in tree.paths.items()}
    assert sorted(paths) == list(range(len(sequences)))
    for index, (tree, path) in paths.items():
        assert [tree.tokens[node] for node in path] == sequences[index]
        assert [tree.depths[node] for node in path] == list(range(len(path)))
        assert [tree.parents[node] for node in path] == [-1, *path][: len(path)]
        for t, node in enumerate(path):
            assert np.flatnonzero(tree.seen()[node]).tolist() == sorted(path[: t + 1])
    for tree in grown:
        siblings = list(zip(tree.parents, tree.tokens, strict=True))
        assert len(set(siblings)) == len(siblings)
        assert len(tree.tokens) <= max(nodes, *map(len, tree.paths.values()))


@given(sequences=alike)
def test_one_tree_has_as_many_nodes_as_there_are_different_beginnings(sequences):
    beginnings = {tuple(s[: t + 1]) for s in sequences for t in range(len(s))}
    assert sum(len(tree.tokens) for tree in trees(sequences, 1000)) == len(beginnings)


def test_windows_of_a_long_sequence_are_no_sequences_of_their_own():
    model = llama(max_position_embeddings=24)
    sequences = [[*[7] * 40, 1], [*[7] * 40, 2], [*[7] * 20, 3]]
    together = scoring.token_logprobs(model, sequences, overflow="slide")
    for sequence, values in zip(sequences, together, strict=True):
        assert np.allclose(values, scoring.token_logprobs(model, [sequence], overflow="slide")[0], atol=1e-5)


@pytest.mark.parametrize("budget", [40, 100, 512])
def test_scores_are_those_of_each_sequence_alone_and_shared_tokens_are_read_once(budget):
    model = llama()
    sequences = [*sentences(), [], [5], [3, 4], [3, 4], *sentences()[:1]]
    scoring.token_logprobs(model, sequences)
    scores = scoring.token_logprobs(model, sequences, batch_tokens=budget)
    for sequence, values in zip(sequences, scores, strict=True):
        assert values.shape == (max(0, len(sequence) - 1),)
        if len(sequence) > 1:
            assert np.allclose(values, alone(model, sequence), atol=1e-5)
    assert tokens_read(model, sequences)[1] < 0.5 * sum(map(len, sequences))


@pytest.mark.parametrize(
    ("build", "works"),
    [(llama, True), (lambda: mistral(LONGEST), True), (lambda: mistral(40), False), (bloom, False), (mamba, False)],
    ids=["llama", "window as long as a sequence", "shorter window", "bloom", "mamba"],
)
def test_a_model_that_reads_no_trees_reads_each_sequence(build, works):
    model = build()
    assert reads_trees(model) == works
    sequences = sentences(shared=40, length=60)
    scoring.token_logprobs(model, sequences)
    scores, read = tokens_read(model, sequences)
    assert (read < prefix_tree.WORTH * sum(map(len, sequences))) == works
    for sequence, values in zip(sequences, scores, strict=True):
        assert np.allclose(values, alone(model, sequence), atol=1e-4)


def test_a_wrong_mask_is_found_out(monkeypatch):
    def everything_before(tree):
        return np.tril(np.ones((len(tree.tokens),) * 2, dtype=bool))

    monkeypatch.setattr(prefix_tree.Tree, "seen", everything_before)
    assert not reads_trees(llama())


def test_little_in_common_or_a_long_sequence_is_not_worth_a_tree():
    assert worthwhile(sentences())
    assert worthwhile([[1, 2, 3], [4, 5, 6]]) is None
    assert worthwhile([[*range(LONGEST), 1], [*range(LONGEST), 2]]) is None
    assert worthwhile([]) is None
    assert worthwhile([[], []]) is None
