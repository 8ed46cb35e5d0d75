"""Files of weights as people have them: of every width and attention, wrapped by scripts, with foreign notes."""

import argparse
import collections
import datetime
import functools
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from references import randomise
from safetensors.torch import save_file
from torch import nn

import mvit2_lib as mv
from mvit2_lib.__main__ import main
from mvit2_lib.model import scale_architecture
from mvit2_lib.weights import checkpoints
from mvit2_lib.weights.reading import checkpoint_notes

# Widths at which the stages round in different directions, besides the usual ones.
WIDTHS = (
    *(
        0.05,
        0.051,
        0.06,
        0.07,
        0.09,
        0.1,
        0.103,
        0.125,
        0.137,
        0.15,
        0.17,
        0.2,
        0.23,
        0.25,
        0.27,
        0.3,
        0.33,
        1 / 3,
        0.35,
    ),
    *(0.4, 0.45, 0.49, 0.5, 0.55, 0.6, 0.65, 0.7, 0.77, 0.8, 0.9, 1.0, 1.1, 1.3, 1.37, 1.6, 1.9, 2.2, 2.45, 2.9, 3.0),
)
ATTENTIONS = ("separable", "multi_head", "fused_multi_head", "linformer")
TINY = {"width_multiplier": 0.05, "num_classes": 2}


@pytest.fixture
def tiny():
    return randomise(mv.MobileViTv2(**TINY))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def assert_same_weights(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def without_notes(model, path):
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


# What is saved is read again


@pytest.mark.parametrize("width", WIDTHS)
def test_the_width_of_any_model_is_found_in_its_shapes(width):
    with torch.device("meta"):  # only shapes are looked at
        weights = mv.MobileViTv2(width, num_classes=2).state_dict()
    for noted in (None, {"width_multiplier": 0.75}, {"width_multiplier": "wide"}):
        found = checkpoints._config(weights, noted)["width_multiplier"]
        assert scale_architecture(found) == scale_architecture(width)
        assert len(str(found)) <= max(5, len(str(width)))  # 0.3, not 0.29573
    assert checkpoints._config(weights, {"width_multiplier": float(width)})["width_multiplier"] == width


@pytest.mark.parametrize("width", [0.05, 0.2, 0.3, 1 / 3, 0.4])
@pytest.mark.parametrize("save", [mv.save_checkpoint, without_notes], ids=["with notes", "without notes"])
def test_a_saved_model_comes_back_at_any_width(width, save, path):
    model = randomise(mv.MobileViTv2(width, num_classes=3))
    save(model, path)
    loaded = mv.load_model(path)
    assert_same_weights(loaded, model)
    assert not loaded.training
    if save is mv.save_checkpoint:
        assert loaded.config == model.config


@pytest.mark.parametrize(
    ("attention", "image_size"),
    [*((attention, 65) for attention in ATTENTIONS), *(("linformer", size) for size in (33, 96, 97, 130))],
)
@pytest.mark.parametrize("save", [mv.save_checkpoint, without_notes], ids=["with notes", "without notes"])
def test_a_saved_model_gives_the_same_logits_with_every_attention(attention, image_size, save, path):
    model = randomise(mv.MobileViTv2(**TINY, attention=attention, image_size=image_size))
    save(model, path)
    loaded = mv.load_model(path)
    assert_same_weights(loaded, model)
    if save is mv.save_checkpoint:
        assert loaded.config == model.config
    images = torch.rand(2, 3, image_size, image_size)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), model(images), rtol=0, atol=1e-5)


def test_notes_that_contradict_the_shapes_give_way(path):
    model = randomise(mv.MobileViTv2(**TINY, attention="linformer", image_size=97))
    wrong = {"width_multiplier": 1.0, "num_classes": 7, "in_channels": 1, "attention": "separable", "image_size": 256}
    mv.save_checkpoint(model, path, notes={"architecture": wrong})
    loaded = mv.load_model(path)
    assert_same_weights(loaded, model)
    assert (loaded.config["attention"], loaded.config["num_classes"]) == ("linformer", 2)


