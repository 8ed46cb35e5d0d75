"""The attentions equal their references and their definitions, in values and gradients."""

import numpy as np
import pytest
import torch
from references import LinearSelfAttention, randomise
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.course import timing

B, P, K, D, H = 2, 3, 7, 12, 4


def tokens(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def gradients(module, x, y):
    """Return the gradients of a random weighting of `y` with respect to the input and all parameters."""
    weighting = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad((y * weighting).sum(), [x, *module.parameters()])


def multi_head():
    return randomise(mv.MultiHeadSelfAttention(D, H)).double()


def separable(dropout=0.0):
    return randomise(mv.SeparableSelfAttention(D, dropout)).double()


def as_torch_multihead(ours):
    reference = nn.MultiheadAttention(D, H, batch_first=True, dtype=torch.float64)
    reference.load_state_dict(
        {
            "in_proj_weight": torch.cat([ours.W_Q.weight, ours.W_K.weight, ours.W_V.weight]),
            "in_proj_bias": torch.cat([ours.W_Q.bias, ours.W_K.bias, ours.W_V.bias]),
            "out_proj.weight": ours.W_O.weight,
            "out_proj.bias": ours.W_O.bias,
        }
    )
    return reference


def paper_separable(module, x, scores):
    """Eqs. 2 and 3 in the paper's order: project every token to a key, then sum."""
    x_K = module.W_K(x)
    c_v = (scores * x_K).sum(dim=-2, keepdim=True)
    return module.W_O(c_v * F.relu(module.W_V(x)))


@pytest.mark.parametrize("lead", [(), (B,), (B, P)], ids=["k d", "B k d", "B P k d"])
def test_fused_attention_equals_explicit_attention(lead):
    explicit, x = multi_head(), tokens(*lead, K, D)
    fused = mv.FusedMultiHeadSelfAttention(D, H).double().eval()
    fused.load_state_dict(explicit.state_dict())
    assert_close(fused(x), explicit(x))
    for ours, reference in zip(gradients(fused, x, fused(x)), gradients(explicit, x, explicit(x)), strict=True):
        assert_close(ours, reference)


def test_fused_attention_never_holds_the_attention_map():
    k, layer = 512, mv.FusedMultiHeadSelfAttention(D, H)
    for x in (torch.randn(1, k, D), torch.randn(1, P, k, D)):
        with torch.inference_mode():
            assert timing.peak_bytes(lambda x=x: layer(x)) < 4 * k**2


def test_fused_attention_drops_out_in_training_only():
    layer, x = mv.FusedMultiHeadSelfAttention(D, H, dropout=0.5), torch.randn(B, K, D)
    assert not torch.equal(layer(x), layer(x))
    assert_close(layer.eval()(x), layer(x))


def test_multi_head_equals_torch_multihead_attention():
    ours, x = multi_head(), tokens(B, K, D)
    reference = as_torch_multihead(ours)
    expected, expected_map = reference(x, x, x, average_attn_weights=False)
    assert_close(ours(x), expected)
    assert_close(ours.attention_map(x), expected_map)


def test_multi_head_gradients_equal_those_of_torch_multihead_attention():
    ours, x = multi_head(), tokens(B, K, D)
    reference = as_torch_multihead(ours)
    x_grad, *grads = gradients(ours, x, ours(x))
    expected_x, in_weight, in_bias, out_weight, out_bias = gradients(reference, x, reference(x, x, x)[0])
    by_name = dict(zip(dict(ours.named_parameters()), grads, strict=True))
    assert_close(x_grad, expected_x)
    assert_close(torch.cat([by_name[f"W_{letter}.weight"] for letter in "QKV"]), in_weight)
    assert_close(torch.cat([by_name[f"W_{letter}.bias"] for letter in "QKV"]), in_bias)
    assert_close(by_name["W_O.weight"], out_weight)
    assert_close(by_name["W_O.bias"], out_bias)


def test_multi_head_equals_scaled_dot_product_attention_in_values_and_gradients():
    ours, x = multi_head(), tokens(B, P, K, D)

    def heads(projected):
        return projected.reshape(B, P, K, H, D // H).permute(0, 1, 3, 2, 4)

    y = F.scaled_dot_product_attention(heads(ours.W_Q(x)), heads(ours.W_K(x)), heads(ours.W_V(x)))
    expected = ours.W_O(y.permute(0, 1, 3, 2, 4).reshape(B, P, K, D))
    assert_close(ours(x), expected)
    assert_close(gradients(ours, x, ours(x)), gradients(ours, x, expected))


def test_linformer_with_identity_mixing_is_multi_head_attention():
    ours, linformer, x = multi_head(), mv.LinformerSelfAttention(D, H, K, K).double(), tokens(B, P, K, D)
    identity = torch.eye(K, dtype=torch.float64)
    linformer.load_state_dict({**ours.state_dict(), "E.weight": identity, "F.weight": identity})
    assert_close(linformer(x), ours(x))


def test_linformer_attends_to_mixed_tokens():
    p = 5
    module, x = randomise(mv.LinformerSelfAttention(D, H, K, p)).double(), tokens(B, K, D)
    queries = module.W_Q(x).reshape(B, K, H, D // H)
    keys = torch.einsum("pk,bkd->bpd", module.E.weight, module.W_K(x)).reshape(B, p, H, D // H)
    values = torch.einsum("pk,bkd->bpd", module.F.weight, module.W_V(x)).reshape(B, p, H, D // H)
    scores = torch.einsum("bkhe,bphe->bhkp", queries, keys) / (D // H) ** 0.5
    mixed = torch.einsum("bhkp,bphe->bkhe", scores.softmax(-1), values).reshape(B, K, D)
    assert_close(module(x), module.W_O(mixed))
    assert not torch.equal(module.E.weight, module.F.weight)  # keys and values are mixed each in its own way


def test_separable_equals_the_paper_form_in_values_and_gradients():
    module, x = separable(), tokens(B, P, K, D)
    expected = paper_separable(module, x, module.W_I(x).softmax(dim=-2))
    assert_close(module(x), expected)
    assert_close(gradients(module, x, module(x)), gradients(module, x, expected))


def test_separable_equals_the_paper_form_in_training_with_score_dropout():
    module, x = separable(dropout=0.4).train(), tokens(B, P, K, D)
    torch.manual_seed(5)
    scores = F.dropout(module.W_I(x).softmax(dim=-2), 0.4)
    assert not torch.allclose(
        scores.sum(dim=-2), torch.ones((), dtype=torch.float64)
    )  # the hard case: sums are not one
    expected = paper_separable(module, x, scores)
    expected_gradients = gradients(module, x, expected)
    torch.manual_seed(5)
    y = module(x)
    assert_close(y, expected)
    assert_close(gradients(module, x, y), expected_gradients)


def test_separable_equals_timm_layer_with_the_same_weights():
    reference = randomise(LinearSelfAttention(D)).double()
    ours, x = mv.SeparableSelfAttention(D).double(), torch.randn(B, P, K, D, dtype=torch.float64)
    W_I, W_K, W_V = reference.qkv_proj.weight.flatten(1).split([1, D, D])
    b_I, b_K, b_V = reference.qkv_proj.bias.split([1, D, D])
    weights = {"W_I": (W_I, b_I), "W_K": (W_K, b_K), "W_V": (W_V, b_V)}
    weights["W_O"] = reference.out_proj.weight.flatten(1), reference.out_proj.bias
    ours.load_state_dict(
        {f"{n}.{p}": t for n, pair in weights.items() for p, t in zip(("weight", "bias"), pair, strict=True)}
    )
    expected = reference(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    assert_close(ours(x), expected)


def test_scores_of_every_attention_add_up_to_one_over_the_tokens_attended():
    x = tokens(B, P, K, D)
    assert_close(multi_head().attention_map(x).sum(dim=-1), torch.ones(B, P, H, K, dtype=torch.float64))
    assert_close(separable().context_scores(x).sum(dim=-2), torch.ones(B, P, 1, dtype=torch.float64))
    assert separable().context_scores(x).shape == (B, P, K, 1)
    assert separable().context_vector(x).shape == (B, P, 1, D)


@pytest.mark.parametrize(
    "module",
    [
        mv.MultiHeadSelfAttention(D, H, 0.5),
        mv.LinformerSelfAttention(D, H, K, 5, 0.5),
        mv.SeparableSelfAttention(D, 0.5),
    ],
    ids=["multi_head", "linformer", "separable"],
)
def test_dropout_acts_in_training_and_not_in_evaluation(module):
    module, x = module.double(), tokens(B, K, D)
    assert not torch.equal(module.train()(x), module(x))
    assert torch.equal(module.eval()(x), module(x))


@pytest.mark.parametrize("kind", ["multi_head", "fused_multi_head", "linformer"])
def test_dropout_drops_that_share_of_the_attention_map_and_scales_the_rest(kind):
    k, share = 64, 0.25
    module = {
        "multi_head": lambda: mv.MultiHeadSelfAttention(k, 1, share),
        "fused_multi_head": lambda: mv.FusedMultiHeadSelfAttention(k, 1, share),
        "linformer": lambda: mv.LinformerSelfAttention(k, 1, k, k, share),
    }[kind]()
    x = torch.eye(k)
    with torch.no_grad():
        # Every value is a unit vector and nothing is added, so that the output is the map itself.
        for name, parameter in module.named_parameters():
            if name.startswith(("W_V", "W_O", "E", "F")):
                parameter.copy_(torch.eye(k) if parameter.ndim == 2 else torch.zeros(k))
        attention_map, dropped = module.attention_map(x)[0], module(x)
    assert_close(attention_map.sum(dim=-1), torch.ones(k))
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=0.04)
    kept = dropped != 0
    assert kept.any(dim=0).all()  # entries are dropped, not whole tokens
    assert kept.any(dim=1).all()
    assert_close(dropped[kept], attention_map[kept] / (1 - share))


@pytest.mark.parametrize("module", [multi_head(), separable()], ids=["multi_head", "separable"])
def test_permuting_the_tokens_permutes_the_output(module):
    x, order = tokens(B, K, D), torch.randperm(K)
    assert not torch.equal(order, torch.arange(K))
    assert_close(module(x[:, order]), module(x)[:, order])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mv.MultiHeadSelfAttention(10, 4), "dim=10 cannot be cut into num_heads=4 .*divisor of 10"),
        (lambda: mv.LinformerSelfAttention(10, 4, 9, 3), "dim=10 cannot be cut into num_heads=4"),
        (lambda: mv.MultiHeadSelfAttention(12, 0), "num_heads must be a whole number from 1 up, not 0"),
        (lambda: mv.SeparableSelfAttention(-3), "dim must be a whole number from 1 up, not -3"),
        (lambda: mv.SeparableSelfAttention(8.0), "dim must be a whole number from 1 up, not 8.0"),
        (lambda: mv.LinformerSelfAttention(12, 4, 0, 3), "num_tokens must be a whole number from 1 up, not 0"),
        (lambda: mv.LinformerSelfAttention(12, 4, 9, 0), "projected_tokens must be a whole number from 1 up"),
        (lambda: mv.LinformerSelfAttention(12, 4, 9, 3)(torch.zeros(2, 8, 12)), "built for 9 tokens, but x has 8"),
    ],
)
def test_wrong_sizes_are_refused_at_the_door(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sizes_that_numpy_counted_are_whole_numbers():
    x = torch.randn(2, 7, 12)
    for layer in (mv.SeparableSelfAttention(np.int64(12)), mv.MultiHeadSelfAttention(np.int32(12), np.int64(4))):
        assert layer(x).shape == x.shape
    with pytest.raises(ValueError, match="not True"):
        mv.SeparableSelfAttention(True)


@pytest.mark.parametrize("shape", [(2, 5, 12), (2, 9, 12)])
def test_linformer_refuses_another_number_of_tokens_by_its_number(shape):
    with pytest.raises(
        ValueError, match=f"built for 7 tokens, but x has {shape[1]} .*build it with num_tokens={shape[1]}"
    ):
        mv.LinformerSelfAttention(12, 4, 7, 3)(torch.zeros(shape))
