"""From trained weights to other classes: what is kept is kept bit for bit, and what is frozen stays so."""

import copy
import dataclasses
import functools
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from micro import QUICK, Interrupting, Micro, digits, exit_code, forked, same, small_digits, trained
from references import randomise, timm_model, transformers_model
from safetensors.torch import save_file
from test_processes import together
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

import mvit2_lib as mv
from mvit2_lib.__main__ import main
from mvit2_lib.course.published import published
from mvit2_lib.data.reading import from_array
from mvit2_lib.training import loop, state
from mvit2_lib.training.distributed import processes, synchronise
from mvit2_lib.training.freezing import FrozenBatchNorm, frozen_parts
from mvit2_lib.training.recipe import make_optimizer
from mvit2_lib.weights import checkpoints
from mvit2_lib.weights.layouts import to_layout
from mvit2_lib.weights.pretrained import WIDTHS
from mvit2_lib.weights.reading import read_file

PARTS = ["stem", "stages.0", "stages.1", "stages.2", "stages.3", "stages.4"]


# Weights for other classes


@functools.cache
def names(layout):
    """Return the names that a code base has for the tensors; they are the same at every width."""
    if layout == "ml-cvnets":
        return [row["name"] for row in published("cvnets_names")]
    return list({"timm": timm_model, "transformers": transformers_model}[layout](0.5).state_dict())


def file_of(path, width, layout, **options):
    """Write weights of our model as another code base would, and return the model."""
    model = randomise(mv.MobileViTv2(width, **options))
    tensors = to_layout(model.state_dict(), names(layout), layout)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return model


@pytest.mark.parametrize("width", WIDTHS.values())
def test_files_of_every_published_width_and_layout_take_every_number_of_classes(tmp_path, width):
    path, numbers = tmp_path / "weights.safetensors", [1, 2, 3, 1000]
    layouts = ("timm", "transformers", "ml-cvnets")
    for layout, channels in zip(layouts, (3, 1, 3), strict=True):
        other = file_of(path, width, layout, in_channels=channels).state_dict()
        for number in numbers[: 4 if width == 0.5 else 1]:
            weights = mv.load_pretrained(path, num_classes=number)
            own = weights.model.state_dict()
            assert own.keys() == other.keys()
            assert all(torch.equal(own[name], other[name]) for name in own if not name.startswith("classifier."))
            assert weights.model(torch.rand(1, channels, 32, 32)).shape == (1, number)
            assert len(weights.classes) == len(weights.folders) == weights.model.config["num_classes"] == number
            assert not any(part.training for part in weights.model.modules())
            # As in timm, the same number of classes means the same classes.
            assert torch.equal(own["classifier.weight"], other["classifier.weight"]) == (number == 1000)
            assert weights.new_head == (number != 1000)
        numbers = numbers[1:] + numbers[:1]


@pytest.mark.parametrize(("layout", "channels"), [("timm", 3), ("transformers", 1), ("ml-cvnets", 3)])
def test_grey_and_coloured_pictures_train_weights_of_every_layout_and_kind(tmp_path, layout, channels):
    file_of(tmp_path / "weights.safetensors", 0.5, layout, in_channels=channels)
    for number in range(6):
        (tmp_path / "pictures" / str(number % 3)).mkdir(parents=True, exist_ok=True)
        picture = from_array(np.full((20, 30 + number), 40 * number, np.uint8))
        picture.convert("RGB" if number < 3 else "L").save(tmp_path / "pictures" / str(number % 3) / f"{number}.PNG")
    start = mv.load_pretrained(tmp_path / "weights.safetensors", num_classes=3)
    how = dataclasses.replace(start.preparation, image_size=32)
    recipe = dataclasses.replace(mv.FINE_TUNING, epochs=1, batch_size=6)
    head = start.model.classifier.weight.clone()
    history = mv.train(start.model, mv.PictureFolder(tmp_path / "pictures", preparation=how), recipe, progress=False)
    assert how.channels == channels
    assert len(history.losses) == 1
    assert not torch.equal(start.model.classifier.weight, head)


