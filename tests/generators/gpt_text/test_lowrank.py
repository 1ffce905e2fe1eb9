"""Low-rank deltas of weights."""

import pytest

from generators.gpt_text import lowrank


def toy():
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4, bias=False), nn.Linear(4, 6, bias=False), nn.Linear(4, 6, bias=False))
    model[2].weight = model[1].weight  # shared, as the two embeddings are
    return model


def test_a_delta_is_what_was_learnt_and_leaves_when_detached():
    import torch

    model, plain, x = toy(), toy(), torch.ones(1, 4)
    parts = lowrank.attach(model, pattern=r"1\.weight", rank=2, seed=0)
    assert set(parts) == {"1.weight.a", "1.weight.b"}
    assert torch.equal(model[1](x), plain[1](x))
    torch.nn.init.ones_(parts["1.weight.b"])
    assert torch.equal(model[1](x), model[2](x))
    assert not torch.allclose(model[1](x), plain[1](x))
    learnt = model[1](x)
    lowrank.detach(model)
    assert torch.equal(model[1](x), plain[1](x))
    assert model[1].weight is model[2].weight
    lowrank.merge(plain, {name: part.detach() for name, part in parts.items()})
    assert torch.allclose(plain[1](x), learnt, atol=1e-6)


def test_a_delta_that_does_not_fit_is_refused():
    import torch

    with pytest.raises(ValueError, match="no matrix"):
        lowrank.attach(toy(), pattern="wte", rank=1, seed=0)
    for delta in ({"1.weight.a": torch.ones(6, 1)}, {"1.weight.a": torch.ones(5, 1), "1.weight.b": torch.ones(1, 4)}):
        with pytest.raises(ValueError, match="does not fit"):
            lowrank.merge(toy(), delta)
