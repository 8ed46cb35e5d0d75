"""Exported files answer as the model does, in their own runtime, and what cannot be exported is refused in a line."""

import copy
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from references import randomise
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.__main__ import main
from mvit2_lib.deploy import exporting, run_onnx

PICTURES = {"wide": (97, 61), "high": (40, 150), "small": (20, 20)}


@pytest.fixture(scope="module")
def model():
    return randomise(mv.MobileViTv2(0.25, num_classes=7))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits") / "digits.onnx"
    assert main(["export", str(path), "--weights", "digits"]) == 0
    return path


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def ask(path, x):
    return torch.from_numpy(session(path).run(None, {"image": x.numpy()})[0])


def accuracy(answer):
    pictures, labels = mv.load_digits("test")
    return float((torch.cat([answer(one) for one in pictures.split(1)]).argmax(dim=1) == labels).float().mean())


# ONNX


def test_a_file_of_an_odd_size_answers_as_the_model_does(model, tmp_path):
    path, x = tmp_path / "m.onnx", torch.rand(1, 3, 65, 98)
    difference = mv.export(model, path, image_size=(65, 98))
    assert difference < 1e-5
    assert_close(ask(path, x), model(x).detach(), rtol=0, atol=1e-5)
    assert not {node.op_type for node in onnx.load(path).graph.node} & {"Col2Im", "Im2Col", "ScatterND", "GatherND"}


def test_a_dynamic_file_takes_any_batch_and_any_multiple_of_64(model, tmp_path):
    path = tmp_path / "m.onnx"
    mv.export(model, path, image_size=64, dynamic=True)
    for shape in ((1, 3, 64, 64), (2, 3, 192, 64), (5, 3, 64, 128)):
        x = torch.rand(shape)
        assert_close(ask(path, x), model(x).detach(), rtol=0, atol=1e-5)


def test_a_file_says_what_it_is_and_not_where_it_was_made(digits):
    notes = session(digits).get_modelmeta().custom_metadata_map
    assert json.loads(notes["classes"]) == [str(digit) for digit in range(10)]
    assert [json.loads(notes[name]) for name in ("image_size", "channels", "crop_fraction")] == [64, 1, 1.0]
    content = digits.read_bytes()
    assert b"mvit2_lib" not in content
    assert b"site-packages" not in content


def test_eight_bits_cost_less_than_half_a_point_of_accuracy(digits, tmp_path):
    small = tmp_path / "small.onnx"
    assert main(["export", str(small), "--weights", "digits", "--quantize", "digits"]) == 0
    assert accuracy(lambda x: ask_once[small](x)) >= accuracy(lambda x: ask_once[digits](x)) - 0.005
    assert small.stat().st_size < 0.6 * digits.stat().st_size


class _Sessions(dict):
    """One session a file."""

    def __missing__(self, path):
        one = session(path)
        self[path] = lambda x: torch.from_numpy(one.run(None, {"image": x.numpy()})[0])
        return self[path]


ask_once = _Sessions()


# The file alone, without PyTorch


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_process_without_pytorch_gives_the_same_five_names(digits, tmp_path, capsys, suffix):
    random, paths = np.random.default_rng(0), []
    for name, (width, height) in PICTURES.items():
        rough = Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        paths.append(str(tmp_path / f"{name}.{suffix}"))
        turned = {"exif": _turned()} if suffix == "jpg" else {}
        rough.resize((width, height)).save(paths[-1], **turned)
    if suffix == "png":
        Image.open(paths[0]).convert("LA").save(paths[0])
    assert main(["predict", "--weights", "digits", *paths]) == 0
    code = f"""
        import runpy, sys
        for name in ("torch", "mvit2_lib"):
            sys.modules[name] = None
        sys.argv = {["run_onnx.py", str(digits), *paths]!r}
        runpy.run_path({run_onnx.__file__!r}, run_name="__main__")
    """
    alone = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert alone.stdout == capsys.readouterr().out


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    return exif