@pytest.mark.parametrize("options", [{"num_classes": 0}, {"num_classes": 1}, {"in_channels": 1}, {"in_channels": 5}])
@pytest.mark.parametrize("save", [mv.save_checkpoint, without_notes], ids=["with notes", "without notes"])
def test_a_saved_model_comes_back_with_any_classifier_and_any_channels(options, save, path):
    model = randomise(mv.MobileViTv2(**TINY | options))
    save(model, path)
    loaded = mv.load_model(path)
    assert_same_weights(loaded, model)
    assert loaded.config == model.config
    assert len(mv.load_pretrained(path).classes) == model.config["num_classes"]


def test_half_precision_is_read_into_full_precision(tiny, path):
    mv.save_checkpoint(tiny, path, dtype=torch.float16)
    loaded = mv.load_model(path)
    assert loaded.classifier.weight.dtype == torch.float32
    assert torch.equal(loaded.classifier.weight, tiny.classifier.weight.half().float())
    assert loaded.config == tiny.config


def test_a_model_inside_wrappers_is_saved_with_its_architecture(tiny, path):
    class Parallel(nn.Module):  # as DistributedDataParallel does
        def __init__(self, module):
            super().__init__()
            self.module = module

    for wrapped in (Parallel(tiny), torch.compile(tiny), Parallel(torch.compile(tiny)), torch.compile(Parallel(tiny))):
        mv.save_checkpoint(wrapped, path)
        assert checkpoint_notes(path) == {"architecture": tiny.config}
        assert_same_weights(mv.load_model(path), tiny)


