"""Training does what its recipe says, repeats itself bit for bit, and names a mistake before its first step."""

import copy
import dataclasses
import gc
import random
import shutil
from importlib.resources import files

import numpy as np
import pytest
import torch
from micro import QUICK, Micro, NeverAsked, digits, same, small_digits, small_mobilevitv2, trained
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import mvit2_lib as mv
from mvit2_lib.course import digits as digit_model
from mvit2_lib.data.transforms import mix
from mvit2_lib.training import loop, state
from mvit2_lib.training.recipe import learning_rate_at, make_optimizer
from mvit2_lib.weights.reading import checkpoint_notes

# The shipped digit model


def test_the_shipped_model_is_as_accurate_as_its_notes_say_and_comes_from_this_recipe():
    path = files("mvit2_lib") / "assets" / "digits.safetensors"
    assert path.stat().st_size < 700_000
    pretrained = mv.load_pretrained("digits")
    assert not pretrained.model.training
    assert mv.Recipe(**pretrained.notes["recipe"]) == mv.Recipe()
    measured = mv.accuracy(pretrained.model, mv.Pictures(*mv.load_digits("test")))
    assert not pretrained.model.training
    assert measured == pytest.approx(pretrained.notes["accuracy"], abs=1.5 / 382)  # rounding may turn a picture
    assert measured >= 0.98


@pytest.fixture
def few_digits(monkeypatch):
    """Let the digit model be trained on a few digits only."""
    parts = {"train": slice(0, 64), "test": slice(0, 50)}
    few = {split: tuple(tensor[part] for tensor in mv.load_digits(split)) for split, part in parts.items()}
    monkeypatch.setattr(digit_model, "load_digits", few.__getitem__)
    return few


def test_training_the_digit_model_again_leaves_a_file_like_the_shipped_one(tmp_path, few_digits, monkeypatch):
    measured, accuracy = [], digit_model.accuracy

    def watch(model, pictures):
        measured.append(copy.deepcopy(model))
        return accuracy(model, pictures)

    monkeypatch.setattr(digit_model, "accuracy", watch)
    right = digit_model.train_digit_model(tmp_path / "digits.safetensors", QUICK)
    made, shipped = mv.load_pretrained(tmp_path / "digits.safetensors"), mv.load_pretrained("digits")
    assert made.notes["recipe"] == dataclasses.asdict(QUICK)
    assert made.notes["accuracy"] == right == mv.accuracy(made.model, mv.Pictures(*few_digits["test"]))
    assert same(made.model, measured[0])  # it was measured with the weights that are in the file, in half precision
    assert made.notes.keys() == shipped.notes.keys()
    assert (made.preparation, made.classes) == (shipped.preparation, shipped.classes)
    assert made.model.config == shipped.model.config
    size = (files("mvit2_lib") / "assets" / "digits.safetensors").stat().st_size
    assert (tmp_path / "digits.safetensors").stat().st_size == pytest.approx(size, rel=0.01)


# The loop


def test_training_learns():
    recipe = mv.Recipe(epochs=4, batch_size=32, learning_rate=0.02, warmup_steps=6, average=0.8)
    model, history = trained(recipe, pictures=512)
    assert mv.accuracy(model, digits("test")) > 0.7  # a guess is right one time in ten
    assert sum(history.losses[-8:]) < 0.7 * sum(history.losses[:8])
    assert len(history.losses) == 4 * 16
    assert not model.training


@pytest.mark.slow
def test_the_digit_model_learns():
    recipe = mv.Recipe(epochs=7, batch_size=64, warmup_steps=6, average=0.8)
    pictures = mv.Pictures(*(tensor[:512] for tensor in mv.load_digits("train")))
    model, history = trained(recipe, pictures, model=lambda: mv.MobileViTv2(0.25, num_classes=10, in_channels=1))
    assert mv.accuracy(model, mv.Pictures(*mv.load_digits("test"))) > 0.5
    assert sum(history.losses[-8:]) < 0.7 * sum(history.losses[:8])
    assert len(history.losses) == 7 * 8