# What is refused, and leaves no file


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "tflite"}, "there is no export to 'tflite'"),
        ({"to": "executorch"}, r"a file for executorch ends in \.pte, and .*m\.onnx does not"),
        ({"image_size": 31}, "image_size must be a whole number from 32 to 4096, not 31"),
        ({"image_size": "64"}, "image_size must be a whole number from 32 to 4096, not '64'"),
        ({"image_size": (64, 64, 3)}, "image_size is a side, or height and width"),
        ({"image_size": 96, "dynamic": True}, "takes multiples of 64 pixels, and 96×96 is none"),
        ({"quantize": []}, "needs pictures"),
        ({"quantize": [torch.zeros(3, 2, 2)]}, "needs pictures"),
        (
            {"quantize": [torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 1, 2)]},
            r"has pictures of \[3, 2, 2\], and the file takes \[3, 64, 64\]",
        ),
        ({"notes": {"image_size": 256}}, "pictures of 256 pixels, and the file takes"),
    ],
    ids=str,
)
def test_requests_that_make_no_sense_are_refused(model, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        mv.export(model, tmp_path / "m.onnx", **{"image_size": 64, **options})
    assert not list(tmp_path.iterdir())


def test_other_sizes_and_eight_bits_are_refused_where_a_runtime_has_them_not(model, tmp_path):
    with pytest.raises(ValueError, match="has one size of pictures"):
        mv.export(model, tmp_path / "m.pte", "executorch", dynamic=True)
    with pytest.raises(ValueError, match="not for coreml"):
        mv.export(model, tmp_path / "m.mlpackage", "coreml", quantize=[torch.rand(1, 3, 64, 64)])


def test_a_model_in_training_and_a_fast_form_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"training mode cannot be exported: call model\.eval\(\)"):
        mv.export(mv.MobileViTv2(0.25), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"not from cpu in float64: call model\.cpu\(\)\.float\(\) first"):
        mv.export(randomise(mv.MobileViTv2(0.25)).double(), tmp_path / "m.onnx")
    with pytest.raises(TypeError, match="expected a MobileViTv2, not a Sequential"):
        mv.export(torch.nn.Sequential(), tmp_path / "m.onnx")


def test_a_model_that_cannot_answer_itself_is_told_so(model, tmp_path):
    bound = mv.MobileViTv2(0.25, attention="linformer", image_size=64).eval()
    with pytest.raises(ValueError, match="this Linformer layer was built for"):
        mv.export(bound, tmp_path / "m.onnx", image_size=128)
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.stem.conv.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="own logits are not finite"):
        mv.export(broken, tmp_path / "m.onnx", image_size=64)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("wrong", "message"), [(0.5, r"0\.5"), (float("nan"), "nan")])
def test_a_file_that_answers_differently_is_not_kept(model, tmp_path, monkeypatch, wrong, message):
    def slip(one):
        one = true_fuse(one)
        one.classifier.bias += wrong
        return one

    true_fuse, path = exporting.fuse, tmp_path / "m.onnx"
    path.write_text("older")
    monkeypatch.setattr(exporting, "fuse", slip)
    with pytest.raises(RuntimeError, match=f"not written: the file's logits differ from the model's by {message}"):
        mv.export(model, path, image_size=64)
    assert path.read_text() == "older"
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


def test_eight_bits_that_change_the_answers_are_not_kept(tmp_path):
    weights, dark = mv.load_pretrained("digits"), [torch.rand(8, 1, 64, 64) / 1000]
    pictures = mv.load_digits("train")[0][:8]
    path = tmp_path / "m.onnx"
    true = exporting._quantized_onnx
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_quantized_onnx", lambda onnx, proto, _: true(onnx, proto, dark))
        with pytest.raises(RuntimeError, match="not written: with 8-bit numbers the best answer stays the same for"):
            mv.export(weights.model, path, image_size=64, quantize=[pictures])
    assert not path.exists()


