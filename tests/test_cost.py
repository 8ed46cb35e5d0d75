"""Counts are exact: against the published figures, and against what PyTorch executes."""

from collections import OrderedDict

import pytest
import torch
from references import WIDTHS
from torch import nn
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


def test_the_paper_form_counts_the_four_linear_layers_of_every_token():
    k, d = 7, 12
    module = mv.SeparableSelfAttention(d)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        for layer in (module.W_I, module.W_K, module.W_V, module.W_O):
            layer(torch.rand(1, k, d))
    assert cost.separable_macs(k, d) == cost.separable_macs(k, d, form="paper") == counter.get_total_flops() // 2
    assert mv.count_macs(module, 3, k, d) == 3 * cost.separable_macs(k, d)


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


def test_a_layer_whose_name_begins_like_that_of_an_attention_has_a_row_of_its_own():
    model = nn.Sequential(OrderedDict(mix=mv.SeparableSelfAttention(12), mixed=nn.Linear(12, 5)))
    rows = cost.layer_costs(model, 1, 7, 12)
    assert [(row.name, row.kind) for row in rows] == [("mix", "SeparableSelfAttention"), ("mixed", "Linear")]
    assert rows[1].macs == 7 * 12 * 5
    assert rows[1].parameters == 12 * 5 + 5


def test_a_convolution_by_itself_is_counted_with_its_kernel_and_its_groups():
    layer = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    assert mv.count_macs(layer, 2, 4, 9, 8) == executed_by_torch(layer, 2, 4, 9, 8) == 2 * 6 * 5 * 4 * 2 * 9


def test_rows_stand_in_the_order_in_which_layers_run():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.second, self.first = nn.Linear(5, 3), nn.Linear(4, 5)

        def forward(self, x):
            return self.second(self.first(x))

    assert [row.name for row in cost.layer_costs(Backwards(), 2, 4)] == ["first", "second"]


def test_a_model_in_training_is_counted_also_where_its_norms_could_not_be_trained():
    model = mv.MobileViTv2(0.25, num_classes=3)  # at 32×32 pixels a norm would see one number per channel
    assert mv.count_macs(model, 1, 3, 32, 32) == mv.count_macs(model.eval(), 1, 3, 32, 32)


def test_frozen_parameters_count_as_well():
    assert mv.count_parameters(nn.Linear(3, 4).requires_grad_(False)) == 16


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
    with pytest.raises(ValueError, match="no form 'real'"):
        cost.layer_costs(nn.Linear(2, 3), 1, 2, form="real")