def test_training_is_repeatable_bit_for_bit_and_a_seed_changes_it():
    recipe = dataclasses.replace(QUICK, mixup=0.2, cutmix=1.0)
    first, losses = trained(recipe, model=small_mobilevitv2)
    again, same_losses = trained(recipe, model=small_mobilevitv2)
    assert same(first, again)
    assert losses == same_losses
    assert not same(first, trained(dataclasses.replace(recipe, seed=1), model=small_mobilevitv2)[0])


def test_all_chance_comes_from_the_recipes_seed_and_none_from_its_surroundings():
    recipe, results = dataclasses.replace(QUICK, mixup=0.2, cutmix=1.0), []
    for surroundings in (5, 6):
        torch.manual_seed(0)
        model = Micro()
        torch.manual_seed(surroundings)
        np.random.seed(surroundings)
        random.seed(surroundings)
        results.append((model, mv.train(model, digits("train", 64), recipe, progress=False)))
    assert same(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_reading_in_other_processes_changes_nothing():
    one, other = trained(validation=digits("test", 50)), trained(validation=digits("test", 50), workers=2)
    assert same(one[0], other[0])
    assert one[1] == other[1]


@pytest.mark.parametrize(
    "settings",
    [{}, {"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}],
    ids=["plain", "mixup", "cutmix", "both"],
)
def test_the_loop_is_adamw_with_the_recipes_learning_rates_written_out(settings):
    recipe = dataclasses.replace(QUICK, average=0.0, clip=0.5, label_smoothing=0.2, seed=3, **settings)
    model, history = trained(recipe)
    torch.manual_seed(0)
    other = Micro().train()
    optimizer = make_optimizer(other, recipe)
    pictures, longest = digits("train", 64), 0
    order = np.random.default_rng((3, 0)).permutation(64)
    for step in range(4):
        indices = order[16 * step : 16 * step + 16]
        seen = [pictures.augmented(index, np.random.default_rng((3, 0, index))) for index in indices]
        images = torch.stack([image for image, _ in seen])
        targets = torch.eye(10)[[label for _, label in seen]]
        images, targets = mix(images, targets, recipe.mixup, recipe.cutmix, np.random.default_rng((3, step, 64)))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, 4, recipe)
        loss = F.cross_entropy(other(images), targets, label_smoothing=0.2)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in other.parameters()])).item()
        longest = max(norm, longest)
        for parameter in other.parameters():
            parameter.grad *= min(1, 0.5 / (norm + 1e-6))
        optimizer.step()
        assert history.losses[step] == pytest.approx(loss.item(), rel=1e-5)
    assert longest > 0.5  # so that clipping was tried
    for name, weight in other.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, msg=name)


class Watched(Micro):
    """Remembers for every batch whether it was asked in training mode."""

    def __init__(self):
        super().__init__()
        self.modes = []

    def forward(self, images):
        self.modes.append((self.training, self.norm.training, torch.is_grad_enabled()))
        return super().forward(images)


def test_every_step_is_taken_in_training_mode_and_every_accuracy_measured_in_evaluation_mode():
    recipe = dataclasses.replace(QUICK, epochs=2, average=0.0)
    model, _ = trained(recipe, validation=digits("test", 20), model=lambda: Watched().eval())
    assert model.modes == 2 * [*4 * [(True, True, True)], (False, False, False)]


def test_gradients_are_left_as_they_are_where_nothing_is_to_be_clipped():
    long = trained(dataclasses.replace(QUICK, clip=1e9))
    assert same(trained(dataclasses.replace(QUICK, clip=0.0))[0], long[0])
    assert not same(trained(dataclasses.replace(QUICK, clip=0.1))[0], long[0])


def test_every_epoch_sees_every_picture_once_in_another_order():
    plan = list(loop._Plan(50, mv.Recipe(batch_size=10), 0, 10))
    epochs = [[index for keys in plan[start : start + 5] for index, _ in keys] for start in (0, 5)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(50))
    assert epochs[0] != epochs[1]
    other = [index for keys in loop._Plan(50, mv.Recipe(batch_size=10, seed=1), 0, 5) for index, _ in keys]
    assert other not in epochs