@pytest.mark.parametrize(
    ("to", "missing", "install"),
    [
        ("onnx", "onnxruntime", "pip install onnx onnxscript onnxruntime"),
        ("executorch", "executorch", "pip install executorch torchao"),
        ("coreml", "coremltools", "pip install coremltools"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    to, missing, install, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / f"m{exporting.ENDINGS[to]}"
    assert main(["export", str(path), "--weights", "digits"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.fullmatch(f"error: export to {to} needs {missing}, which .*: {install}", lines[0])
    assert not path.exists()


def test_a_pytorch_that_is_too_old_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(RuntimeError, match=r"needs PyTorch 2\.11 or newer, not 2\.5\.1\+cpu: pip install -U torch"):
        mv.export(model, tmp_path / "m.onnx", image_size=64)


def test_a_runtime_that_refuses_the_model_is_one_line(tmp_path, capsys, monkeypatch):
    def refuse(*_, **__):
        try:
            raise NotImplementedError("no \x1b[96msuch\x1b[0m operator\nand 300 lines more")
        except NotImplementedError as cause:
            raise RuntimeError("step 1/3") from cause

    monkeypatch.setattr(torch.onnx, "export", refuse)
    assert main(["export", str(tmp_path / "m.onnx"), "--weights", "digits"]) == 2
    assert capsys.readouterr().err == (
        "error: not written: onnx did not take the model (NotImplementedError: no such operator)\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{}/m.xyz"], "ends in none of .onnx, .pte, .mlpackage: say --to which runtime"),
        (["{}/no/m.onnx"], "no such folder"),
        (["{}/m.onnx", "--image-size", "20"], "whole number from 32 to 4096"),
        (["{}/m.onnx", "--quantize", "{}/no"], "no"),
        (["{}/m.onnx", "--dynamic", "--image-size", "96"], "multiples of 64"),
    ],
    ids=str,
)
def test_what_the_command_cannot_do_is_one_line(arguments, message, tmp_path, capsys):
    arguments = [argument.format(tmp_path) for argument in arguments]
    assert main(["export", "--weights", "digits", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not list(tmp_path.iterdir())


# ExecuTorch and Core ML, where they are installed: `make test-all`


@pytest.fixture(scope="module")
def executorch():
    return pytest.importorskip("executorch.runtime").Runtime.get()


@pytest.mark.slow
def test_executorch_answers_as_the_model_does(executorch, model, tmp_path):
    path, x = tmp_path / "m.pte", torch.rand(1, 3, 65, 98)
    mv.export(model, path, "executorch", image_size=(65, 98), notes={"classes": ["a", "é"]})
    program = executorch.load_program(path)
    assert_close(program.load_method("forward").execute((x,))[0], model(x).detach(), rtol=0, atol=1e-5)
    assert json.loads(json.loads(program.load_method("notes").execute(())[0])["classes"]) == ["a", "é"]


@pytest.mark.slow
def test_a_softmax_over_the_channels_is_caught_before_a_file_is_kept(executorch, model, tmp_path, monkeypatch):
    plain = torch.Tensor.flatten
    monkeypatch.setattr(torch.Tensor, "flatten", lambda x, *axes: x if axes == (0, 2) else plain(x, *axes))
    with pytest.raises(RuntimeError, match="not written"):
        mv.export(model, tmp_path / "m.pte", "executorch", image_size=64)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_eight_bits_in_executorch_cost_less_than_half_a_point(executorch, tmp_path):
    path = tmp_path / "small.pte"
    assert main(["export", str(path), "--weights", "digits", "--quantize", "digits"]) == 0
    method = executorch.load_program(path).load_method("forward")
    plain = mv.load_pretrained("digits").model
    with torch.inference_mode():
        assert accuracy(lambda x: method.execute((x,))[0].clone()) >= accuracy(plain) - 0.005
    assert path.stat().st_size < 700_000


def test_an_older_core_ml_package_survives_when_the_new_one_cannot_take_its_name(tmp_path, monkeypatch):
    class Converted:
        def save(self, path):
            Path(path).mkdir()

    def no_new_name(source, target):
        if Path(target) == path and Path(source).name == path.name:
            raise OSError("no")
        replace(source, target)

    path, replace = tmp_path / "m.mlpackage", os.replace
    path.mkdir()
    (path / "weights").write_text("older")
    monkeypatch.setattr(os, "replace", no_new_name)
    with pytest.raises(mv.RetryError, match="could not write"):
        exporting._write_folder(path, Converted())
    assert (path / "weights").read_text() == "older"
    assert [file.name for file in tmp_path.iterdir()] == ["m.mlpackage"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default:Core ML answers")
def test_a_core_ml_package_is_written_whole_and_says_that_it_was_not_compared(tmp_path, capsys):
    pytest.importorskip("coremltools")
    path = Path(tmp_path, "m.mlpackage")
    for _ in range(2):  # the second takes the name of the first
        assert main(["export", str(path), "--weights", "digits"]) == 0
    answers = capsys.readouterr()
    if sys.platform != "darwin":
        assert "not compared" in answers.out
        assert "answers on Apple's systems only" in answers.err
    assert [file.name for file in tmp_path.iterdir()] == ["m.mlpackage"]
    assert (path / "Manifest.json").exists()
