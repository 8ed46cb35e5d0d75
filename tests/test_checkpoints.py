"""Checkpoints of four layouts load; damaged, foreign and unsafe ones are refused, and the model stays as it was."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from references import randomise, timm_model, transformers_model
from safetensors.torch import save_file
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.course.published import published
from mvit2_lib.weights import pretrained
from mvit2_lib.weights.layouts import checkpoint_layout, convert_state_dict

CVNETS_SHAPES = {
    row["name"]: [int(size) for size in row["shape"].strip("()").split("×") if size]
    for row in published("cvnets_names")
}
TINY = {"width_multiplier": 0.25, "num_classes": 3}


def cvnets_state_dict():
    """Weights of timm under the names of Apple's checkpoint, which lists its tensors in timm's order."""
    tensors = timm_model(0.5).state_dict().values()
    return dict(zip(CVNETS_SHAPES, tensors, strict=True))


def own_state_dict():
    return randomise(mv.MobileViTv2(0.5)).state_dict()


LAYOUTS = {
    "timm": lambda: timm_model(0.5).state_dict(),
    "transformers": lambda: transformers_model(0.5).state_dict(),
    "ml-cvnets": cvnets_state_dict,
    "own": own_state_dict,
}


@pytest.fixture
def tiny():
    return randomise(mv.MobileViTv2(**TINY))


def assert_same_weights(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", [None, ".pt", ".safetensors"])
def test_every_layout_loads_from_a_state_dict_and_from_both_kinds_of_file(layout, suffix, tmp_path):
    state_dict = LAYOUTS[layout]()
    assert checkpoint_layout(state_dict) == layout
    source = state_dict
    if suffix == ".pt":
        source = tmp_path / "weights.pt"
        torch.save(state_dict, source)
    elif suffix == ".safetensors":
        source = tmp_path / "weights.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in state_dict.items()}, source)
    model = mv.load_checkpoint(mv.MobileViTv2(0.5), source)
    # Every weight arrived: the totals, which no renaming or splitting changes, are those of the checkpoint.
    for power in (1, 2):
        expected = sum(t.double().pow(power).sum() for t in state_dict.values())
        assert_close(sum(t.double().pow(power).sum() for t in model.state_dict().values()), expected)


def test_ml_cvnets_names_and_shapes_are_those_of_the_official_checkpoint():
    state_dict = cvnets_state_dict()
    assert {name: list(tensor.shape) for name, tensor in state_dict.items()} == CVNETS_SHAPES
    reference = timm_model(0.5)
    renamed = dict(zip(CVNETS_SHAPES, reference.state_dict().values(), strict=True))
    assert_same_weights(
        mv.load_checkpoint(mv.MobileViTv2(0.5), renamed),
        mv.load_checkpoint(mv.MobileViTv2(0.5), reference.state_dict()),
    )


def test_a_transformers_backbone_loads_into_a_model_without_classifier():
    reference = transformers_model(0.5).mobilevitv2
    model = mv.load_checkpoint(mv.MobileViTv2(0.5, num_classes=0), reference.state_dict()).eval()
    x = torch.rand(2, 3, 128, 192)  # transformers drops the last row of a map of odd height, so none may be odd
    with torch.inference_mode():
        assert_close(model(x), reference(x).pooler_output, rtol=0, atol=1e-5)


def test_the_score_projection_is_the_first_row_of_the_fused_projection():
    name = "stages.2.1.transformer.0.attn.qkv_proj.bias"
    converted = convert_state_dict(LAYOUTS["timm"]() | {name: torch.arange(129.0)})
    parts = [converted[f"stages.2.1.layers.0.attention.{part}.bias"] for part in ("W_I", "W_K", "W_V")]
    assert [part.tolist() for part in parts] == [[0.0], list(range(1, 65)), list(range(65, 129))]


def test_checkpoints_without_batch_counters_load():
    state_dict = {name: t for name, t in LAYOUTS["timm"]().items() if not name.endswith("num_batches_tracked")}
    mv.load_checkpoint(mv.MobileViTv2(0.5), state_dict)


def test_saved_weights_come_back_bit_for_bit(tiny, tmp_path):
    mv.save_checkpoint(tiny, tmp_path / "tiny.safetensors")
    assert_same_weights(mv.load_checkpoint(mv.MobileViTv2(**TINY), tmp_path / "tiny.safetensors"), tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_half_precision_halves_the_file_and_comes_back_rounded(tiny, tmp_path):
    mv.save_checkpoint(tiny, tmp_path / "full.safetensors")
    mv.save_checkpoint(tiny, tmp_path / "half.safetensors", dtype=torch.float16)
    full, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half"))
    assert 0.5 < half / full < 0.6
    loaded = mv.load_checkpoint(mv.MobileViTv2(**TINY), tmp_path / "half.safetensors")
    for name, tensor in loaded.state_dict().items():
        assert_close(tensor, tiny.state_dict()[name].half().to(tensor.dtype), rtol=0, atol=0)


def test_an_interrupted_save_leaves_the_old_file_untouched(tiny, tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"the good old file")

    def disk_full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(mv.RetryError, match="could not write .*No space left on device.*is untouched"):
        mv.save_checkpoint(tiny, path)
    assert path.read_bytes() == b"the good old file"
    assert list(tmp_path.iterdir()) == [path]


def test_only_safetensors_are_written(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"saved as .safetensors files, not 'weights.pt'"):
        mv.save_checkpoint(tiny, tmp_path / "weights.pt")


def without(state_dict, *names):
    return {name: tensor for name, tensor in state_dict.items() if name not in names}


BAD_STATE_DICTS = {
    "another width": (
        lambda good: mv.MobileViTv2(0.5, num_classes=3).state_dict(),
        r"project.conv.weight has shape \(32, 32, 1, 1\) in the checkpoint and \(16, 32, 1, 1\) in the model",
    ),
    "another number of classes": (
        lambda good: mv.MobileViTv2(0.25, num_classes=5).state_dict(),
        r"classifier.weight has shape \(5, 128\) in the checkpoint and \(3, 128\) in the model",
    ),
    "missing": (
        lambda good: without(good, "classifier.bias", "stages.2.1.norm.weight"),
        "missing stages.2.1.norm.weight, classifier.bias; unexpected nothing",
    ),
    "unexpected": (
        lambda good: good | {"extra.weight": torch.zeros(1)},
        "missing nothing; unexpected extra.weight",
    ),
    "many missing": (
        lambda good: {"stages.0.0.expand.conv.weight": good["stages.0.0.expand.conv.weight"]},
        r"missing stem.conv.weight, stem.norm.weight, stem.norm.bias and \d+ more",
    ),
    "whole numbers": (
        lambda good: good | {"classifier.bias": torch.zeros(3, dtype=torch.int64)},
        "classifier.bias holds torch.int64 where the model has torch.float32",
    ),
    "no tensor": (
        lambda good: good | {"classifier.bias": [0.0, 0.0, 0.0]},
        "classifier.bias holds a list, not a tensor",
    ),
    "sparse": (
        lambda good: good | {"classifier.weight": good["classifier.weight"].to_sparse()},
        "classifier.weight is sparse, quantised, expanded or without values",
    ),
    "without values": (
        lambda good: good | {"classifier.weight": good["classifier.weight"].to("meta")},
        "classifier.weight is sparse, quantised, expanded or without values",
    ),
    "one number repeated": (
        lambda good: good | {"classifier.weight": torch.zeros(1).expand(10**12)},
        "classifier.weight is sparse, quantised, expanded or without values",
    ),
    "not a number": (
        lambda good: good | {"classifier.bias": torch.tensor([0.0, float("nan"), 0.0])},
        "classifier.bias holds NaN or infinite values",
    ),
    "counter of another kind": (
        lambda good: good | {"stem.norm.num_batches_tracked": torch.tensor(True)},
        "stem.norm.num_batches_tracked holds torch.bool where the model has torch.int64",
    ),
    "name that is none": (lambda good: good | {1: torch.zeros(1)}, "1 is not the name of a tensor"),
    "unknown layout": (lambda good: {"conv1.weight": torch.zeros(1)}, "not a MobileViTv2 checkpoint .* conv1.weight"),
    "empty": (lambda good: {}, "no tensors at all"),
}


@pytest.mark.parametrize("case", BAD_STATE_DICTS)
def test_checkpoints_that_do_not_fit_are_refused_and_change_nothing(case, tiny):
    make, message = BAD_STATE_DICTS[case]
    before = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    shifted = {name: tensor + 1 for name, tensor in before.items()}
    with pytest.raises(mv.FileError, match=message):
        mv.load_checkpoint(tiny, make(shifted))
    for name, tensor in tiny.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_two_tensors_for_one_place_are_refused():
    with pytest.raises(mv.FileError, match="two tensors of the checkpoint are classifier.weight"):
        convert_state_dict(LAYOUTS["timm"]() | {"classifier.weight": torch.zeros(1000, 256)})


@pytest.mark.parametrize("shape", [(), (0, 3), (128, 64, 1, 1)])
def test_fused_projections_of_an_impossible_shape_are_refused(shape):
    name = "stages.2.1.transformer.0.attn.qkv_proj.weight"
    with pytest.raises(mv.FileError, match=r"but 1 \+ 2d rows are expected"):
        convert_state_dict(LAYOUTS["timm"]() | {name: torch.zeros(shape)})


def test_only_one_by_one_convolutions_become_linear_layers():
    name = "stages.2.1.transformer.0.mlp.fc1.weight"
    with pytest.raises(mv.FileError, match=r"ffn.expand.weight has shape \(128, 16, 2, 2\) in the checkpoint"):
        mv.load_checkpoint(mv.MobileViTv2(0.5), LAYOUTS["timm"]() | {name: torch.zeros(128, 16, 2, 2)})


def test_a_model_without_memory_is_refused():
    with pytest.raises(mv.FileError, match="the model is on the meta device"):
        mv.load_checkpoint(mv.MobileViTv2(0.5).to("meta"), own_state_dict())


def test_useless_files_are_not_written(tiny, tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ValueError, match="not as torch.int8"):
        mv.save_checkpoint(tiny, path, dtype=torch.int8)
    tiny.stem.norm.running_var.fill_(1e5)
    with pytest.raises(ValueError, match="stem.norm.running_var holds values that are not finite, or too large"):
        mv.save_checkpoint(tiny, path, dtype=torch.float16)
    assert not path.exists()


def test_a_compiled_model_is_saved_under_the_usual_names(tiny, tmp_path):
    mv.save_checkpoint(torch.compile(tiny), tmp_path / "weights.safetensors")
    assert_same_weights(mv.load_checkpoint(mv.MobileViTv2(**TINY), tmp_path / "weights.safetensors"), tiny)


def test_damaged_pickles_are_checkpoint_errors_and_nothing_else(tiny, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(tiny.state_dict(), path)
    content = path.read_bytes()
    start = content.index(b"data.pkl") + 100
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        damaged = bytearray(content)
        place = int(torch.randint(start, start + 3000, (), generator=generator))
        damaged[place] = int(torch.randint(256, (), generator=generator))
        path.write_bytes(damaged)
        try:
            mv.load_checkpoint(mv.MobileViTv2(**TINY), path)
        except mv.FileError:
            continue


class Payload:
    """A pickle that would run code if it were loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(how, tmp_path):
    path, trace = tmp_path / "weights.pt", tmp_path / "the-code-ran"
    if how == "torch.save":
        torch.save({"stem.conv.weight": Payload(trace)}, path)
    else:
        path.write_bytes(pickle.dumps(Payload(trace), protocol=2))
    with pytest.raises(mv.FileError, match=r"weights.pt was refused: .* loading those could run any code"):
        mv.load_checkpoint(mv.MobileViTv2(**TINY), path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(suffix, share, tiny, tmp_path):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(tiny.state_dict(), path)
    else:
        mv.save_checkpoint(tiny, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(mv.FileError, match=rf"weights{suffix} (is damaged|was refused)"):
        mv.load_checkpoint(mv.MobileViTv2(**TINY), path)


TEXTS = {
    "text": b"weights",
    "one letter": b"{",
    "empty": b"",
    "json": b'{"weights": [1, 2, 3]}',
    "a header of another format": b"\x08\0\0\0\0\0\0\0{notjson",
    "a header that is too long": b"\xff\xff\xff\xff\xff\xff\xff\x7f{}",
}


@pytest.mark.parametrize("name", ["weights.txt", "weights.pth", "weights.safetensors", "weights"])
@pytest.mark.parametrize("content", TEXTS)
def test_files_that_are_no_weights_are_refused_in_one_line(content, name, tmp_path):
    (tmp_path / name).write_bytes(TEXTS[content])
    with pytest.raises(mv.FileError, match=rf"^{name} (is damaged|was refused)") as refused:
        mv.load_checkpoint(mv.MobileViTv2(**TINY), tmp_path / name)
    assert "\n" not in str(refused.value).strip()


def test_what_is_no_file_of_a_state_dict_is_refused_by_name(tmp_path):
    model = mv.MobileViTv2(**TINY)
    for path in (tmp_path / "nowhere.pt", tmp_path / "nowhere"):
        for load in (mv.load_model, lambda path: mv.load_checkpoint(model, path)):
            with pytest.raises(FileNotFoundError, match=f"no checkpoint file at {path}"):
                load(path)
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder.safetensors")
    for path in (tmp_path / "folder.safetensors", tmp_path / "link"):
        for load in (mv.load_pretrained, mv.load_model, lambda path: mv.load_checkpoint(model, path)):
            with pytest.raises(mv.FileError, match=f"{path} is a folder: name the file of weights in it"):
                load(path)
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(mv.FileError, match="tensor.pt holds a Tensor, not a state dict"):
        mv.load_checkpoint(model, str(tmp_path / "tensor.pt"))
    torch.save(model, tmp_path / "whole.pt")
    with pytest.raises(mv.FileError, match="whole.pt holds a Python object, not a state dict"):
        mv.load_model(tmp_path / "whole.pt")


@pytest.mark.parametrize("name", ["mobilevitv2_060", "mobilevit_s", "050", "resnet50", "", "mobilevitv2_050\n"])
def test_unknown_pretrained_names_are_refused_without_asking_the_hub(name, monkeypatch):
    monkeypatch.setattr(pretrained, "fetch", lambda *arguments: pytest.fail("the hub was asked"))
    with pytest.raises(ValueError, match=r"no file '.*'.* no weights of that name: choose digits or one of mobilev"):
        mv.load_pretrained(name)