def moved_to(device, path):
    """Rewrite a file of `torch.save` as if its tensors had been on another device."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in parts if name.endswith("data.pkl"))
    here, there = (b"X" + len(name).to_bytes(4, "little") + name.encode() for name in ("cpu", device))
    assert parts[pickled].count(here) == 1
    parts[pickled] = parts[pickled].replace(here, there)
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


@pytest.mark.parametrize("beside", [{}, {"args": argparse.Namespace(lr=1)}], ids=["plain", "with a namespace"])
@pytest.mark.parametrize("device", ["cuda:7", "mps"])
def test_a_checkpoint_from_another_device_is_read_onto_the_cpu(tiny, tmp_path, device, beside):
    path = tmp_path / "gpu.pth"
    torch.save({"model": tiny.state_dict(), **beside}, path)
    moved_to(device, path)
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        torch.load(path, weights_only=not beside)  # the file is what it claims to be
    assert_same_weights(mv.load_model(path), tiny)


@pytest.mark.filterwarnings("default:took the average:UserWarning")
@pytest.mark.parametrize("average", ["0", "0.5"])
def test_what_train_writes_every_command_reads(tmp_path, capsys, average):
    for index, name in enumerate(("ant", "bee")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.full((16, 16, 3), (40 * index, 60 * number, 90), np.uint8)
            mv.data.reading.from_array(pixels).save(tmp_path / "data" / name / f"{number}.png")
    data, into, picture = str(tmp_path / "data"), tmp_path / "run", str(tmp_path / "data" / "ant" / "0.png")
    recipe = ["--width", "0.2", "--image-size", "16", "--epochs", "1", "--batch-size", "4", "--warmup-steps", "0"]
    settings = [*recipe, "--average", average, "--device", "cpu"]
    assert main(["train", data, "--validation-share", "0.5", "--into", str(into), *settings]) == 0
    capsys.readouterr()
    (tmp_path / "labels").write_text("ant\nbee\n")
    best, last, state = into / "best.safetensors", into / "last.safetensors", into / "state.pt"
    for path, names in ((best, []), (last, []), (state, ["--labels", str(tmp_path / "labels")])):
        command = ["predict", picture, "--weights", str(path), "--width", "0.2", "--image-size", "16", *names]
        assert main(command) == 0
        printed = capsys.readouterr()
        assert {line.split()[-1] for line in printed.out.splitlines()[1:]} == {"ant", "bee"}
        assert ("took the average" in printed.err) == (path == state and average != "0")
        assert main(["evaluate", data, "--weights", str(path), "--image-size", "16", *names]) == 0
        assert "8 pictures, 0 unreadable" in capsys.readouterr().out
    assert mv.load_pretrained(best).preparation.image_size == 16
    # The weights in the state are the last ones, and with an average it is the average that was kept as the last.
    assert_same_weights(mv.load_model(state), mv.load_model(last))


# Wrappings


def prefixed(prefix, weights):
    return {prefix + name: tensor for name, tensor in weights.items()}


class Settings:
    """A plain object of some training script."""

    def __init__(self):
        self.lr, self.names, self.others = 0.1, ["a"], {"deep": argparse.Namespace(x=1)}


OBJECTS = {
    "a namespace": argparse.Namespace(lr=1, betas=(0.9, 0.99), where=Path("x")),
    "an object": Settings(),
    "a time": datetime.datetime(2024, 5, 6),
    "numbers of NumPy": [np.float64(0.7), np.arange(3), np.float32(1)],
    "a function": functools.partial(print, 1),
    "a class": Settings,
    "a range": range(3),
    "a counter": collections.Counter("abc"),
    "an optimizer": torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=1),
}
WRAPPED = {
    "plain": lambda w: w,
    "module.": lambda w: prefixed("module.", w),
    "_orig_mod.": lambda w: prefixed("_orig_mod.", w),
    "model.": lambda w: prefixed("model.", w),
    "module._orig_mod.": lambda w: prefixed("module._orig_mod.", w),
    "net.encoder.": lambda w: prefixed("net.encoder.", w),
    "state_dict": lambda w: {"epoch": 3, "arch": "mobilevitv2_005", "state_dict": w, "best_acc1": 0.5},
    "model_state_dict": lambda w: {"model_state_dict": w, "optimizer_state_dict": {"state": {}, "param_groups": []}},
    "model": lambda w: {"model": w, "epoch": 3, "scaler": None},
    "state_dict in model": lambda w: {"model": {"state_dict": prefixed("module.", w), "epoch": 1}},
    "lightning": lambda w: {
        "epoch": 3,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {**prefixed("model.", w), "loss.weight": torch.ones(2), "metric.count": torch.tensor(3)},
        "hyper_parameters": {"lr": 0.1},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9)}},
    },
    "settings of an average": lambda w: {"ema": {"decay": 0.99, "updates": 5}, "model": w},
    "settings of a model": lambda w: {"model": {"name": "mobilevitv2"}, "weights": w},
    "parameters": lambda w: {n: nn.Parameter(t) if t.is_floating_point() else t for n, t in w.items()},
    **{what: lambda w, thing=thing: {"state_dict": w, "more": thing} for what, thing in OBJECTS.items()},
    "everything": lambda w: {"state_dict": prefixed("module.model.", w), **OBJECTS},
}


@pytest.mark.parametrize("how", WRAPPED)
def test_the_usual_wrappings_are_opened(how, tiny, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(WRAPPED[how](tiny.state_dict()), path)
    assert_same_weights(mv.load_model(path), tiny)


@pytest.mark.parametrize("how", ["module.", "model", "lightning", "settings of an average", "everything"])
def test_wrappings_are_opened_in_memory_too(how, tiny):
    wrapped = WRAPPED[how](tiny.state_dict())
    assert_same_weights(mv.load_checkpoint(mv.MobileViTv2(**TINY), wrapped), tiny)


def test_wrapped_weights_stay_complete_and_unmixed(tiny):
    weights = prefixed("model.", tiny.state_dict())
    del weights["model.classifier.bias"]
    with pytest.raises(mv.FileError, match="missing classifier.bias; unexpected nothing"):
        mv.load_checkpoint(mv.MobileViTv2(**TINY), weights | {"classifier.bias": torch.zeros(2)})


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema"])
@pytest.mark.parametrize("beside", ["state_dict", "model"])
def test_an_average_of_the_weights_is_preferred_and_this_is_said(key, beside, tiny, tmp_path):
    path = tmp_path / "last.ckpt"
    raw = mv.MobileViTv2(**TINY).state_dict()
    torch.save({beside: raw, "epoch": 3, key: prefixed("module.", tiny.state_dict())}, path)
    with pytest.warns(UserWarning, match=f"took the average of the weights, '{key}', not '{beside}'") as caught:
        model = mv.load_model(path)
    assert len(caught) == 1
    assert_same_weights(model, tiny)


@pytest.mark.parametrize(
    "name", ["model_best.pth.tar", "last.ckpt", "checkpoint-0", "weights", "weights.safetensors.bak"]
)
@pytest.mark.parametrize("save", [mv.save_checkpoint, "torch"], ids=["safetensors", "torch"])
def test_a_file_is_recognised_by_its_content_whatever_it_is_called(name, save, tiny, tmp_path, monkeypatch):
    if save == "torch":
        torch.save({"state_dict": tiny.state_dict()}, tmp_path / name)
    else:
        save(tiny, tmp_path / "x.safetensors")
        (tmp_path / "x.safetensors").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    loaded = mv.load_pretrained(name)
    assert loaded.name == name
    assert_same_weights(loaded.model, tiny)


def test_a_file_goes_before_weights_of_the_same_name(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(tiny.state_dict(), "digits")
    assert_same_weights(mv.load_pretrained("digits").model, tiny)


# Nothing that a file names is run


class Payload:
    """Runs code if a pickle with it is loaded carelessly."""

    def __init__(self, trace, how):
        self.trace, self.how = trace, how

    def __reduce__(self):
        return {
            "a call": (Path.touch, (self.trace,)),
            "a system call": (os.system, (f"touch {self.trace}",)),
            "an evaluation": (eval, (f"open({str(self.trace)!r}, 'w')",)),
            "a state": (Settings, (), None, None, iter([("a", eval)])),
        }[self.how]


class Dictionary(dict):
    """A dictionary of its own class, with attributes, as many training scripts have one."""

    def __init__(self, **values):
        super().__init__(values)
        self.__dict__ = self


def test_objects_that_are_dictionaries_may_stand_beside_the_weights(tiny, tmp_path):
    path = tmp_path / "last.ckpt"
    config = Dictionary(lr=0.1, model=Dictionary(width=0.5))
    torch.save({"state_dict": tiny.state_dict(), "config": config, "args": argparse.Namespace(a=config)}, path)
    assert_same_weights(mv.load_model(path), tiny)


@pytest.mark.parametrize("how", ["a call", "a system call", "an evaluation", "a state"])
@pytest.mark.parametrize("where", ["beside the weights", "in place of a weight", "among the weights", "alone"])
def test_code_in_a_pickle_never_runs_and_never_counts_as_a_weight(how, where, tiny, tmp_path):
    path, trace = tmp_path / "weights.pth", tmp_path / "the-code-ran"
    weights, payload = dict(tiny.state_dict()), Payload(trace, how)
    content = {
        "beside the weights": {"state_dict": weights, "args": payload},
        "in place of a weight": {"state_dict": weights | {"stem.conv.weight": payload}},
        "among the weights": weights | {"extra": payload},
        "alone": payload,
    }[where]
    torch.save(content, path)
    if where == "beside the weights" and how in ("an evaluation", "a state"):
        assert_same_weights(mv.load_model(path), tiny)
    else:
        with pytest.raises(mv.FileError, match="was refused|holds a Python object"):
            mv.load_model(path)
    assert not trace.exists()
    if how == "an evaluation":  # the control: this file does run code where it is trusted
        torch.load(path, weights_only=False)
        assert trace.exists()


def test_damage_beside_a_python_object_is_an_error_of_the_file_and_nothing_else(tiny, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"args": argparse.Namespace(lr=1, names=["a", "b"]), "model": tiny.state_dict()}, path)
    content = path.read_bytes()
    start = content.index(b"data.pkl") + 60
    generator = torch.Generator().manual_seed(0)
    loaded = refused = 0
    for _ in range(30):
        damaged = bytearray(content)
        place = int(torch.randint(start, start + 400, (), generator=generator))
        damaged[place] = int(torch.randint(256, (), generator=generator))
        path.write_bytes(damaged)
        try:
            mv.load_checkpoint(mv.MobileViTv2(**TINY), path)
            loaded += 1
        except mv.FileError:
            refused += 1
    assert loaded
    assert refused


def test_shapes_without_a_width_are_refused_at_once(tiny, monkeypatch):
    counted = []

    def counting(width):
        counted.append(width)
        return scale_architecture(width)

    monkeypatch.setattr(checkpoints, "scale_architecture", counting)
    weights = dict(tiny.state_dict())
    weights["stages.4.0.project.conv.weight"] = torch.zeros(10**6, 1, 1, 1)
    with pytest.raises(mv.FileError, match="no width multiplier gives these"):
        mv.load_model(weights)
    assert len(counted) < 10_000


@pytest.mark.parametrize(
    "name",
    ["stem.conv.weight", "classifier.weight", "stages.3.1.to_tokens.weight", "stages.2.1.layers.0.attention.E.weight"],
)
def test_a_number_in_place_of_a_matrix_is_an_error_of_the_file(name, tiny):
    with pytest.raises(mv.FileError):
        mv.load_model(dict(tiny.state_dict()) | {name: torch.tensor(1.0)})


def test_parts_of_a_model_are_no_model(tiny):
    weights = {name: tensor for name, tensor in tiny.state_dict().items() if not name.startswith("stages.4")}
    with pytest.raises(mv.FileError, match=r"not one of a whole MobileViTv2 \('stages.4.0.project.conv.weight'\)"):
        mv.load_model(weights)


# Notes of others

NOTES = {
    "text": "trained by hand on Tuesday",
    "list": "[1, 2]",
    "number": "3",
    "null": "null",
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep classes": '{"classes": ' * 100_000 + "1" + "}" * 100_000,
    "a number too long": '{"image_size": ' + "9" * 5000 + "}",
    "classes: a number": {"classes": 2},
    "classes: text": {"classes": "ab"},
    "classes: numbers": {"classes": [0, 1]},
    "classes: too many": {"classes": ["ant", "bee", "cat"]},
    "classes: an object": {"classes": {"ant": 0, "bee": 1}},
    "image_size": {"image_size": 10**9},
    "image_size: NaN": {"image_size": float("nan"), "crop_fraction": float("inf")},
    "image_size: text": {"image_size": "large"},
    "crop_fraction": {"crop_fraction": [0.5]},
    "crop_fraction: null": {"crop_fraction": None},
    "channels": {"channels": 7},
    "interpolation": {"interpolation": {}},
    "architecture: list": {"architecture": [1]},
    **{
        f"architecture: {value!r:.20}": {
            "architecture": {
                "width_multiplier": value,
                "image_size": value,
                "attention": value,
                "num_classes": value,
                "in_channels": value,
            }
        }
        for value in (1e9, 10**9, 1e308, 10**400, -1, 0, float("nan"), float("inf"), True, None, "1", [], {})
    },
}


@pytest.mark.parametrize("case", NOTES)
def test_notes_that_make_no_sense_are_ignored(case, tiny, path):
    notes = NOTES[case] if isinstance(NOTES[case], str) else json.dumps(NOTES[case])
    weights = {name: tensor.contiguous() for name, tensor in tiny.state_dict().items()}
    save_file(weights, path, {"notes": notes, "format": "pt", "author": "someone else"})
    loaded = mv.load_pretrained(path)
    assert_same_weights(loaded.model, tiny)
    assert scale_architecture(loaded.model.config["width_multiplier"]) == scale_architecture(0.05)
    assert (loaded.classes, loaded.folders) == (("class 0", "class 1"), ())
    # Values that make sense stay: 7 channels are not asked of a model with 3.
    assert loaded.preparation == mv.Preparation()
    assert loaded.model.config["image_size"] <= 2**16


def test_notes_that_make_sense_are_used(tiny, path):
    notes = {
        "classes": ["ant", "bee"],
        "image_size": 48,
        "crop_fraction": 0.9,
        "interpolation": "bilinear",
        "who": "me",
    }
    mv.save_checkpoint(tiny, path, notes=notes)
    loaded = mv.load_pretrained(path)
    assert loaded.classes == loaded.folders == ("ant", "bee")
    assert loaded.preparation == mv.Preparation(48, 0.9, 3, "bilinear")
    assert loaded.notes["who"] == "me"
    assert loaded.preparation(mv.sample_picture()).shape == (1, 3, 48, 48)


def test_the_digit_model_brings_its_classes_and_its_preparation():
    digits = mv.load_pretrained("digits")
    assert (digits.name, digits.classes, digits.folders) == ("digits", tuple("0123456789"), tuple("0123456789"))
    assert digits.preparation == mv.Preparation(64, 1.0, 1, "bilinear")


def test_weights_with_a_thousand_classes_are_taken_for_imagenets(path):
    mv.save_checkpoint(mv.MobileViTv2(0.05), path)
    loaded = mv.load_pretrained(path)
    assert loaded.classes == mv.imagenet_classes()
    assert (loaded.folders[0], loaded.folders[999]) == ("n01440764", "n15075141")


def test_a_grey_model_without_notes_is_prepared_as_the_digit_model_is(path):
    without_notes(mv.MobileViTv2(**TINY, in_channels=1), path)
    assert mv.load_pretrained(path).preparation == mv.load_pretrained("digits").preparation