def test_one_picture_a_class_is_enough_to_train_and_too_little_to_split(tmp_path, capsys):
    for number in range(4):
        (tmp_path / "pictures" / f"no. {number}").mkdir(parents=True)
        picture = from_array(np.full((20, 30), 40 * number, np.uint8))
        picture.save(tmp_path / "pictures" / f"no. {number}" / "only.png")
    command = ["train", str(tmp_path / "pictures"), "--weights", "digits", "--into", str(tmp_path / "run")]
    settings = ["--image-size", "16", "--epochs", "1", "--batch-size", "4", "--device", "cpu"]
    assert main([*command, *settings, "--validation-share", "0.5"]) == 2
    assert "the class 'no. 0' has no two different pictures" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*command, *settings]) == 0
    assert mv.load_pretrained(tmp_path / "run" / "last.safetensors").classes[-1] == "no. 3"


def test_a_new_head_is_random_and_the_notes_are_not_those_of_the_old_classes():
    torch.manual_seed(0)
    one, again = (mv.load_pretrained("digits", num_classes=3) for _ in range(2))
    assert not torch.equal(one.model.classifier.weight, again.model.classifier.weight)
    assert one.model.classifier.weight.std() > 0
    assert (one.name, one.new_head) == ("digits", True)
    assert "new_head=True" in repr(one)
    assert not mv.load_pretrained("digits").new_head
    assert one.classes == one.folders == ("class 0", "class 1", "class 2")
    assert one.notes == {}
    assert one.preparation == mv.load_pretrained("digits").preparation


@pytest.mark.parametrize("number", [0, -1, 2.5, True, "three"])
def test_a_number_of_classes_is_a_whole_one(number):
    with pytest.raises(ValueError, match="num_classes must be a whole number from 1 up"):
        mv.load_pretrained("digits", num_classes=number)


def test_another_number_of_classes_is_refused_where_none_was_asked_for_and_the_way_on_is_named(tmp_path):
    file_of(tmp_path / "weights.safetensors", 0.5, "timm")
    model = mv.MobileViTv2(0.5, num_classes=3)
    before = copy.deepcopy(model)
    with pytest.raises(mv.FileError, match=r"classifier.weight .* num_classes=3\) takes all but the head"):
        mv.load_checkpoint(model, tmp_path / "weights.safetensors")
    assert same(model, before)
    with pytest.raises(mv.FileError, match="has shape .* build the model with the width_multiplier"):
        mv.load_checkpoint(mv.MobileViTv2(0.25, num_classes=3), tmp_path / "weights.safetensors")


def test_weights_without_a_head_get_one(tmp_path):
    mv.save_checkpoint(mv.MobileViTv2(0.05, num_classes=0), tmp_path / "backbone.safetensors")
    assert mv.load_pretrained(tmp_path / "backbone.safetensors").classes == ()
    assert mv.load_pretrained(tmp_path / "backbone.safetensors", num_classes=5).model.classifier.out_features == 5


def test_a_new_classifier_leaves_everything_else_as_it_is_and_the_model_saves(tmp_path):
    model = randomise(mv.MobileViTv2(0.05, num_classes=4)).double()
    before = copy.deepcopy(model)
    model.reset_classifier(6)
    assert model.classifier.weight.dtype == torch.float64
    assert same(model.stages, before.stages)
    mv.save_checkpoint(model, tmp_path / "six.safetensors")
    assert mv.load_model(tmp_path / "six.safetensors").config["num_classes"] == 6
    model.reset_classifier(0)
    assert model(torch.rand(2, 3, 32, 32).double()).shape == (2, before.classifier.in_features)


def test_what_a_child_says_of_its_parent_is_all_that_is_needed(tmp_path):
    start = mv.load_pretrained("digits", num_classes=3)
    mv.save_checkpoint(start.model, tmp_path / "child.safetensors", notes=start.notes_for(["ä b", "c", "d"]))
    child = mv.load_pretrained(tmp_path / "child.safetensors")
    assert child.classes == child.folders == ("ä b", "c", "d")
    assert child.preparation == start.preparation
    assert child.notes["parent"] == {"name": "digits", "sha256": start.sha256, "license": start.license}
    assert len(start.sha256) == 64
    assert "CC BY 4.0" in child.license
    grandchild = mv.load_pretrained(tmp_path / "child.safetensors", num_classes=2).notes_for("ef")
    assert grandchild["parent"]["name"] == "child.safetensors"
    assert grandchild["license"] == start.license


