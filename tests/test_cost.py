"""Counts are exact: against the published figures, and against what PyTorch executes."""

import pytest
import torch
from references import WIDTHS
from torch.utils.flop_counter import FlopCounterMode

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.blocks import GroupNorm1

# Convolutions and linear layers at 256×256 in units of 10⁹: Table 6 of the paper (0.5 … 7.2), to three decimals.
GIGA_MACS = (0.465, 1.028, 1.812, 2.817, 4.042, 5.489, 7.156)


def executed_by_torch(module, *shape):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.rand(*shape))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(("width", "giga_macs"), list(zip(WIDTHS, GIGA_MACS, strict=True)))
def test_macs_of_the_paper_form_are_the_published_ones(width, giga_macs):
    assert round(mv.count_macs(mv.MobileViTv2(width), 1, 3, 256, 256) / 1e9, 3) == giga_macs


@pytest.mark.parametrize("attention", ["separable", "multi_head", "linformer"])
@pytest.mark.parametrize("shape", [(2, 3, 96, 96), (1, 3, 224, 224)], ids=str)
def test_executed_macs_are_what_torch_counts(attention, shape):
    model = mv.MobileViTv2(0.5, attention=attention, image_size=shape[-1]).eval()
    assert mv.count_macs(model, *shape, form="executed") == executed_by_torch(model, *shape)


@pytest.mark.parametrize(
    ("module", "formula"),
    [
        (mv.MultiHeadSelfAttention(12, 4), cost.multi_head_macs(7, 12)),
        (mv.LinformerSelfAttention(12, 4, 7, 5), cost.linformer_macs(7, 12, 5)),
        (mv.SeparableSelfAttention(12), cost.separable_macs(7, 12, form="executed")),
    ],
    ids=["multi_head", "linformer", "separable"],
)
def test_formulas_of_the_attentions_are_what_torch_counts(module, formula):
    assert formula == executed_by_torch(module, 1, 7, 12)
    assert mv.count_macs(module, 3, 7, 12, form="executed") == 3 * formula


def test_pooling_before_projecting_saves_a_third_of_the_projections():
    k, d = 4096, 256
    assert cost.separable_macs(k, d, form="executed") / cost.separable_macs(k, d) == pytest.approx(2 / 3, rel=0.01)


def test_rows_name_every_layer_once_and_add_up():
    model = mv.MobileViTv2(0.5)
    rows = cost.layer_costs(model, 1, 3, 128, 128)
    assert len({row.name for row in rows}) == len(rows)
    assert sum(row.macs for row in rows) == mv.count_macs(model, 1, 3, 128, 128)
    norms = sum(mv.count_parameters(module) for module in model.modules() if isinstance(module, GroupNorm1))
    assert sum(row.parameters for row in rows) + norms == mv.count_parameters(model)


def test_counting_leaves_the_model_as_it_was():
    model = mv.MobileViTv2(0.5)
    mv.count_macs(model, 1, 3, 64, 64)
    assert model.training
    assert next(model.parameters()).device.type == "cpu"
    assert not any(module._forward_hooks for module in model.modules())


def test_counts_do_not_depend_on_precision_nor_run_hooks_of_others():
    model = mv.MobileViTv2(0.5, num_classes=3)
    expected = mv.count_macs(model, 1, 3, 64, 64)
    model.register_forward_hook(lambda module, inputs, output: output.sum().item())
    model.stages[0].register_forward_pre_hook(lambda module, inputs: inputs[0].sum().item())
    assert mv.count_macs(model.half(), 1, 3, 64, 64) == expected


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match="no form 'real': choose 'paper' or 'executed'"):
        cost.separable_macs(4, 8, form="real")
