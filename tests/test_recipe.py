"""The parts of the recipe: learning rate, weight decay, mixed pictures; and settings that make no sense."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import mvit2_lib as mv
from mvit2_lib.data.transforms import mix
from mvit2_lib.training.recipe import learning_rate_at, make_optimizer


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"learning_rate": math.nan}, "learning_rate must be above 0, not nan"),
        ({"learning_rate": math.inf}, "learning_rate must be above 0, not inf"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, not 0.0"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0, not -1.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, not 'fast'"),
        ({"learning_rate": True}, "learning_rate must be a number, not True"),
        ({"last_learning_rate": 1.1}, "last_learning_rate must be from 0 to 1, not 1.1"),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 9223372036854775807, not 0"),
        ({"epochs": 1.5}, "epochs must be a whole number from 1 to 9223372036854775807, not 1.5"),
        ({"epochs": np.float64(2)}, "epochs must be a whole number"),
        ({"batch_size": 1}, "batch_size must be a whole number from 2 to"),
        ({"batch_size": True}, "batch_size must be a whole number from 2 to 9223372036854775807, not True"),
        ({"warmup_steps": -1}, "warmup_steps must be a whole number from 0 to"),
        ({"label_smoothing": 1.2}, "label_smoothing must be from 0 to 1, not 1.2"),
        ({"weight_decay": -0.1}, "weight_decay must be 0 or more, not -0.1"),
        ({"mixup": -0.1}, "mixup must be 0 or more, not -0.1"),
        ({"cutmix": math.nan}, "cutmix must be 0 or more, not nan"),
        ({"clip": math.inf}, "clip must be 0 or more, not inf"),
        ({"average": 1.0}, "average must be from 0 to 0.999999, not 1.0"),
        ({"backbone_learning_rate": 1.1}, "backbone_learning_rate must be from 0 to 1, not 1.1"),
        ({"smallest_crop": 0}, "smallest_crop must be above 0 and at most 1, not 0"),
        ({"smallest_crop": 1.5}, "smallest_crop must be above 0 and at most 1, not 1.5"),
        ({"augmentation": "flip"}, "augmentation must be one of 'crop\\+mirror', 'crop', 'mirror', 'none', not 'flip'"),
        ({"balanced": 1}, "balanced must be True or False, not 1"),
        ({"precise_norms": "yes"}, "precise_norms must be True or False, not 'yes'"),
        ({"patience": -1}, "patience must be a whole number from 0 to"),
        ({"seed": 10**30}, "seed must be a whole number from 0 to"),
        ({"seed": -1}, "seed must be a whole number from 0 to"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        mv.Recipe(**setting)


def test_the_smallest_settings_that_make_sense_are_taken():
    mv.Recipe(1, 2, 1e-9, 0, 0, 0, 0, 0, "none", 1e-9, 0, 0, 0, 0, False, False, 0, 0)
    mv.Recipe(
        last_learning_rate=1,
        backbone_learning_rate=1,
        smallest_crop=1,
        label_smoothing=1,
        average=0.999999,
        seed=2**63 - 1,
    )


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_numbers_of_numpy_become_plain_ones(kind):
    recipe = mv.Recipe(kind(3), kind(8), np.float32(0.5), warmup_steps=kind(0), clip=kind(2), seed=kind(7))
    assert recipe == mv.Recipe(3, 8, 0.5, warmup_steps=0, clip=2.0, seed=7)
    for name, value in dataclasses.asdict(recipe).items():
        assert type(value) is type(getattr(mv.Recipe(), name)), name
    assert json.loads(json.dumps(dataclasses.asdict(recipe))) == dataclasses.asdict(recipe)


def test_a_recipe_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        mv.Recipe().epochs = 5


def test_the_learning_rate_rises_in_a_line_and_falls_in_a_cosine():
    recipe = mv.Recipe(learning_rate=0.5, last_learning_rate=0.1, warmup_steps=4)
    rates = [learning_rate_at(step, 25, recipe) for step in range(25)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rates[14] == pytest.approx((0.5 + 0.05) / 2)
    assert rates[24] == pytest.approx(0.05)
    assert all(one > other for one, other in zip(rates[4:], rates[5:], strict=False))
    assert learning_rate_at(40, 25, recipe) == pytest.approx(0.05)  # it does not rise again


def test_a_warm_up_longer_than_the_run_only_rises():
    recipe = mv.Recipe(learning_rate=0.5, warmup_steps=9)
    assert [learning_rate_at(step, 4, recipe) for step in range(4)] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    for steps in (9, 10):  # the warm-up ends with the run, or one step before
        rates = [learning_rate_at(step, steps, recipe) for step in range(steps)]
        assert rates == sorted(rates)
        assert rates[-1] == pytest.approx(0.05 * steps)


def test_without_warm_up_the_cosine_is_that_of_pytorch():
    recipe = mv.Recipe(learning_rate=0.3, last_learning_rate=0.2, warmup_steps=0)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=17, eta_min=0.06)
    for step in range(18):
        assert learning_rate_at(step, 18, recipe) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()


def test_the_optimizer_is_adamw_with_pytorchs_momenta_over_every_parameter_once():
    model = mv.MobileViTv2(0.05, num_classes=3)
    optimizer = make_optimizer(model, mv.Recipe(learning_rate=0.3))
    assert type(optimizer) is torch.optim.AdamW
    assert [group["betas"] for group in optimizer.param_groups] == [(0.9, 0.999)] * 2
    assert [group["lr"] for group in optimizer.param_groups] == [0.3] * 2
    covered = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(covered) == sorted(map(id, model.parameters()))


def test_a_model_of_weights_only_has_an_optimizer_too():
    assert len(make_optimizer(nn.Linear(3, 4, bias=False), mv.Recipe()).param_groups) == 1


def test_norms_and_biases_are_spared_the_weight_decay():
    model = mv.MobileViTv2(0.05, num_classes=3)
    optimizer = make_optimizer(model, mv.Recipe(weight_decay=0.3, learning_rate=1.0))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        factor = 0.7 if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name], msg=name)


LABELS = [0, 3, 1, 1, 4, 2]


def mixed(seed=0, mixup=0.0, cutmix=0.0):
    images, targets = torch.rand(6, 1, 20, 30), torch.eye(5)[LABELS]
    before = images.clone(), targets.clone()
    result = mix(images, targets, mixup, cutmix, np.random.default_rng(seed))
    assert torch.equal(images, before[0])  # mixing makes new pictures and targets
    assert torch.equal(targets, before[1])
    return images, *result


def test_without_mixing_pictures_and_targets_stay_as_they_are():
    images, same, targets = mixed()
    assert torch.equal(images, same)
    assert torch.equal(targets, torch.eye(5)[LABELS])


def test_mixup_mixes_neighbours_and_their_targets_by_the_same_share():
    images, result, targets = mixed(mixup=1.0)
    share = targets[0, 0]
    assert 0 < share < 1
    assert targets[0, 3] == pytest.approx(1 - share.item())
    torch.testing.assert_close(result[0], share * images[0] + (1 - share) * images[1])
    torch.testing.assert_close(result[5], share * images[5] + (1 - share) * images[4])
    assert targets[2, 1] == 1  # both neighbours are of class 1
    for first, second in ((0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)):
        expected = share * torch.eye(5)[LABELS[first]] + (1 - share) * torch.eye(5)[LABELS[second]]
        torch.testing.assert_close(targets[first], expected)
        torch.testing.assert_close(result[first], share * images[first] + (1 - share) * images[second])


def test_cutmix_pastes_a_rectangle_whose_area_is_the_share():
    for seed in range(20):
        images, result, targets = mixed(seed, cutmix=1.0)
        pasted = result[0, 0] == images[1, 0]
        assert torch.equal(result[0, 0][~pasted], images[0, 0][~pasted])
        assert pasted.float().mean().item() == pytest.approx(targets[0, 3].item(), abs=1e-6)
        rows, columns = pasted.any(dim=1).sum(), pasted.any(dim=0).sum()
        assert rows * columns == pasted.sum()
        assert abs(rows / 20 - columns / 30) <= 0.5 / 20 + 0.5 / 30  # in the shape of the picture
        for first, second in ((0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)):  # the same place in all of them
            assert torch.equal(result[first, 0], torch.where(pasted, images[second, 0], images[first, 0]))
            share = 1 - pasted.float().mean()
            expected = share * torch.eye(5)[LABELS[first]] + (1 - share) * torch.eye(5)[LABELS[second]]
            torch.testing.assert_close(targets[first], expected)


def test_cutmix_pastes_anywhere_and_half_of_the_area_on_average():
    corners, ends, areas = set(), set(), []
    for seed in range(300):
        images, result, targets = mixed(seed, cutmix=1.0)
        pasted = (result[0, 0] == images[1, 0]).nonzero()
        areas.append(targets[0, 3].item())
        if len(pasted):
            corners.add(tuple(pasted[0].tolist()))
            ends.add(tuple(pasted[-1].tolist()))
    assert len(corners) > 50
    assert min(row for row, _ in corners) == min(column for _, column in corners) == 0
    assert max(row for row, _ in ends) == 19
    assert max(column for _, column in ends) == 29
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
        for seed in range(20):
            torch.testing.assert_close(mixed(seed, **settings)[2].sum(dim=1), torch.ones(6))


def test_a_seed_fixes_how_a_batch_is_mixed():
    settings = {"mixup": 1.0, "cutmix": 1.0}
    shares = [mixed(seed, **settings)[2][0, 0].item() for seed in (1, 1, 2)]
    assert shares[0] == shares[1] != shares[2]


def test_two_recipes_say_in_what_they_differ():
    one, other = mv.Recipe(epochs=3), mv.Recipe(epochs=5, clip=1.0)
    assert one.differences(other) == "epochs 3 and 5, clip 10.0 and 1.0"
    assert one.differences(mv.Recipe(epochs=3)) == ""