# Features


def test_features_are_the_maps_at_strides_8_16_and_32():
    model = randomise(mv.MobileViTv2(0.25, num_classes=3)).eval()
    image, seen = torch.rand(2, 3, 64, 128), []
    for stage in model.stages:
        stage.register_forward_hook(lambda module, arguments, output: seen.append(output))
    with torch.inference_mode():
        model(image)
        expected, maps = seen[-3:], model.features(image)
        for one, other, stride in zip(maps, expected, (8, 16, 32), strict=True):
            assert one.shape[-2:] == (64 // stride, 128 // stride)
            assert torch.equal(one, other)
        torch.testing.assert_close(model.classifier(maps[-1].mean(dim=(2, 3))), model(image))
        for one, other in zip(mv.optimize_for_inference(model).features(image), maps, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


# Freezing


@functools.cache
def small_weights():
    torch.manual_seed(1)
    return randomise(mv.MobileViTv2(0.05, num_classes=10, in_channels=1))


def small(through=None):
    return mv.freeze(copy.deepcopy(small_weights()), through)


HARD = dataclasses.replace(QUICK, learning_rate=0.05, weight_decay=0.3, mixup=0.2, precise_norms=True)


def test_an_average_keeps_the_counts_of_frozen_norms():
    model = small("backbone")
    for norm in (module for module in model.modules() if isinstance(module, FrozenBatchNorm)):
        norm.num_batches_tracked.fill_(611)  # which an average with a decay of 0.9 would make 610
    trained(dataclasses.replace(HARD, average=0.9), model=model)
    counts = {m.num_batches_tracked.item() for m in model.modules() if isinstance(m, FrozenBatchNorm)}
    assert counts == {611}


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("through", [None, "stem", "stages.2", "stages.4", "backbone"])
def test_what_is_frozen_stays_bit_for_bit_and_all_else_learns(through, average):
    model, before = small(through), small().state_dict()
    trained(dataclasses.replace(HARD, average=average), model=model, validation=digits("test", 20))
    frozen = [] if through is None else PARTS[: PARTS.index(through) + 1] if through in PARTS else PARTS
    assert frozen_parts(model) == frozen
    for name, tensor in model.state_dict().items():
        unchanged = any(name.startswith(f"{part}.") for part in frozen)
        if name.endswith("W_I.bias") and not unchanged:
            continue  # the softmax takes it out again: it has no gradient
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, before[name]) == unchanged, name
        elif unchanged:
            assert torch.equal(tensor, before[name]), name


def test_frozen_norms_work_with_their_statistics_whoever_says_train():
    model = small("stages.1")
    for module in (model, model.stages, model.stages[0], *model.stages[1].modules()):
        module.train()
    norms = [module for part in (model.stem, model.stages[:2]) for module in part.modules()]
    norms = [module for module in norms if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) > 5
    assert all(type(norm) is FrozenBatchNorm and not norm.training for norm in norms)
    assert all(norm.training for norm in model.stages[2:].modules() if isinstance(norm, nn.BatchNorm2d))
    images = torch.rand(4, 1, 32, 32)
    maps = model.stages[:2](model.stem(images))
    torch.testing.assert_close(maps, model.eval().stages[:2](model.stem(images)))


def test_thawed_norms_learn_again():
    model = small("backbone").train()
    mv.freeze(model, None)
    assert frozen_parts(model) == []
    assert all(type(norm) is nn.BatchNorm2d and norm.training for norm in model.modules() if hasattr(norm, "momentum"))
    assert all(parameter.requires_grad for parameter in model.parameters())
    mv.freeze(model.eval(), "stem")
    assert not any(module.training for module in model.modules())


def test_freezing_less_than_before_thaws_the_rest():
    assert frozen_parts(mv.freeze(small("stages.3"), "stages.0")) == ["stem", "stages.0"]


@pytest.mark.parametrize("through", ["classifier", "head", "stages.5", "stages", "", "Stem"])
def test_a_part_that_there_is_not_cannot_be_frozen(through):
    model = small("stem")
    with pytest.raises(
        ValueError, match=f"there is no part '{through}' to freeze: choose one of stem, stages.0, .* ba"
    ):
        mv.freeze(model, through)
    assert frozen_parts(model) == ["stem"]


def test_a_model_of_which_nothing_can_learn_is_not_trained():
    with pytest.raises(ValueError, match="all of the model is frozen, and nothing could learn"):
        trained(model=small("backbone").requires_grad_(False))


def test_frozen_models_are_optimised_saved_and_loaded_with_the_same_answers(tmp_path):
    model, _ = trained(HARD, model=small("stages.2"), run=tmp_path)
    images = torch.rand(3, 1, 32, 32)
    loaded, fast = mv.load_model(tmp_path / "last.safetensors"), mv.optimize_for_inference(model)
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))
        torch.testing.assert_close(fast(images), model(images), atol=1e-4, rtol=1e-4)


