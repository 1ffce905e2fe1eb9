"""Every kind of causal model of `transformers`, held against a loop that reads one sequence anew for each token."""

import numpy as np
import pytest
import torch

from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.kit.lm import moments, scoring
from guardrails.kit.lm.mode import RunMode, context_length, run_mode

VOCABULARY, CONTEXT, NEW = 67, 24, 4
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": CONTEXT, "pad_token_id": None, "bos_token_id": None,
    "eos_token_id": None,
}  # fmt: skip
GROUPED = {"num_key_value_heads": 1, "head_dim": 8}
RECURRENT = {"state_size": 4, "conv_kernel": 4, "expand": 2}
MIXED = {"mamba_d_state": 4, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_conv": 4}
EXPERTS = {"num_local_experts": 3, "num_experts_per_tok": 2}
ARCHITECTURES = {
    "GPT2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT},
    "GPTJ": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT, "rotary_dim": 4},
    "GPTNeo": {"num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]], "window_size": 8},
    "GPTNeoX": {},
    "OPT": {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "Bloom": {"n_layer": 2, "n_head": 2},
    "Mpt": {"d_model": 16, "n_heads": 2, "n_layers": 2, "max_seq_len": CONTEXT},
    "Falcon": {"alibi": True, "new_decoder_architecture": False},
    "Llama": GROUPED,
    "Mistral": GROUPED | {"sliding_window": 8},
    "Mixtral": GROUPED | EXPERTS | {"sliding_window": None},
    "Qwen2": {"num_key_value_heads": 1},
    "Gemma2": GROUPED | {"sliding_window": 8, "final_logit_softcapping": 3.0, "query_pre_attn_scalar": 8},
    "Gemma3Text": GROUPED | {"sliding_window": 8, "query_pre_attn_scalar": 8},
    "Phi": {"partial_rotary_factor": 0.5},
    "Cohere": {"num_key_value_heads": 1, "logit_scale": 0.5},
    "Granite": {"num_key_value_heads": 1, "logits_scaling": 2.0},
    "Mamba": RECURRENT,
    "Mamba2": RECURRENT | {"num_heads": 4, "head_dim": 8, "n_groups": 1, "chunk_size": 4},
    "FalconMamba": RECURRENT,
    "Rwkv": {"attention_hidden_size": 16, "context_length": CONTEXT},
    "RecurrentGemma": {
        "num_hidden_layers": 3, "lru_width": 16, "attention_window_size": 8, "num_key_value_heads": 1, "head_dim": 8,
    },
    "Jamba": EXPERTS | {
        "num_experts": 2, "num_key_value_heads": 1, "use_mamba_kernels": False, "mamba_d_state": 4, "mamba_dt_rank": 4,
        "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
    },
    "Bamba": MIXED | {"num_key_value_heads": 1, "attn_layer_indices": [1], "mamba_chunk_size": 4},
    "Roberta": {"is_decoder": True, "pad_token_id": 1, "max_position_embeddings": CONTEXT + 2, "type_vocab_size": 1},
    "BioGpt": {"pad_token_id": 1},
}  # fmt: skip


def build(name, **more):
    """Return a random model whose tokens are far from equally probable, so that an error shows."""
    import transformers

    stem = name.removesuffix("Text")
    config = getattr(transformers, f"{name}Config" if hasattr(transformers, f"{name}Config") else f"{stem}Config")
    torch.manual_seed(3)
    model = getattr(transformers, f"{stem}ForCausalLM", None) or getattr(transformers, f"{stem}LMHeadModel")
    built = model(config(**SIZES | ARCHITECTURES.get(name, {}) | more)).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    return built


FAST = {"GPT2", "Gemma2", "Mamba", "Rwkv", "Roberta"}
UNLIMITED = {"Bloom", "Mamba", "Mamba2", "FalconMamba", "Rwkv"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=() if n in FAST else pytest.mark.slow, id=n) for n in ARCHITECTURES],
)
def model(request):
    return build(request.param)


def logits_after(model, prefix):
    with torch.no_grad():
        return model(input_ids=torch.tensor([list(prefix)]), use_cache=False).logits[0, -1].double()


def step_by_step(model, prefix, n):
    tokens = list(prefix)
    for _ in range(n):
        tokens.append(int(logits_after(model, tokens).argmax()))
    return tokens[len(prefix) :]


def prompts(seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(2, VOCABULARY, length).tolist() for length in (5, 11, 5, 1)]


def test_sequences_that_begin_alike_have_the_scores_that_each_has_alone(model):
    random = np.random.default_rng(0)
    start = random.integers(2, VOCABULARY, 14).tolist()
    sequences = [[*start, *random.integers(2, VOCABULARY, 9 - i).tolist()] for i in range(6)]
    for sequence, values in zip(sequences, scoring.token_logprobs(model, sequences), strict=True):
        with torch.no_grad():
            log_p = torch.log_softmax(model(torch.tensor([sequence]), use_cache=False).logits[0].double(), -1)
        alone = log_p[torch.arange(len(sequence) - 1), torch.tensor(sequence[1:])].numpy()
        assert np.allclose(values, alone, atol=1e-4)