def test_the_rest_at_the_end_of_an_epoch_is_left_out_and_another_one_each_time():
    plan = list(loop._Plan(57, mv.Recipe(batch_size=10), 0, 15))
    rests = [set(range(57)) - {i for keys in plan[start : start + 5] for i, _ in keys} for start in (0, 5, 10)]
    assert [len(keys) for keys in plan] == [10] * 15
    assert [len(rest) for rest in rests] == [7] * 3
    assert rests[0] != rests[1] != rests[2]
    assert len(trained(pictures=57)[1].losses) == 57 // 16


def test_what_a_step_sees_does_not_depend_on_where_the_run_began():
    recipe = mv.Recipe(batch_size=10)
    assert list(loop._Plan(57, recipe, 0, 12))[7:] == list(loop._Plan(57, recipe, 7, 12))


def test_chance_differs_from_step_to_step_and_from_epoch_to_epoch(monkeypatch):
    drawn = []

    def watch(images, targets, mixup, cutmix, random):
        drawn.append(random.random())
        return images, targets

    monkeypatch.setattr(loop, "mix", watch)
    trained(dataclasses.replace(QUICK, epochs=2))
    assert len(set(drawn)) == len(drawn) == 8
    plan = [key for keys in loop._Plan(64, QUICK, 0, 8) for key in keys]
    assert len(set(plan)) == 128  # each picture twice, with another seed
    assert plan != [key for keys in loop._Plan(64, dataclasses.replace(QUICK, seed=1), 0, 8) for key in keys]


def test_training_sees_distorted_pictures_and_validation_sees_them_as_they_are():
    training, validation = digits("train", 64), digits("test", 20)
    shown = {"train": [], "test": []}

    def watched(split, method):
        def call(index, *arguments):
            image, label = method(index, *arguments)
            shown[split].append((index, image))
            return image, label

        return call

    training.augmented = watched("train", training.augmented)
    validation.augmented = None  # to call it is an error
    trained(dataclasses.replace(QUICK, epochs=2), training, validation)
    assert len(shown["train"]) == 128
    assert not any(torch.equal(image, training.images[index]) for index, image in shown["train"])
    twice = [image for index, image in shown["train"] if index == 5]
    assert not torch.equal(*twice)


def test_the_average_is_the_exponential_moving_average_of_weights_and_norm_statistics(monkeypatch):
    seen, names = [], ("conv.weight", "norm.running_mean", "norm.running_var")
    update = state.AveragedModel.update_parameters

    def watch(self, model):
        seen.append({name: model.state_dict()[name].clone() for name in names})
        update(self, model)

    monkeypatch.setattr(state.AveragedModel, "update_parameters", watch)
    model, _ = trained()
    assert len(seen) == 4  # after every step
    for name in names:
        expected = seen[0][name]
        for weights in seen[1:]:
            expected = 0.9 * expected + 0.1 * weights[name]
        torch.testing.assert_close(model.state_dict()[name], expected, msg=name)
        assert not torch.allclose(expected, seen[-1][name])


def test_without_an_average_the_last_weights_are_evaluated_and_kept(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(loop, "accuracy", lambda model, *_, **__: seen.append(model) or 0.5)
    model, _ = trained(dataclasses.replace(QUICK, average=0.0), validation=digits("test", 20), run=tmp_path)
    assert seen == [model]


def test_accuracy_counts_in_evaluation_mode():
    model = mv.load_pretrained("digits").model.train()
    pictures = mv.Pictures(*(tensor[:40] for tensor in mv.load_digits("test")))
    assert mv.accuracy(model, pictures) >= 0.9
    assert not model.training
    pictures.labels = (pictures.labels + 1) % 10
    assert mv.accuracy(model, pictures, batch_size=7) <= 0.1


def test_accuracy_counts_every_picture_once_whatever_the_batch():
    pictures, model = digits("test", 50), Micro().eval()
    with torch.no_grad():
        right = (model(pictures.images).argmax(dim=1) == pictures.labels).sum().item()
    assert 0 < right < 50
    for settings in ({}, {"batch_size": 7}, {"batch_size": 50, "workers": 1}, {"batch_size": 1000}):
        assert mv.accuracy(model, pictures, **settings) == right / 50


def test_the_accuracy_is_measured_after_every_epoch_on_the_pictures_of_validation():
    model, history = trained(dataclasses.replace(QUICK, epochs=3), validation=digits("test", 50))
    assert len(history.accuracies) == 3
    assert history.accuracies[-1] == mv.accuracy(model, digits("test", 50))
    assert trained(dataclasses.replace(QUICK, epochs=3))[1].accuracies == []


def test_the_best_weights_are_kept_not_the_last(tmp_path, monkeypatch):
    shares, weights = iter([0.2, 0.7, 0.5]), []

    def accuracy(model, *_, **__):
        weights.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return next(shares)

    monkeypatch.setattr(loop, "accuracy", accuracy)
    recipe = dataclasses.replace(QUICK, epochs=3)
    model, history = trained(recipe, validation=digits("test", 20), run=tmp_path, model=small_mobilevitv2)
    assert history.accuracies == [0.2, 0.7, 0.5]
    notes = checkpoint_notes(tmp_path / "best.safetensors")
    assert (notes["epoch"], notes["accuracy"]) == (2, 0.7)
    notes = checkpoint_notes(tmp_path / "last.safetensors")
    assert (notes["epoch"], notes["accuracy"]) == (3, 0.5)
    best, last = (mv.load_model(tmp_path / f"{name}.safetensors") for name in ("best", "last"))
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in best.state_dict().items())
    assert not same(best, last)
    assert same(last, model)