def test_what_was_frozen_is_part_of_a_run(tmp_path):
    trained(HARD, model=small("stem"), run=tmp_path)
    with pytest.raises(mv.FileError, match=r"another run; now and then: frozen \['stem', 'stages.0'\] and \['stem'\]"):
        trained(HARD, model=small("stages.0"), run=tmp_path)


FROZEN = dataclasses.replace(HARD, epochs=2, backbone_learning_rate=0.3, balanced=True, average=0.8)


@pytest.fixture(scope="module")
def uninterrupted():
    return trained(FROZEN, model=small("stages.1"), validation=digits("test", 20))


@pytest.mark.parametrize("after", [0, 2, 4, 6, 8])
def test_an_interrupted_fine_tuning_ends_as_an_uninterrupted_one(tmp_path, uninterrupted, after):
    expected, history = uninterrupted
    with pytest.MonkeyPatch.context() as patch:
        limited = Interrupting(state.write_whole, after)
        for module in (state, checkpoints):
            patch.setattr(module, "write_whole", limited)
        with pytest.raises(KeyboardInterrupt):
            trained(FROZEN, model=small("stages.1"), validation=digits("test", 20), run=tmp_path, save_every=3)
    model, same_history = trained(FROZEN, model=small("stages.1"), validation=digits("test", 20), run=tmp_path)
    assert same_history == history
    assert same(model, expected)


def shared_fine_tuning(place):
    """Fine-tune in double precision, alone or in several processes, and keep the weights."""
    torch.set_num_threads(1)
    model = small("stages.1").double()
    images, labels = (tensor[:64] for tensor in small_digits("train"))
    with processes("cpu"):
        trained(FROZEN, mv.Pictures(images.double(), labels), run=place, model=model)


def test_frozen_parts_stay_bit_for_bit_in_two_processes_which_compute_what_one_computes(tmp_path):
    assert exit_code(forked(shared_fine_tuning, tmp_path / "one")) == 0
    assert together(2, shared_fine_tuning, tmp_path / "two") == [0, 0]
    one, two = (mv.load_model(tmp_path / name / "last.safetensors").state_dict() for name in ("one", "two"))
    before = small().double().state_dict()
    frozen = [name for name in before if name.startswith(("stem.", "stages.0.", "stages.1."))]
    for name in frozen:
        assert torch.equal(before[name].float(), two[name].float()), name
    for name in two:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-6, msg=name)
    assert not any(torch.equal(before[name].float(), two[name].float()) for name in ("classifier.weight",))


# How old layers learn, and how much each class counts


def test_the_head_learns_at_the_full_rate_and_all_else_at_its_share(monkeypatch):
    model, rates = Micro(), []
    step = torch.optim.AdamW.step

    def watch(self, *arguments, **options):
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        rates.append({names[id(p)]: group["lr"] for group in self.param_groups for p in group["params"]})
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", watch)
    recipe = dataclasses.replace(QUICK, backbone_learning_rate=0.25)
    trained(recipe, model=model)
    for number, rate in enumerate(rates):
        full = loop.learning_rate_at(number, 4, recipe)
        assert rate == {
            name: pytest.approx(full if name.startswith("classifier.") else full / 4)
            for name, _ in model.named_parameters()
        }


