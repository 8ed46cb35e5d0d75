"""The parts of the recipe: learning rate, weight decay, mixed pictures; and settings that make no sense."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import mvit2_lib as mv
from mvit2_lib.recipe import learning_rate_at, make_optimizer, mix


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"learning_rate": math.nan}, "learning_rate must be above 0, not nan"),
        ({"learning_rate": math.inf}, "learning_rate must be above 0, not inf"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, not 0.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, not 'fast'"),
        ({"epochs": 0}, "epochs must be 1 or more, not 0"),
        ({"epochs": 1.5}, "epochs must be a whole number, not 1.5"),
        ({"batch_size": True}, "batch_size must be a whole number, not True"),
        ({"label_smoothing": 1.2}, "label_smoothing must be from 0 to 1, not 1.2"),
        ({"weight_decay": -0.1}, "weight_decay must be 0 or more, not -0.1"),
        ({"average": 1.0}, "average must be from 0 to 0.999999, not 1.0"),
        ({"seed": 10**30}, "seed must be from 0 to"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(mv.RecipeError, match=message):
        mv.Recipe(**setting)


def test_the_learning_rate_rises_in_a_line_and_falls_in_a_cosine():
    recipe = mv.Recipe(learning_rate=0.5, last_learning_rate=0.1, warmup_steps=4)
    rates = [learning_rate_at(step, 25, recipe) for step in range(25)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rates[14] == pytest.approx((0.5 + 0.05) / 2)
    assert rates[24] == pytest.approx(0.05)
    assert all(one > other for one, other in zip(rates[4:], rates[5:], strict=False))


def test_without_warm_up_the_cosine_is_that_of_pytorch():
    recipe = mv.Recipe(learning_rate=0.3, last_learning_rate=0.2, warmup_steps=0)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=17, eta_min=0.06)
    for step in range(18):
        assert learning_rate_at(step, 18, recipe) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()


def test_norms_and_biases_are_spared_the_weight_decay():
    model = mv.MobileViTv2(0.25, num_classes=3)
    optimizer = make_optimizer(model, mv.Recipe(weight_decay=0.3, learning_rate=1.0))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        factor = 0.7 if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name], msg=name)


def batch():
    return torch.rand(6, 1, 20, 30), torch.tensor([0, 3, 1, 1, 4, 2])


def mixed(seed=0, **settings):
    images, labels = batch()
    return images, *mix(images, labels, 5, mv.Recipe(**settings), np.random.default_rng(seed))


def test_without_mixing_targets_are_the_classes():
    images, same, targets = mixed()
    assert torch.equal(images, same)
    assert targets.argmax(dim=1).tolist() == [0, 3, 1, 1, 4, 2]
    assert targets.sum() == 6


def test_mixup_mixes_neighbours_and_their_targets_by_the_same_share():
    images, result, targets = mixed(mixup=1.0)
    share = targets[0, 0]
    assert 0 < share < 1
    assert targets[0, 3] == pytest.approx(1 - share.item())
    torch.testing.assert_close(result[0], share * images[0] + (1 - share) * images[1])
    torch.testing.assert_close(result[5], share * images[5] + (1 - share) * images[4])
    assert targets[2, 1] == 1  # both neighbours are of class 1


def test_cutmix_pastes_a_rectangle_whose_area_is_the_share():
    for seed in range(20):
        images, result, targets = mixed(seed, cutmix=1.0)
        pasted = result[0, 0] == images[1, 0]
        assert torch.equal(result[0, 0][~pasted], images[0, 0][~pasted])
        assert pasted.float().mean().item() == pytest.approx(targets[0, 3].item(), abs=1e-6)
        rows, columns = pasted.any(dim=1).sum(), pasted.any(dim=0).sum()
        assert rows * columns == pasted.sum()


def test_cutmix_pastes_anywhere_and_half_of_the_area_on_average():
    corners, areas = set(), []
    for seed in range(300):
        images, result, targets = mixed(seed, cutmix=1.0)
        pasted = (result[0, 0] == images[1, 0]).nonzero()
        areas.append(targets[0, 3].item())
        if len(pasted):
            corners.add(tuple(pasted[0].tolist()))
    assert len(corners) > 50
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)


def test_with_both_each_is_drawn_about_half_of_the_time():
    cut = 0
    for seed in range(60):
        images, result, _ = mixed(seed, mixup=1.0, cutmix=1.0)
        cut += bool((result[0] == images[0]).any() or (result[0] == images[1]).any())
    assert 15 < cut < 45


def test_shares_follow_the_beta_distribution_asked_for():
    for parameter, spread in ((0.2, 0.42), (8.0, 0.12)):
        shares = [mixed(seed, mixup=parameter)[2][0, 0].item() for seed in range(300)]
        assert np.mean(shares) == pytest.approx(0.5, abs=0.08)
        assert np.std(shares) == pytest.approx(spread, abs=0.04)


def test_targets_add_up_to_one():
    for settings in ({"mixup": 0.2}, {"cutmix": 1.0}, {}):
        torch.testing.assert_close(mixed(**settings)[2].sum(dim=1), torch.ones(6))


def test_two_recipes_say_in_what_they_differ():
    one, other = mv.Recipe(epochs=3), mv.Recipe(epochs=5, clip=1.0)
    assert one.differences(other) == "epochs 3 and 5, clip 10.0 and 1.0"
    assert one.differences(mv.Recipe(epochs=3)) == ""