def test_greedy_is_the_step_by_step_loop(model):
    written = scoring.greedy(model, prompts(0), NEW)
    assert written == [step_by_step(model, prefix, NEW) for prefix in prompts(0)]
    assert len({tuple(tokens) for tokens in written}) > 1


def test_log_probabilities_and_moments_are_those_of_the_loop(model):
    sequences = prompts(1)
    scores, by_token = scoring.token_logprobs(model, sequences), moments.token_moments(model, sequences)
    for sequence, values, triples in zip(sequences, scores, by_token, strict=True):
        log_p = [torch.log_softmax(logits_after(model, sequence[:t]), -1) for t in range(1, len(sequence))]
        expected = [float(x[sequence[t]]) for t, x in enumerate(log_p, 1)]
        mean = np.array([float((x.exp() * x).sum()) for x in log_p])
        spread = [float((x.exp() * (x - m).square()).sum().sqrt()) for x, m in zip(log_p, mean, strict=True)]
        assert np.allclose(values, expected, atol=5e-4)
        assert np.allclose(triples, np.array([expected, mean, spread]).T.reshape(-1, 3), atol=2e-3)


def test_samples_depend_on_the_seed_and_not_on_the_batch(model):
    first = scoring.sample(model, prompts(2), NEW, seed=5)
    assert first == scoring.sample(model, prompts(2), NEW, seed=5, batch_tokens=1)
    assert first != scoring.sample(model, prompts(2), NEW, seed=6)


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n in FAST - UNLIMITED])
def test_the_whole_context_can_be_read_and_no_more(name):
    model = build(name)
    assert context_length(model) == CONTEXT
    (values,) = scoring.token_logprobs(model, [[5] * CONTEXT])
    assert np.isfinite(values).all()
    with pytest.raises(ConfigurationError, match="do not fit"):
        scoring.token_logprobs(model, [[5] * (CONTEXT + 1)])


@pytest.mark.parametrize("name", ["Mamba", "Bloom"])
def test_a_model_without_positions_has_no_limit(name):
    model = build(name, max_position_embeddings=None)
    assert context_length(model) == 1 << 20
    assert np.isfinite(scoring.token_logprobs(model, [[5, 6] * CONTEXT])[0]).all()


def test_the_usual_way_is_taken_where_it_gives_the_same_numbers():
    assert run_mode(build("GPT2")) == RunMode()
    assert RunMode().describe() == ""


def test_a_recurrent_model_is_not_padded():
    mode = run_mode(build("Mamba"))
    assert mode == RunMode(cache="cache_params", padded=False)
    assert "only prompts of equal length" in mode.describe()


class Forgetful(torch.nn.Module):
    """A model with a cache that loses the last token but one, whose numbers depend on what stands beside it."""

    def __init__(self, *, beside=0.0, ahead=0.0):
        super().__init__()
        self.inner, self.beside, self.ahead = build("GPT2"), beside, ahead
        self.config, self.device, self.dtype = self.inner.config, self.inner.device, self.inner.dtype
        self.base_model, self.get_input_embeddings = self, self.inner.get_input_embeddings

    def get_output_embeddings(self):
        return None

    def forward(self, input_ids, attention_mask=None, past_key_values=None, use_cache=False):
        output = self.inner(input_ids=input_ids, attention_mask=attention_mask)
        output["past_key_values"] = (past_key_values or 0) + 1
        output["logits"] = output.logits + self.beside * len(input_ids) * output.logits.roll(1, -1)
        output["logits"] = output.logits + self.ahead * output.logits.flip(1).roll(1, -1)
        return output


def test_a_cache_that_forgets_is_not_used_and_a_batch_that_changes_numbers_is_not_made():
    model = Forgetful(beside=0.5)
    assert run_mode(model) == RunMode(batched=False, cache=None, padded=False)
    assert "each sequence is read alone" in run_mode(model).describe()
    assert scoring.greedy(model, prompts(0), NEW) == [step_by_step(model, prefix, NEW) for prefix in prompts(0)]
    for sequence, values in zip(prompts(1), scoring.token_logprobs(model, prompts(1)), strict=True):
        assert np.allclose(values, scoring.token_logprobs(model, [sequence])[0], atol=1e-6)


def test_a_model_that_looks_ahead_is_refused():
    with pytest.raises(TargetError, match="not causal"):
        run_mode(Forgetful(ahead=0.3))
    with pytest.raises(TargetError, match="not causal"):
        run_mode(build("Roberta", is_decoder=False))


def test_a_model_that_cannot_be_run_is_refused_in_one_line():
    model = Forgetful()
    model.forward = lambda **_: 1 / 0
    with pytest.raises(TargetError, match=r"^the model cannot be run \(ZeroDivisionError: .*\)$"):
        run_mode(model)