def test_only_what_can_learn_is_given_to_the_optimizer_and_only_matrices_decay():
    model = small("stages.3")
    groups = make_optimizer(
        model, dataclasses.replace(QUICK, weight_decay=0.2, backbone_learning_rate=0.5)
    ).param_groups
    given = {id(parameter) for group in groups for parameter in group["params"]}
    assert given == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    for group in groups:
        assert {parameter.ndim > 1 for parameter in group["params"]} == {group["weight_decay"] == 0.2}


def uneven(number=48):
    """Return pictures of three classes, of which one has ten times as many as another."""
    images, labels = small_digits("train")
    chosen = [i for label, n in ((0, 40), (1, 20), (2, 4)) for i in torch.nonzero(labels == label)[:n, 0].tolist()]
    return mv.Pictures(images[chosen], labels[chosen], distorted=False)


def test_in_a_balanced_run_every_class_counts_the_same():
    pictures = uneven()
    # One batch of everything and no learning to speak of: the loss is that of the first weights.
    recipe = dataclasses.replace(QUICK, batch_size=64, learning_rate=1e-9, label_smoothing=0.0, balanced=True)
    model, history = trained(recipe, pictures)
    torch.manual_seed(0)
    losses = F.cross_entropy(Micro().train()(pictures.images), pictures.labels, reduction="none")
    of_class = [losses[pictures.labels == label].mean().item() for label in range(3)]
    assert history.losses == [pytest.approx(sum(of_class) / 3, rel=1e-5)]
    _, plain = trained(dataclasses.replace(recipe, balanced=False), pictures)
    assert plain.losses == [pytest.approx(losses.mean().item(), rel=1e-5)]


def test_a_balanced_run_needs_the_labels():
    with pytest.raises(
        ValueError, match="a balanced run needs to know the class of every picture: TensorDataset.labels"
    ):
        trained(
            dataclasses.replace(QUICK, balanced=True),
            torch.utils.data.TensorDataset(*(tensor[:32] for tensor in small_digits("train"))),
        )


def test_a_balanced_run_of_even_classes_is_the_plain_run():
    pictures = mv.Pictures(*(tensor[:32] for tensor in small_digits("train")))
    pictures.labels = torch.arange(32) % 8  # two classes of ten do not occur
    one, other = (trained(dataclasses.replace(QUICK, balanced=balanced), pictures)[1] for balanced in (True, False))
    assert one.losses == pytest.approx(other.losses, rel=1e-5)


# Augmentation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four pictures in two classes in which every pixel says where it is."""
    place = tmp_path_factory.mktemp("ramps")
    x, y = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 40))
    for name, blue in (("a", 0.1), ("b", 0.3), ("a", 0.5), ("b", 0.7)):
        (place / name).mkdir(exist_ok=True)
        ramp = np.round(255 * np.stack([x, y, 0 * x + blue], axis=-1)).astype(np.uint8)
        from_array(ramp).save(place / name / f"{blue}.png")
    return place


@pytest.mark.parametrize("smallest", [0.08, 0.6])
@pytest.mark.parametrize("augmentation", ["crop+mirror", "crop", "mirror", "none"])
def test_every_augmentation_does_what_its_name_says(folder, augmentation, smallest):
    pictures = mv.PictureFolder(folder, preparation=mv.Preparation(32, 1.0))
    recipe = dataclasses.replace(QUICK, augmentation=augmentation, smallest_crop=smallest)
    seen = loop._Augmented(pictures, recipe)
    plain, mirrored, untouched, areas = pictures[0][0], 0, 0, []
    for number in range(200):
        image, label = seen[0, (0, number, 0)]
        assert label == 0
        red = image[0].mean(dim=0)
        flipped = bool(red[0] > red[-1])
        mirrored += flipped
        image = image.flip(-1) if flipped else image
        areas.append((image[0, :, -1] - image[0, :, 0]).mean().item() * (image[1, -1] - image[1, 0]).mean().item())
        untouched += torch.equal(image, plain)
    assert (untouched < 20) if "crop" in augmentation else (untouched == 200)
    assert (70 < mirrored < 130) if "mirror" in augmentation else mirrored == 0
    if "crop" in augmentation:  # the product of both sides is about the share of the area
        assert smallest * 0.8 < min(areas) < smallest + 0.1
        assert max(areas) > 0.75


