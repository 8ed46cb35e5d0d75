"""The verdicts of notebook 03 turn red when separable attention is no longer linear."""

from pathlib import Path

import jupytext
import pytest
import torch
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.course import timing

SOURCE = Path(__file__).parents[1] / "notebooks" / "source" / "03_quadratic_vs_linear.py"


class MultiHeadUnderAnotherName(mv.MultiHeadSelfAttention):
    def __init__(self, dim):
        super().__init__(dim, num_heads=4)


class SecretlyPairwise(mv.SeparableSelfAttention):
    """The same numbers, but every token computes the context vector for itself, from all tokens."""

    def forward(self, x):
        k = x.shape[-2]
        pairs = self.context_scores(x).mT.expand(*x.shape[:-2], k, k)
        return self.W_O(self.W_K(pairs @ x) * F.relu(self.W_V(x)))


def cell_with(text):
    (cell,) = [cell.source for cell in jupytext.read(SOURCE).cells if cell.cell_type == "code" and text in cell.source]
    return cell


def run_verdicts(monkeypatch, separable):
    """Run the set-up, the measuring line and the verdicts of the notebook, in one round and forward only."""
    monkeypatch.setattr(timing, "SeparableSelfAttention", separable)
    measure = timing.measure
    monkeypatch.setattr(timing, "measure", lambda *args, **options: measure(*args, **(options | {"rounds": 1})))
    namespace = {"torch": torch, "timing": timing, "d": 64, "heads": 4, "p": 64}
    exec(cell_with("forward = timing.measure(").partition("\nwith_gradients")[0], namespace)
    exec(cell_with('slopes["separable"] <'), namespace)


def test_a_secretly_pairwise_attention_gives_the_same_numbers():
    honest, pairwise, x = mv.SeparableSelfAttention(8), SecretlyPairwise(8), torch.randn(2, 5, 8)
    pairwise.load_state_dict(honest.state_dict())
    torch.testing.assert_close(pairwise(x), honest(x))


@pytest.mark.parametrize("fault", [pytest.param(MultiHeadUnderAnotherName, marks=pytest.mark.slow), SecretlyPairwise])
def test_quadratic_work_under_the_name_of_separable_attention_is_found(monkeypatch, fault):
    with pytest.raises(AssertionError) as caught:
        run_verdicts(monkeypatch, fault)
    line = cell_with('slopes["separable"] <').splitlines()[caught.traceback[-1].lineno]
    assert line.startswith(('assert slopes["separable"] <', "assert fused_over_separable[4096] >"))