def test_the_first_of_equal_accuracies_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "accuracy", lambda model, *_, **__: 0.5)
    trained(dataclasses.replace(QUICK, epochs=2), validation=digits("test", 20), run=tmp_path)
    assert checkpoint_notes(tmp_path / "best.safetensors")["epoch"] == 1


def test_weights_that_got_nothing_right_are_still_the_best_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "accuracy", lambda model, *_, **__: 0.0)
    trained(validation=digits("test", 20), run=tmp_path)
    assert checkpoint_notes(tmp_path / "best.safetensors")["accuracy"] == 0.0


def test_what_is_evaluated_and_kept_is_the_average(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(loop, "accuracy", lambda model, *_, **__: seen.append(model) or 0.5)
    model, _ = trained(validation=digits("test", 20), run=tmp_path, model=small_mobilevitv2)
    plain, _ = trained(dataclasses.replace(QUICK, average=0.0), model=small_mobilevitv2)
    assert same(seen[0], model)
    assert not same(plain, model)
    assert same(mv.load_model(tmp_path / "best.safetensors"), model)
    assert same(mv.load_model(tmp_path / "last.safetensors"), model)


def test_the_files_of_a_run_say_what_was_asked_for(tmp_path):
    pictures = digits("train", 64)
    notes = {"classes": ["zero", "one"], "image_size": 16}
    _, history = trained(QUICK, pictures, digits("test", 20), tmp_path, notes=notes)
    for name in ("best", "last"):
        found = checkpoint_notes(tmp_path / f"{name}.safetensors")
        assert found["recipe"] == dataclasses.asdict(QUICK)
        assert found["data"] == pictures.name
        assert notes.items() <= found.items()
    assert (tmp_path / "history.json").read_text() == (
        f'{{"losses": {history.losses}, "accuracies": {history.accuracies}}}'
    )


def test_pictures_in_bfloat16_train_too():
    model, history = trained(bfloat16=True)
    assert all(0 < loss < 5 for loss in history.losses)
    assert model.conv.weight.dtype == torch.float32
    assert history.losses != trained()[1].losses


# Data sets that are not ours


def test_any_data_set_of_pytorch_trains_the_same_as_our_own():
    images, labels = (tensor[:64] for tensor in small_digits("train"))
    plain = trained(QUICK, TensorDataset(images, labels), TensorDataset(images, labels))
    ours = trained(QUICK, *[mv.Pictures(images, labels, distorted=False)] * 2)
    assert same(plain[0], ours[0])
    assert plain[1] == ours[1]
    assert len(ours[1].accuracies) == 1


def test_a_run_on_any_data_set_goes_on(tmp_path):
    data = TensorDataset(*(tensor[:64] for tensor in small_digits("train")))
    whole, _ = trained(QUICK, data, run=tmp_path)
    assert same(trained(QUICK, data, run=tmp_path)[0], whole)
    with pytest.raises(mv.FileError, match="data 'TensorDataset of 32' and 'TensorDataset of 64'"):
        trained(QUICK, torch.utils.data.TensorDataset(*(tensor[:32] for tensor in small_digits("train"))), run=tmp_path)


def test_a_plain_loader_makes_batches_of_pictures_in_memory():
    batches = list(DataLoader(digits("test", 20), batch_size=8, shuffle=True))
    assert [images.shape for images, _ in batches] == [(8, 1, 16, 16), (8, 1, 16, 16), (4, 1, 16, 16)]
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert labels.dtype == torch.int64
    for image, label in zip(images, labels, strict=True):
        (index,) = (small_digits("test")[0][:20] == image).flatten(1).all(dim=1).nonzero()
        assert small_digits("test")[1][index.item()] == label


# Mistakes, named before the first step


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    for number, name in enumerate(("ant", "bee")):
        (folder / name).mkdir()
        for shade in range(8):
            Image.new("RGB", (16, 16), (20 + 200 * number, 20 * shade, 90)).save(folder / name / f"{shade}.png")
    return folder


@pytest.fixture
def folders(good, tmp_path):
    """Return a good data set for training, and one for validation with the same names and other pictures."""
    training, validation = (shutil.copytree(good, tmp_path / name) for name in ("training", "validation"))
    for path in validation.glob("*/*.png"):
        Image.eval(Image.open(path), lambda value: value + 2).save(path)
    return [training, validation]


def in_folder(folder):
    return mv.PictureFolder(folder, preparation=mv.Preparation(16, 1.0))


def colours():
    return Micro(classes=2, channels=3)


def test_a_folder_of_pictures_trains(folders):
    recipe = dataclasses.replace(QUICK, epochs=20, average=0.0)
    model, history = trained(recipe, *map(in_folder, folders), model=colours)
    assert len(history.losses) == 20
    assert mv.accuracy(model, in_folder(folders[1])) == history.accuracies[-1] == 1


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("place", [0, 1], ids=["training", "validation"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no picture", "is not a picture in one of"), (b"\xff\xd8\xff\xe0broken", "is"), (b"", "is not a picture")],
    ids=["text", "damaged", "empty"],
)
def test_a_picture_that_cannot_be_read_is_named_before_the_first_step(
    folders, tmp_path, workers, place, content, message
):
    (folders[place] / "bee" / "zz.jpg").write_bytes(content)
    with pytest.raises(
        mv.FileError, match=rf"^\S*/bee/zz\.jpg {message}.*: repair or replace.* before training begins$"
    ):
        trained(QUICK, *map(in_folder, folders), tmp_path / "run", model=NeverAsked(2, 3), workers=workers)
    assert not (tmp_path / "run" / "state.pt").exists()
    (folders[place] / "bee" / "zz.jpg").unlink()
    assert len(trained(QUICK, *map(in_folder, folders), tmp_path / "run", model=colours)[1].losses) == 1


def test_several_pictures_that_cannot_be_read_are_counted(folders):
    for name in ("ant/a.png", "ant/b.png", "bee/c.png"):
        (folders[0] / name).write_text("no picture")
    with pytest.raises(mv.FileError, match=r"^3 of 19 pictures cannot be read, first \S*/ant/a\.png is not a picture"):
        trained(QUICK, *map(in_folder, folders), model=NeverAsked(2, 3))


def test_a_picture_that_breaks_while_training_stops_it_with_its_name(folders, monkeypatch):
    monkeypatch.setattr(loop, "_check_pictures", lambda *_: None)  # it broke afterwards
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.1)  # else PyTorch waits 5 s for readers
    (folders[0] / "bee" / "3.png").write_text("no picture")
    for workers in (0, 1):
        with pytest.raises(mv.FileError, match="bee/3.png is not a picture .*: repair or replace this file"):
            trained(QUICK, in_folder(folders[0]), model=colours, workers=workers)
        gc.collect()  # ends the readers


def test_files_that_are_no_pictures_change_nothing(folders):
    expected, _ = trained(QUICK, in_folder(folders[0]), model=colours)
    (folders[0] / "ant" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 8)
    (folders[0] / "__MACOSX" / "ant").mkdir(parents=True)
    (folders[0] / "__MACOSX" / "ant" / "._0.png").write_bytes(b"x")
    pictures = in_folder(folders[0])
    assert same(trained(QUICK, pictures, model=colours)[0], expected)
    assert pictures.left_out == ["__MACOSX", "ant/Thumbs.db"]


def test_one_class_is_nothing_to_learn(folders):
    shutil.rmtree(folders[0] / "bee")
    pictures = in_folder(folders[0])
    with pytest.raises(ValueError, match=r"there is one class only \('ant'\), and nothing to learn"):
        trained(dataclasses.replace(QUICK, batch_size=4), pictures, model=NeverAsked(1, 3))
    with pytest.raises(ValueError, match=r"there is one class only \('one'\)"):
        trained(model=NeverAsked(1))


def test_more_classes_than_the_model_has_are_refused(folders):
    shutil.copytree(folders[0] / "bee", folders[0] / "cat")
    with pytest.raises(mv.FileError, match="the model has 2 classes, and the pictures 3"):
        trained(QUICK, in_folder(folders[0]), model=NeverAsked(2, 3))
    assert len(trained(QUICK, in_folder(folders[0]), model=lambda: Micro(4, 3))[1].losses) == 1


def test_validation_with_other_classes_than_training_is_refused(folders):
    (folders[1] / "ant").rename(folders[1] / "wasp")
    training, validation = map(in_folder, folders)
    assert (training.classes, validation.classes) == (["ant", "bee"], ["bee", "wasp"])
    with pytest.raises(mv.FileError, match="the validation pictures have other classes than those of training"):
        trained(QUICK, training, validation, model=NeverAsked(2, 3))
    (folders[1] / "wasp").rename(folders[1] / "ant")
    validation = mv.PictureFolder(folders[1], training.classes, training.preparation)
    assert len(trained(QUICK, training, validation, model=colours)[1].accuracies) == 1


def test_a_batch_larger_than_the_data_set_is_refused():
    with pytest.raises(ValueError, match="batch_size 16 is more than the 10 pictures"):
        trained(pictures=10, model=NeverAsked)
    assert len(trained(pictures=16)[1].losses) == 1


@pytest.mark.parametrize("mixing", [{"mixup": 0.2}, {"cutmix": 0.2}])
def test_a_batch_that_cannot_be_mixed_in_pairs_is_refused(mixing):
    with pytest.raises(ValueError, match="batch_size 15 cannot be shared out over 1 processes in pairs"):
        trained(dataclasses.replace(QUICK, batch_size=15, **mixing), model=NeverAsked)
    assert len(trained(dataclasses.replace(QUICK, batch_size=15))[1].losses) == 4


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "often"])
def test_a_state_can_only_be_saved_after_a_whole_number_of_steps(steps):
    with pytest.raises(ValueError, match="save_every must be a whole number from 1 up"):
        trained(model=NeverAsked, save_every=steps)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_state(tmp_path):
    recipe = dataclasses.replace(QUICK, learning_rate=1e12, warmup_steps=0, clip=0.0, epochs=12)
    with pytest.raises(FloatingPointError, match="the loss is (nan|inf) at step .*: begin a new run"):
        trained(recipe, run=tmp_path, save_every=1, model=small_mobilevitv2)
    kept = torch.load(tmp_path / "state.pt", weights_only=True)
    assert torch.isfinite(kept["losses"]).all()
    assert len(kept["losses"]) == kept["step"] > 0
    assert not (tmp_path / "last.safetensors").exists()


@pytest.mark.parametrize(("largest", "loss"), [(float("nan"), "nan"), (3e38, "inf")])
def test_a_loss_that_is_no_number_or_infinite_changes_no_weight(largest, loss):
    class Broken(Micro):
        def forward(self, images):
            return 0 * super().forward(images) + largest * torch.linspace(-1, 1, 10)

    model = Broken()
    before = [weight.detach().clone() for weight in model.parameters()]
    with pytest.raises(FloatingPointError, match=f"^the loss is {loss} at step 0: begin a new run, in another folder,"):
        trained(model=model)
    assert all(map(torch.equal, model.parameters(), before))