def test_pictures_in_memory_are_distorted_unless_nothing_is_asked_for():
    pictures = digits("train", 16)
    for augmentation, changed in (("none", False), ("crop+mirror", True), ("mirror", True)):
        image, _ = loop._Augmented(pictures, dataclasses.replace(QUICK, augmentation=augmentation))[3, (0, 0, 3)]
        assert torch.equal(image, pictures.images[3]) != changed


# Precise norms


PRECISE = dataclasses.replace(QUICK, precise_norms=True, average=0.0)


def test_precise_norms_are_those_of_the_training_pictures_as_they_are_for_the_weights_as_they_are():
    model, _ = trained(PRECISE)
    other, _ = trained(dataclasses.replace(PRECISE, precise_norms=False))
    assert torch.equal(model.conv.weight, other.conv.weight)
    assert not torch.allclose(model.norm.running_var, other.norm.running_var)
    images = digits("train", 64).images[np.random.default_rng(0).permutation(64)]
    update_bn(images.split(16), other)
    torch.testing.assert_close(model.norm.running_mean, other.norm.running_mean)
    torch.testing.assert_close(model.norm.running_var, other.norm.running_var)
    assert not model.training


def test_measuring_norms_changes_nothing_in_what_learns(tmp_path):
    recipe = dataclasses.replace(PRECISE, epochs=3, average=0.9)
    with_validation, history = trained(recipe, validation=digits("test", 20), run=tmp_path / "one")
    without, other = trained(recipe, run=tmp_path / "two")
    assert history.losses == other.losses
    assert same(with_validation, without)
    states = [torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("one", "two")]
    for name in ("model", "average"):
        for one, two in zip(states[0][name].values(), states[1][name].values(), strict=True):
            assert torch.equal(one, two)


def test_what_is_evaluated_and_kept_has_precise_norms(tmp_path, monkeypatch):
    judged = []
    monkeypatch.setattr(loop, "accuracy", lambda model, *_, **__: judged.append(copy.deepcopy(model)) or 0.5)
    trained(PRECISE, validation=digits("test", 20), run=tmp_path)
    kept = Micro()
    kept.load_state_dict(read_file(tmp_path / "best.safetensors"))
    assert same(kept, judged[0])
    plain, _ = trained(dataclasses.replace(PRECISE, precise_norms=False))
    assert not torch.equal(kept.norm.running_mean, plain.norm.running_mean)


def test_many_pictures_are_more_than_are_needed(monkeypatch):
    monkeypatch.setattr(loop, "NORM_PICTURES", 40)
    seen = []
    monkeypatch.setattr(loop, "update_bn", lambda loader, *_: seen.extend(len(images) for images, _ in loader))
    trained(PRECISE)
    assert seen == [16, 16]  # a smaller rest would count as much as a whole batch


def norms_in_two_processes(place):
    model = synchronise(Micro().double())
    images = small_digits("train")[0][:64].double()
    with processes("cpu"):
        recipe = dataclasses.replace(PRECISE, learning_rate=1e-9)
        mv.train(model, mv.Pictures(images, small_digits("train")[1][:64]), recipe, run=place, progress=False)


def test_precise_norms_of_two_processes_are_those_of_one(tmp_path):
    torch.manual_seed(0)
    assert exit_code(forked(norms_in_two_processes, tmp_path / "one")) == 0
    torch.manual_seed(0)
    assert together(2, norms_in_two_processes, tmp_path / "two") == [0, 0]
    one, two = (read_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-7, msg=name)


# Patience


def impatient(monkeypatch, shares, patience, epochs=8, run=None, average=0.0):
    answers = iter(shares)
    monkeypatch.setattr(loop, "accuracy", lambda *_, **__: next(answers))
    recipe = dataclasses.replace(QUICK, epochs=epochs, patience=patience, average=average)
    return trained(recipe, pictures=16, validation=digits("test", 20), run=run)[1]


@pytest.mark.parametrize(
    ("shares", "patience", "epochs"),
    [
        ([0.5, 0.6, 0.6, 0.5, 0.7, 0.7], 2, 4),  # an equal accuracy is no better one
        ([0.5, 0.6, 0.6, 0.5, 0.7, 0.7, 0.7, 0.7], 3, 8),
        ([0.5, 0.4], 1, 2),
        ([0.1 * number for number in range(8)], 1, 8),
        ([0.5] * 8, 0, 8),
    ],
)
def test_a_run_ends_after_so_many_epochs_without_a_better_accuracy(monkeypatch, shares, patience, epochs):
    history = impatient(monkeypatch, shares, patience)
    assert history.accuracies == shares[:epochs]
    assert len(history.losses) == epochs


def test_a_run_that_lost_patience_is_over_also_when_it_is_begun_again(monkeypatch, tmp_path):
    history = impatient(monkeypatch, [0.5, 0.4, 0.3], 2, run=tmp_path)
    assert len(history.losses) == 3
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert impatient(monkeypatch, [], 2, run=tmp_path) == history
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert json.loads(files["history.json"])["accuracies"] == [0.5, 0.4, 0.3]


def test_patience_needs_something_to_measure():
    with pytest.raises(ValueError, match="patience is for runs with validation pictures"):
        trained(dataclasses.replace(QUICK, patience=2))


# The long forms


@pytest.fixture(scope="module")
def textures(tmp_path_factory):
    """Tiles of three photographs in class folders, split by place as in notebook 08."""
    place = tmp_path_factory.mktemp("textures")
    for name in ("brick", "grass", "gravel"):
        photo = np.asarray(mv.sample_picture(name))
        for part, first, last, step in (("train", 0, 256, 64), ("test", 384, 512, 32)):
            (place / part / name).mkdir(parents=True)
            for row in range(0, 449, step):
                for column in range(first, last - 63, step):
                    tile = np.ascontiguousarray(photo[row : row + 64, column : column + 64])
                    from_array(tile).save(place / part / name / f"{row}_{column}.png")
    return place


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fine_tuning_on_textures_reaches_95_per_cent_at_other_places_in_under_two_minutes(textures, tmp_path, seed):
    command = ["train", textures / "train", "--weights", "digits", "--into", tmp_path / "run", "--device", "cpu"]
    began = time.monotonic()
    assert main([str(word) for word in [*command, "--backbone-learning-rate", "1", "--seed", seed]]) == 0
    assert time.monotonic() - began < 120
    weights = mv.load_pretrained(tmp_path / "run" / "last.safetensors")
    held_out = mv.PictureFolder(textures / "test", weights.folders, weights.preparation)
    assert mv.accuracy(weights.model, held_out) >= 0.95


@pytest.mark.slow
def test_under_torchrun_frozen_parts_stay_bit_for_bit_and_the_file_is_that_of_one_process(textures, tmp_path):
    settings = [
        "--weights",
        "digits",
        "--freeze",
        "stages.1",
        "--epochs",
        "1",
        "--augmentation",
        "none",
        "--device",
        "cpu",
    ]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    files = []
    for launcher, name in (([], "one"), (torchrun, "two")):
        command = [sys.executable, *launcher, "-m", "mvit2_lib", "train", textures / "train", *settings]
        done = subprocess.run(
            [*command, "--into", tmp_path / name],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("begins with digits, but with a new head for brick, grass, gravel") == 1
        files.append(read_file(tmp_path / name / "last.safetensors"))
    before = mv.load_pretrained("digits").model.state_dict()
    for name, tensor in before.items():
        if name.startswith(("stem.", "stages.0.", "stages.1.")):
            assert torch.equal(tensor.float(), files[1][name].float()), name
    # Rounding differs between one sum and two; a few steps of AdamW enlarge it, but not to another network.
    for name in files[0]:
        torch.testing.assert_close(files[0][name], files[1][name], rtol=0.05, atol=0.02, msg=name)
