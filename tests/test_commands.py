"""The command line, as a user meets it: answers, exit codes, and one clear line for everything that can go wrong."""

import csv
import dataclasses
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

import mvit2_lib as mv
from mvit2_lib import __main__ as commands
from mvit2_lib.__main__ import main
from mvit2_lib.data.samples import digit_picture, imagenet_synsets


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder with 30 held-out digits in class folders, and another digit beside them; reading them takes a while."""
    place, labels = tmp_path_factory.mktemp("digits"), mv.load_digits("test")[1]
    for index in (*range(30), 178):
        scans = place / "scans" / str(int(labels[index])) if index < 30 else place
        scans.mkdir(parents=True, exist_ok=True)
        digit_picture(index).save(scans / f"{index}.png")
    return place


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """A folder with twenty digits more, two of each class, for validation."""
    place, labels = tmp_path_factory.mktemp("held_out"), mv.load_digits("test")[1].tolist()
    for digit in range(10):
        (place / str(digit)).mkdir()
        for index in [index for index in range(40, 180) if labels[index] == digit][:2]:
            digit_picture(index).save(place / str(digit) / f"{index}.png")
    return place


@pytest.fixture
def two(tmp_path, digits):
    return shutil.copyfile(digits / "178.png", tmp_path / "zwei é.png")


@pytest.fixture
def folder(tmp_path, digits):
    return shutil.copytree(digits / "scans", tmp_path / "scans")


def expected(path):
    with torch.inference_mode():
        digits = mv.load_pretrained("digits")
        model = mv.optimize_for_inference(digits.model)
        return model(digits.preparation(mv.open_image(path))).softmax(dim=1)[0].topk(5)


# predict


def test_predict_prints_the_five_best_answers_with_probabilities(run, two):
    code, out, err = run("predict", two, "--weights", "digits")
    assert (code, err) == (0, "")
    best = expected(two)
    lines = [f"  {p:6.1%}  {i}" for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]
    assert out.splitlines() == [str(two), *lines]


def test_predict_answers_in_json_one_line_for_each_picture(run, two):
    code, out, _ = run("predict", two, two, "--weights", "digits", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(lines) == 2
    best = expected(two)
    assert lines[0]["picture"] == str(two)
    assert [answer["class"] for answer in lines[0]["answers"]] == best.indices.tolist()
    assert [answer["probability"] for answer in lines[0]["answers"]] == pytest.approx(best.values.tolist(), abs=1e-6)
    assert [answer["name"] for answer in lines[0]["answers"]] == [str(index) for index in best.indices.tolist()]


def test_predict_goes_on_after_pictures_it_cannot_read_and_says_so_in_its_exit_code(run, two, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    code, out, _ = run("predict", bad, tmp_path / "none.png", two, "--weights", "digits")
    assert code == 1
    assert "bad.png is not a picture in one of the formats" in out
    assert f"there is no file {tmp_path / 'none.png'}" in out
    assert str(two) in out.splitlines()
    code, out, _ = run("predict", bad, two, "--weights", "digits", "--json")
    assert code == 1
    assert "not a picture" in json.loads(out.splitlines()[0])["error"]
    assert json.loads(out.splitlines()[1])["answers"]


def test_predict_takes_a_weight_file_and_finds_out_its_width(run, two, tmp_path):
    torch.manual_seed(0)
    model = mv.MobileViTv2(0.5, num_classes=3, in_channels=1)
    mv.save_checkpoint(model, tmp_path / "own.safetensors")
    code, out, _ = run("predict", two, "--weights", tmp_path / "own.safetensors")
    assert code == 0
    assert {line.split("%")[1].strip() for line in out.splitlines()[1:]} == {"class 0", "class 1", "class 2"}
    assert len(out.splitlines()) == 1 + 3
    labels = tmp_path / "labels.txt"
    labels.write_bytes("\ufeffant\r\nbee\r\nowl\r\n\r\n".encode())  # as Windows writes it
    _, out, _ = run("predict", two, "--weights", tmp_path / "own.safetensors", "--labels", labels)
    assert {line.split()[-1] for line in out.splitlines()[1:]} == {"ant", "bee", "owl"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--width", "0.6"], "no ImageNet weights of width 0.6: choose one of 0.5, 0.75"),
        (["--weights", "mobilevitv3"], "there is no file 'mobilevitv3', and there are no weights of that name"),
        (["--weights", "digits", "--width", "2"], "digits has width 0.25, not 2.0"),
        (["--weights", "gone.safetensors"], "there is no checkpoint file at gone.safetensors"),
        (["--weights", "digits", "--labels", "five.txt"], "has 5 lines, but the model 10 classes"),
        (["--weights", "digits", "--labels", "gone.txt"], "gone.txt"),
        (["--weights", "digits", "--labels", "latin.txt"], "latin.txt is not a text in UTF-8"),
        (["--weights", "digits", "--sha256", "0" * 64], "sha256 is for files"),
        (["--weights", "none.safetensors"], "has no classifier: it can name no classes"),
        (["--width", "0.5"], "--download"),
        (["--width", "nan"], "no ImageNet weights of width nan"),
        (["--weights", "digits", "--width", "nan"], "width_multiplier must be a positive number"),
        (["--weights", "digits", "--image-size", "5000"], "image_size must be a whole number from 1 to 4096, not 5000"),
        (["--weights", "digits", "--crop-fraction", "2"], "crop_fraction must be a number from 0.1 to 1, not 2.0"),
        (["--weights", "."], ". is a folder: name the file of weights in it"),
        (["--weights", "five.txt"], "five.txt is damaged, cut short or no file of weights"),
        (["--weights", "sub\nfolder/gone"], "there is no checkpoint file at sub\\nfolder/gone"),
    ],
)
def test_what_predict_cannot_do_is_one_line_and_exit_code_2(run, two, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "five.txt").write_text("a\nb\nc\nd\ne\n")
    (tmp_path / "latin.txt").write_bytes("é\n".encode("latin-1") * 10)
    mv.save_checkpoint(mv.MobileViTv2(0.25, num_classes=0, in_channels=1), tmp_path / "none.safetensors")
    code, out, err = run("predict", two, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_hash_that_does_not_fit_is_an_error(run, two, tmp_path):
    mv.save_checkpoint(mv.load_pretrained("digits").model, tmp_path / "d.safetensors")
    code, _, err = run("predict", two, "--weights", tmp_path / "d.safetensors", "--sha256", "0" * 64)
    assert code == 2
    assert "has SHA-256" in err


@pytest.fixture
def in_a_terminal(monkeypatch):
    """Run a command with its standard error on a pseudo-terminal, and return what it wrote there."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))

    def run(*arguments):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        written = b""

        def read():
            nonlocal written
            try:
                while part := os.read(ours, 4096):
                    written += part
            except OSError:  # the other end was closed
                pass

        reader = threading.Thread(target=read)
        reader.start()
        with open(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", terminal)
            code = main([*map(str, arguments)])
        reader.join()
        os.close(ours)
        assert code == 0
        return written.decode(errors="replace")

    return run


def test_many_pictures_have_a_progress_bar_on_a_terminal_and_nowhere_else(run, two, folder, in_a_terminal, tmp_path):
    assert "3/3" in in_a_terminal("predict", two, two, two, "--weights", "digits")
    assert in_a_terminal("predict", two, "--weights", "digits") == ""  # for one picture it would be noise
    assert "30/30" in in_a_terminal("evaluate", folder, "--weights", "digits")
    assert in_a_terminal("evaluate", folder, "--weights", "digits", "--json") == ""
    assert "7/7" in in_a_terminal("train", folder, "--into", tmp_path / "seen", "--width", "0.05", *TINY)
    assert run("predict", two, two, two, "--weights", "digits")[2] == ""
    assert run("evaluate", folder, "--weights", "digits")[2] == ""
    assert run("train", folder, "--into", tmp_path / "unseen", "--width", "0.05", *TINY)[2] == ""


def test_size_and_crop_are_those_of_the_options(run, two):
    digits = mv.load_pretrained("digits")
    for options, settings in (
        (["--image-size", "96"], {"image_size": 96}),
        (["--crop-fraction", "0.5"], {"crop_fraction": 0.5}),
        (["--image-size", "32", "--crop-fraction", "0.8"], {"image_size": 32, "crop_fraction": 0.8}),
    ):
        image = dataclasses.replace(digits.preparation, **settings)(mv.open_image(two))
        with torch.inference_mode():
            best = digits.model(image).softmax(dim=1)[0].max().item()
        out = run("predict", two, "--weights", "digits", "--json", *options)[1]
        assert json.loads(out)["answers"][0]["probability"] == pytest.approx(best, abs=1e-5)


CONTROLS = "line\nfeed \x1b[31mred\x1b[0m \x9b31m \r é.png"
SHOWN = "line\\nfeed \\x1b[31mred\\x1b[0m \\x9b31m \\r é.png"


def test_no_name_can_control_the_terminal_or_break_the_json(run, tmp_path):
    good, bad, gone = (tmp_path / f"{what} {CONTROLS}" for what in ("good", "bad", "gone"))
    digit_picture(0).save(good, "PNG")
    bad.write_text("no picture")
    code, out, err = run("predict", good, bad, gone, "--weights", "digits")
    assert (code, err) == (1, "")
    assert all(line.isprintable() for line in out.split("\n"))
    lines = out.splitlines()
    assert len(lines) == 6 + 2 + 2
    assert [lines[0], lines[6], lines[8]] == [f"{tmp_path}/{what} {SHOWN}" for what in ("good", "bad", "gone")]
    code, out, err = run("predict", good, bad, gone, "--weights", "digits", "--json")
    assert (code, err) == (1, "")
    assert all(line.isprintable() for line in out.split("\n"))
    assert "é" in out
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["picture"] for answer in answers] == [str(good), str(bad), str(gone)]
    assert SHOWN in answers[1]["error"]
    assert answers[2]["error"] == f"there is no file {tmp_path}/gone {SHOWN}"


def test_no_name_can_control_the_terminal_on_the_way_to_the_errors(run, folder, tmp_path):
    (folder / "3" / CONTROLS).write_text("no picture")
    (folder / "3" / f"{CONTROLS}.txt").write_text("left out")
    code, out, err = run("evaluate", folder, "--weights", "digits")
    assert (code, out.splitlines()[-1]) == (0, "30 pictures, 1 unreadable")
    assert all(line.isprintable() for line in err.split("\n"))
    assert err.splitlines()[0] == f"left out of {folder} by name: 3/{SHOWN}.txt"
    assert f"unreadable: 3/{SHOWN}: " in err
    for command in (
        ["evaluate", tmp_path / CONTROLS, "--weights", "digits"],
        ["train", tmp_path / CONTROLS, "--into", tmp_path / "run"],
        ["predict", "x", "--weights", tmp_path / CONTROLS],
        ["predict", "x", "--weights", "digits", "--labels", tmp_path / CONTROLS],
    ):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err[:-1].isprintable()


def test_classes_of_any_name_are_shown_and_cannot_control_the_terminal(run, two, tmp_path):
    names = ["\x1b[2J", "näch\nste", "\x9b"]
    mv.save_checkpoint(
        mv.MobileViTv2(0.05, num_classes=3, in_channels=1), tmp_path / "w.safetensors", notes={"classes": names}
    )
    command = ["predict", two, "--weights", tmp_path / "w.safetensors", "--image-size", "32"]
    out = run(*command)[1]
    assert {line.split("%")[1].strip() for line in out.splitlines()[1:]} == {"\\x1b[2J", "näch\\nste", "\\x9b"}
    out = run(*command, "--json")[1]
    assert out[:-1].isprintable()
    assert {answer["name"] for answer in json.loads(out)["answers"]} == set(names)


# What every command has in common


COMMANDS = {
    "predict": (["predict", "TWO", "--weights", "digits"], "open_image"),
    "evaluate": (["evaluate", "FOLDER", "--weights", "digits"], "evaluate"),
    "train": (["train", "FOLDER", "--into", "RUN"], "train"),
}


@pytest.fixture
def command(request, two, folder, tmp_path):
    """Return the arguments of a command that would go well, and the name of a function that it calls."""
    places = {"TWO": str(two), "FOLDER": str(folder), "RUN": str(tmp_path / "run")}
    arguments, function = COMMANDS[request.param]
    return [places.get(argument, argument) for argument in arguments], function


@pytest.mark.parametrize("command", COMMANDS, indirect=True)
@pytest.mark.parametrize(
    ("problem", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (mv.RetryError("the disk\nis full"), 2, "error: the disk\\nis full"),
        (OSError(28, "No space left on device"), 2, "error: [Errno 28] No space left on device"),
        (ValueError("wrong"), 2, "error: wrong"),
        (ValueError(), 2, "error: ValueError"),
        (FloatingPointError("the loss is nan"), 2, "error: the loss is nan"),
        (RuntimeError("CUDA out of memory"), 2, "error: CUDA out of memory"),
        (RuntimeError("Caught it.\nOriginal Traceback (most recent call last):\n  x\nValueError: no"), 2,
         "error: ValueError: no"),
    ],
)  # fmt: skip
def test_whatever_happens_is_one_line_and_an_exit_code(run, command, problem, code, line, monkeypatch):
    def fail(*arguments, **options):
        raise problem

    arguments, function = command
    monkeypatch.setattr(commands, function, fail)
    if function == "open_image" and isinstance(problem, OSError):
        assert run(*arguments)[0] == 1  # of one picture: the others are tried
        return
    assert run(*arguments) == (code, "", f"{line}\n")


@pytest.mark.slow
def test_control_c_ends_a_training_that_another_command_continues(folder, tmp_path):
    command = [sys.executable, "-m", "mvit2_lib", "train", folder, "--into", tmp_path / "run", "--width", "0.05"]
    settings = ["--epochs", "2000", "--batch-size", "4", "--image-size", "16", "--save-every", "1", "--device", "cpu"]
    for _ in range(2):
        process = subprocess.Popen([*command, *settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        before = time.time()
        while not (tmp_path / "run" / "state.pt").exists() or (tmp_path / "run" / "state.pt").stat().st_mtime < before:
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "interrupted\n")
        assert process.returncode == 130


@pytest.mark.parametrize("command", COMMANDS, indirect=True)
def test_a_mistake_in_the_library_is_not_hidden(run, command, monkeypatch):
    monkeypatch.setattr(commands, command[1], lambda *arguments, **options: {}["mistake"])
    with pytest.raises(KeyError, match="mistake"):
        run(*command[0])


@pytest.mark.parametrize("command", COMMANDS, indirect=True)
@pytest.mark.filterwarnings("default:hark:UserWarning")
def test_a_warning_is_one_line(run, command, monkeypatch):
    arguments, function = command

    def warn(*arguments, **options):
        warnings.warn("hark\nthis", UserWarning, stacklevel=2)
        raise KeyboardInterrupt

    before = warnings.showwarning
    monkeypatch.setattr(commands, function, warn)
    assert run(*arguments)[1:] == ("", "warning: hark\\nthis\ninterrupted\n")
    assert warnings.showwarning is before


@pytest.mark.filterwarnings("default:took the average:UserWarning")
def test_which_of_two_sets_of_weights_was_taken_is_said(run, two, tmp_path):
    weights = mv.load_pretrained("digits").model.state_dict()
    torch.save({"state_dict": weights, "state_dict_ema": weights}, tmp_path / "model_best.pth.tar")
    code, _, err = run("predict", two, "--weights", tmp_path / "model_best.pth.tar")
    assert (code, err) == (0, "warning: took the average of the weights, 'state_dict_ema', not 'state_dict'\n")


@pytest.mark.parametrize(
    ("there", "devices"),
    [
        ((False, False), "{cpu}"),
        ((True, False), "{cuda,cpu}"),
        ((False, True), "{mps,cpu}"),
        ((1, 1), "{cuda,mps,cpu}"),
    ],
)
def test_the_devices_that_torch_has_are_offered_and_the_first_is_taken(there, devices, monkeypatch, capsys, two):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there[0])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there[1])
    taken = []
    monkeypatch.setattr(mv.MobileViTv2, "to", lambda self, *where, **options: taken.append(where) or self)
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert f"--device {devices}" in capsys.readouterr().out
    monkeypatch.setattr(commands, "open_image", lambda path: 1 / 0)
    assert main(["predict", str(two), "--weights", "digits"]) == 2
    assert [where for where in taken if where] == [(devices.strip("{}").split(",")[0],)]


# evaluate


def test_evaluate_prints_both_accuracies(run, folder):
    code, out, err = run("evaluate", folder, "--weights", "digits")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["top-1  100.00%", "top-5  100.00%", "30 pictures, 0 unreadable"]


def test_evaluate_counts_unreadable_pictures_and_ends_well(run, folder):
    for number in range(12):
        (folder / "3" / f"bad{number:02}.png").write_text("no picture")
    code, out, err = run("evaluate", folder, "--weights", "digits", "--json")
    assert code == 0
    assert json.loads(out) == {"weights": "digits", "top1": 1.0, "top5": 1.0, "pictures": 30, "unreadable": 12}
    assert err.splitlines()[0].startswith("unreadable: 3/bad00.png: ")
    assert err.splitlines()[-1] == "unreadable: and 2 more"
    assert len(err.splitlines()) == 11


def test_where_no_picture_can_be_read_the_accuracy_is_unknown_and_the_exit_code_1(run, tmp_path):
    (tmp_path / "val" / "3").mkdir(parents=True)
    (tmp_path / "val" / "3" / "bad.png").write_text("no picture")
    code, out, _ = run("evaluate", tmp_path / "val", "--weights", "digits")
    assert code == 1
    assert out.splitlines() == ["top-1  unknown", "top-5  unknown", "0 pictures, 1 unreadable"]
    code, out, _ = run("evaluate", tmp_path / "val", "--weights", "digits", "--json")
    assert code == 1
    assert json.loads(out) == {"weights": "digits", "top1": None, "top5": None, "pictures": 0, "unreadable": 1}


def test_what_evaluate_leaves_out_is_said(run, folder):
    (folder / "3" / "Thumbs.db").write_bytes(b"x")
    code, out, err = run("evaluate", folder, "--weights", "digits")
    assert (code, out.splitlines()[-1]) == (0, "30 pictures, 0 unreadable")
    assert err == f"left out of {folder} by name: 3/Thumbs.db\n"
    (folder / "__MACOSX").mkdir()
    (folder / "4" / "notes.txt").write_bytes(b"x")
    err = run("evaluate", folder, "--weights", "digits")[2]
    assert err.endswith(" and 2 more\n")
    assert len(err.splitlines()) == 1


def test_evaluate_asks_for_the_folders_of_classes_without_names(run, folder, tmp_path):
    mv.save_checkpoint(mv.MobileViTv2(0.05, num_classes=10, in_channels=1), tmp_path / "w.safetensors")
    code, _, err = run("evaluate", folder, "--weights", tmp_path / "w.safetensors")
    assert code == 2
    assert "w.safetensors does not say what its 10 classes are called: say with --labels FILE" in err


def test_evaluate_goes_on_with_its_record(run, folder, tmp_path):
    record = tmp_path / "record.jsonl"
    first = run("evaluate", folder, "--weights", "digits", "--record", record, "--batch-size", "7")
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:12]))
    assert run("evaluate", folder, "--weights", "digits", "--record", record) == first
    assert record.read_text() == "".join(lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds nothing, but one folder for each class is expected"),
        (["a.png"], "holds only files, but one folder for each class is expected"),
        (["ant/a.png"], "1 of 1 class folders are not in the label map, first 'ant'"),
    ],
)
def test_what_evaluate_cannot_do_is_one_line_and_exit_code_2(run, tmp_path, content, message):
    place = tmp_path / "data"
    place.mkdir()
    for name in content:
        (place / name).parent.mkdir(exist_ok=True)
        digit_picture(0).save(place / name)
    code, out, err = run("evaluate", place, "--weights", "digits")
    assert (code, out) == (2, "")
    assert message in err
    assert ("on the command line, --labels FILE" in err) == ("label map" in message)
    assert len(err.splitlines()) == 1


def test_evaluate_needs_a_label_map_of_the_right_length(run, folder, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{number}\n" for number in range(9)))
    code, _, err = run("evaluate", folder, "--weights", "digits", "--labels", labels)
    assert code == 2
    assert "has 9 lines, but the model 10 classes" in err
    labels.write_text("".join(f"{number}\n" for number in (0, 1, 2, 3, 4, 5, 6, 7, 8, 8)))
    assert "'8' twice" in run("evaluate", folder, "--weights", "digits", "--labels", labels)[2]
    labels.write_text("".join(f"{number}\n" for number in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)))
    out = run("evaluate", folder, "--weights", "digits", "--labels", labels, "--json")[1]
    assert json.loads(out)["top1"] < 0.9  # zeros and ones are exchanged


def test_evaluate_knows_the_folders_of_imagenet_also_where_some_are_missing(run, tmp_path):
    torch.manual_seed(0)
    mv.save_checkpoint(mv.MobileViTv2(0.05), tmp_path / "w.safetensors")
    synsets = imagenet_synsets()
    for name in (synsets[985], synsets[281]):
        (tmp_path / "val" / name).mkdir(parents=True)
        mv.sample_picture("chelsea").save(tmp_path / "val" / name / "cat.jpg")
    record = tmp_path / "record.jsonl"
    code, _, _ = run("evaluate", tmp_path / "val", "--weights", tmp_path / "w.safetensors", "--record", record)
    assert code == 0
    lines = [json.loads(line) for line in record.read_text().splitlines()[1:]]
    assert [line["label"] for line in lines] == [281, 985]


# train


TINY = ["--epochs", "1", "--batch-size", "4", "--warmup-steps", "1", "--device", "cpu", "--image-size", "32"]


def test_train_on_a_folder_then_predict_with_its_weights(run, folder, held_out, tmp_path, two):
    into = tmp_path / "run"
    code, out, _ = run("train", folder, "--validation", held_out, "--width", "0.25", "--into", into, *TINY)
    assert code == 0
    assert out.startswith("7 steps, loss ")
    history = json.loads((into / "history.json").read_text())
    assert len(history["losses"]) == 7
    assert len(history["accuracies"]) == 1
    assert run("train", folder, "--validation", held_out, "--width", "0.25", "--into", into, *TINY)[1] == out
    best = into / "best.safetensors"
    code, out, _ = run("predict", two, "--weights", best)
    assert code == 0
    assert {line.split()[-1] for line in out.splitlines()[1:]} <= set("0123456789")
    # The file says how large its pictures are and what its classes are called.
    assert json.loads(run("evaluate", held_out, "--weights", best, "--json")[1])["top1"] == history["accuracies"][0]


def test_classes_are_those_of_the_training_also_where_their_names_are_numbers(run, tmp_path):
    for number in range(12):  # in alphabetical order: 0, 1, 10, 11, 2 …
        (tmp_path / "numbers" / str(number)).mkdir(parents=True)
        Image.new("RGB", (20, 20), (20 * number, 255 - 20 * number, 0)).save(
            tmp_path / "numbers" / str(number) / "a.png"
        )
    numbers, into, record = tmp_path / "numbers", tmp_path / "run", tmp_path / "record.jsonl"
    run("train", numbers, "--width", "0.25", "--into", into, *TINY)
    assert run("evaluate", numbers, "--weights", into / "last.safetensors", "--record", record)[0] == 0
    labels = {line["picture"]: line["label"] for line in map(json.loads, record.read_text().splitlines()[1:])}
    assert labels == dict(mv.PictureFolder(numbers).pictures)
    assert labels["10/a.png"] == 2


def test_every_option_of_train_reaches_the_run(run, folder, tmp_path, monkeypatch):
    given = {
        **{"epochs": 3, "batch_size": 6, "learning_rate": 0.004, "last_learning_rate": 0.2, "warmup_steps": 5},
        **{"weight_decay": 0.3, "label_smoothing": 0.2, "mixup": 0.7, "cutmix": 0.6, "average": 0.9, "clip": 3.0},
        **{"backbone_learning_rate": 0.3, "smallest_crop": 0.4, "augmentation": "mirror", "balanced": True},
        **{"precise_norms": True, "patience": 4, "seed": 17},
    }
    recipe = mv.Recipe(**given)
    for field in dataclasses.fields(mv.Recipe):  # a value that is the default would prove nothing
        assert getattr(recipe, field.name) != field.default
    seen = {}

    def train(model, training, recipe, validation, **options):
        seen.update(options, model=model, training=training, recipe=recipe, validation=validation)
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "train", train)
    options = [f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in given.items()]
    others = ["--width", "0.2", "--image-size", "40", "--workers", "2", "--save-every", "9", "--bfloat16"]
    settings = [*options, *others, "--device", "cpu"]
    run("train", folder, "--validation", folder, "--into", tmp_path / "run", *settings)
    assert seen["recipe"] == recipe
    assert seen["model"].config["width_multiplier"] == 0.2
    assert seen["model"].config["num_classes"] == len(seen["training"].classes) == len(list(folder.iterdir()))
    assert seen["training"].preparation == seen["validation"].preparation == mv.Preparation(image_size=40)
    assert (seen["workers"], seen["save_every"], seen["bfloat16"]) == (2, 9, True)
    assert seen["run"] == str(tmp_path / "run")
    assert seen["notes"] == dataclasses.asdict(mv.Preparation(image_size=40)) | {"classes": seen["training"].classes}
    drawn = [seen["model"].classifier.weight]
    for seed in (17, 18):
        run("train", folder, "--into", tmp_path / "run", *settings, "--seed", seed)
        drawn.append(seen["model"].classifier.weight)
    assert [torch.equal(weight, drawn[0]) for weight in drawn] == [True, True, False]
    run("train", folder, "--into", tmp_path / "run", "--device", "cpu")
    assert (seen["recipe"], seen["validation"], seen["bfloat16"]) == (mv.Recipe(), None, False)
    assert seen["model"].config["width_multiplier"] == 1.0
    run("train", "digits", "--into", tmp_path / "run", "--device", "cpu")
    assert len(seen["training"]) + len(seen["validation"]) == 1797
    assert (seen["model"].config["width_multiplier"], seen["model"].config["in_channels"]) == (0.25, 1)
    assert seen["notes"]["classes"] == list("0123456789")


def test_another_seed_gives_other_weights_and_the_same_one_the_same(run, folder, tmp_path):
    files = []
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        into = tmp_path / name
        assert run("train", folder, "--width", "0.05", "--into", into, "--seed", seed, *TINY)[0] == 0
        files.append(mv.load_model(into / "last.safetensors").state_dict())
        torch.rand(1)  # PyTorch's own chance is in another state each time
    one, again, two = files
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["classifier.weight"], two["classifier.weight"])


def test_what_train_leaves_out_is_said_before_the_first_step(run, folder, held_out, tmp_path):
    validation = shutil.copytree(held_out, tmp_path / "validation")
    for place in (folder, validation):
        (place / "3" / "Thumbs.db").write_bytes(b"x")
    code, out, err = run(
        "train", folder, "--validation", validation, "--width", "0.05", "--into", tmp_path / "run", *TINY
    )
    assert (code, out[:7]) == (0, "7 steps")
    assert err.splitlines() == [f"left out of {place} by name: 3/Thumbs.db" for place in (folder, validation)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "seed must be a whole number from 0"),
        (["--learning-rate", "nan"], "learning_rate must be above 0, not nan"),
        (["--batch-size", "500"], "batch_size 500 is more than the 30 pictures"),
        (["--width", "-1"], "width_multiplier must be a positive number"),
        (["--validation", "nowhere"], "there is no folder nowhere"),
        (["--validation-share", "1"], "the share of validation must be between 0 and 1, not 1.0"),
        (["--freeze", "backbone"], "--freeze keeps trained weights as they are, and here are none"),
        (["--weights", "digits", "--freeze", "stages.7"], "there is no part 'stages.7' to freeze: choose one of stem"),
        (["--weights", "digits", "--width", "0.5"], "digits has width 0.25, not 0.5"),
        (["--weights", "no_such"], "there is no file 'no_such', and there are no weights of that name"),
        (["--weights", "no_such.pth"], "there is no checkpoint file at no_such.pth"),
        (["--weights", "mobilevitv2_050"], "nobody asked for a download"),
        (["--patience", "3"], "patience is for runs with validation pictures"),
        (["--smallest-crop", "0"], "smallest_crop must be above 0 and at most 1"),
    ],
)
def test_what_train_cannot_do_is_one_line_and_exit_code_2(run, folder, tmp_path, arguments, message):
    code, out, err = run("train", folder, "--into", tmp_path / "run", *TINY, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_for_other_classes_is_not_continued(run, folder, tmp_path):
    run("train", folder, "--width", "0.25", "--into", tmp_path / "run", *TINY)
    (folder / "ten").mkdir()
    digit_picture(0).save(folder / "ten" / "a.png")
    code, _, err = run("train", folder, "--width", "0.25", "--into", tmp_path / "run", *TINY)
    assert code == 2
    assert "belongs to another run" in err


SHORT = ["--epochs", "2", "--batch-size", "8", "--device", "cpu"]


@pytest.mark.parametrize("given", [["--validation-share", "0.3"], ["--validation"]], ids=["share", "folder"])
def test_train_on_trained_weights_then_predict_and_evaluate_with_nothing_but_the_file(
    run, folder, held_out, tmp_path, two, given
):
    for digit in "456789":
        shutil.rmtree(folder / digit)
    (folder / "3").rename(folder / "drei — trois")
    if given == ["--validation"]:
        other = shutil.copytree(held_out, tmp_path / "other", ignore=shutil.ignore_patterns(*"456789"))
        (other / "3").rename(other / "drei — trois")
        given = [*given, other]
    into = tmp_path / "run"
    command = ["train", folder, "--weights", "digits", "--freeze", "stages.2", "--into", into, *given, *SHORT]
    code, out, err = run(*command)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert ("split by seed 0: " in lines[0]) == (given[0] == "--validation-share")
    assert "begins with digits, but with a new head for 0, 1, 2, drei — trois" in lines
    assert "frozen: stem, stages.0, stages.1, stages.2" in lines
    assert run(*command)[1].splitlines()[-1] == lines[-1]
    trained, parent = mv.load_pretrained(into / "last.safetensors"), mv.load_pretrained("digits")
    assert trained.classes == ("0", "1", "2", "drei — trois")
    assert trained.preparation == parent.preparation
    assert trained.notes["parent"]["sha256"] == parent.sha256
    assert trained.license == trained.notes["parent"]["license"] == parent.license
    assert trained.notes["recipe"]["augmentation"] == "crop+mirror"
    weights, old = trained.model.state_dict(), parent.model.state_dict()
    for name in old:
        frozen = name.startswith(("stem.", "stages.0.", "stages.1.", "stages.2."))
        if not name.endswith(("W_I.bias", "num_batches_tracked", "classifier.weight", "classifier.bias")):
            assert torch.equal(weights[name], old[name]) == frozen, name
    code, out, _ = run("predict", two, "--weights", into / "best.safetensors")
    assert code == 0
    assert {line.split(None, 1)[1] for line in out.splitlines()[1:]} == {"0", "1", "2", "drei — trois"}
    assert run("evaluate", folder, "--weights", into / "best.safetensors")[0] == 0


def test_many_classes_with_names_of_any_kind_take_one_line(run, tmp_path):
    for number, name in enumerate(["two\nlines", "\x1b[31mred", "ü b", "-d", "e", "f"]):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), (40 * number, 9, 9)).save(tmp_path / "pictures" / name / "a.png")
    settings = ["--into", tmp_path / "run", "--image-size", "16", "--epochs", "1", "--batch-size", "6"]
    code, out, _ = run("train", tmp_path / "pictures", "--weights", "digits", *settings, "--device", "cpu")
    assert code == 0
    assert out.splitlines()[0] == r"begins with digits, but with a new head for \x1b[31mred, -d, e, …"
    assert len(out.splitlines()) == 2


def test_the_settings_of_fine_tuning_are_used_where_weights_are_given_and_none_else(run, folder, tmp_path, monkeypatch):
    seen = []

    def train(model, training, recipe, validation, **options):
        seen.append((recipe, validation, training))
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "train", train)
    settings = ["train", folder, "--into", tmp_path / "run", "--weights", "digits", "--device", "cpu"]
    run(*settings)
    run(
        *settings,
        "--epochs",
        "4",
        "--no-precise-norms",
        "--image-size",
        "32",
        "--seed",
        "6",
        "--validation-share",
        ".2",
    )
    assert seen[0][0] == mv.FINE_TUNING != mv.Recipe()
    assert seen[1][0] == dataclasses.replace(mv.FINE_TUNING, epochs=4, precise_norms=False, seed=6)
    assert seen[0][2].preparation == mv.load_pretrained("digits").preparation
    assert seen[1][2].preparation == dataclasses.replace(seen[0][2].preparation, image_size=32)
    expected = mv.split_folder(mv.PictureFolder(folder, preparation=seen[1][2].preparation), 0.2, 6)
    assert [part.pictures for part in expected] == [seen[1][2].pictures, seen[1][1].pictures]


def test_weights_for_the_same_classes_keep_their_head(run, folder, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "train", lambda model, *_, **__: seen.append(model) or 1 / 0)
    for number in (0, 1):
        run("train", folder, "--into", tmp_path / "run", "--weights", "digits", "--device", "cpu")
        shutil.rmtree(folder / "9") if number == 0 else None
    kept = mv.load_pretrained("digits").model.classifier.weight
    assert torch.equal(seen[0].classifier.weight, kept)
    assert len(seen[1].classifier.weight) == 9


def test_train_digits_on_trained_weights(run, tmp_path, monkeypatch, folder):
    seen = {}
    monkeypatch.setattr(commands, "train", lambda *arguments, **options: seen.update(options) or 1 / 0)
    run("train", "digits", "--into", tmp_path / "run", "--weights", "digits", "--device", "cpu")
    assert seen["notes"]["classes"] == list("0123456789")
    assert seen["notes"]["parent"]["name"] == "digits"
    mv.save_checkpoint(mv.MobileViTv2(0.05, num_classes=10), tmp_path / "colour.safetensors")
    for arguments, message in (
        (["--weights", tmp_path / "colour.safetensors"], "takes pictures in colour, and the digits are grey"),
        (["--validation", folder], "the digits come with validation pictures of their own"),
    ):
        code, _, err = run("train", "digits", "--into", tmp_path / "run", "--device", "cpu", *arguments)
        assert code == 2
        assert message in err


def test_validation_that_would_deceive_is_refused_before_anything_is_written(run, folder, held_out, tmp_path):
    other = shutil.copytree(held_out, tmp_path / "other")
    command = ["train", folder, "--validation", other, "--into", tmp_path / "run", "--width", "0.05", *TINY]
    copied = shutil.copy(next((folder / "3").iterdir()), other / "5" / "another name.png")
    shutil.copy(next((folder / "3").iterdir()), other / "4" / "and another.png")
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert "error: 2 validation pictures are also in training, first" in err
    copied.unlink()
    (other / "4" / "and another.png").unlink()
    (other / "7").rename(other / "sept")
    code, out, err = run(*command)
    assert (code, out, err) == (2, "", f"error: {other}: 1 of 10 class folders are not in {folder}, first 'sept'\n")
    shutil.rmtree(other / "sept")
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert "has no pictures of the class '7': its accuracy would say nothing of them" in err
    assert not (tmp_path / "run").exists()
    shutil.copytree(held_out / "7", other / "7")
    assert run(*command)[0] == 0


def test_a_share_and_a_folder_for_validation_exclude_each_other(folder, held_out, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", str(folder), "--into", str(tmp_path), "--validation", "a", "--validation-share", "0.2"])
    assert ended.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


# The confusion matrix


def test_evaluate_shows_every_class_the_worst_pictures_and_the_confusion_matrix(run, folder, tmp_path):
    weights, path = mv.load_pretrained("digits"), tmp_path / "confusion.png"
    shutil.copy(next((folder / "3").iterdir()), folder / "8" / "not an eight.png")
    pictures = mv.PictureFolder(folder, weights.folders, weights.preparation)
    images, labels = zip(*pictures, strict=True)
    with torch.inference_mode():
        answers = weights.model(torch.stack(images)).argmax(dim=1).tolist()
    expected = np.zeros((10, 10), dtype=int)
    np.add.at(expected, (labels, answers), 1)
    command = ["evaluate", folder, "--weights", "digits", "--per-class", "--confusion", path]
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.partition("precision\n")[2].splitlines()[:10]]
    for digit, row in enumerate(rows):
        recall = f"{expected[digit, digit] / expected[digit].sum():.1%}"
        precision = f"{expected[digit, digit] / expected[:, digit].sum():.1%}"
        assert row == [str(digit), str(expected[digit].sum()), recall, precision]
    assert "wrong: 8/not an eight.png is 8, taken for 3 (8: " in out
    with Image.open(path) as figure:
        assert figure.width > 300
    table = list(csv.reader(path.with_suffix(".csv").read_text().splitlines()))
    assert table[0] == ["class / answer", *"0123456789"]
    assert [row[0] for row in table[1:]] == list("0123456789")
    assert (np.array([row[1:] for row in table[1:]], dtype=int) == expected).all()
    answer = json.loads(run(*command, "--json")[1])
    assert [entry["pictures"] for entry in answer["classes"]] == expected.sum(axis=1).tolist()
    assert answer["worst"][0]["picture"] == "8/not an eight.png"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("matrix.pdf", "--confusion names a .png file, not matrix.pdf"),
        ("nowhere/matrix.png", "there is no folder for nowhere/matrix.png"),
        ("/.png/matrix.png", "there is no folder for /.png/matrix.png"),
    ],
)
def test_a_confusion_matrix_that_could_not_be_written_is_refused_before_the_first_picture(
    run, folder, monkeypatch, path, message
):
    monkeypatch.setattr(commands, "evaluate", lambda *_: 1 / 0)
    code, out, err = run("evaluate", folder, "--weights", "digits", "--confusion", path)
    assert (code, out) == (2, "")
    assert message in err


def test_a_confusion_matrix_is_written_over_no_record_no_label_map_and_no_folder(run, folder, tmp_path):
    (tmp_path / "labels.csv").write_text("\n".join("0123456789"))
    (tmp_path / "taken.csv").mkdir()
    command = ["evaluate", folder, "--weights", "digits", "--confusion"]
    for arguments, name in (
        ([tmp_path / "labels.png", "--labels", tmp_path / "labels.csv"], "labels.csv: name another file"),
        ([tmp_path / "r.png", "--record", tmp_path / "r.csv"], "r.csv: name another file"),
        ([tmp_path / "taken.png"], "taken.csv cannot be written"),
    ):
        code, out, err = run(*command, *arguments)
        assert (code, out) == (2, "")
        assert name in err
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["labels.csv", "taken.csv"]


def test_without_matplotlib_the_confusion_matrix_says_what_to_install(run, folder, monkeypatch):
    monkeypatch.setattr(commands.importlib.util, "find_spec", lambda name: None)
    code, _, err = run("evaluate", folder, "--weights", "digits", "--confusion", "matrix.png")
    assert (code, err) == (
        2,
        "error: --confusion draws with matplotlib, which is not installed: pip install matplotlib\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--batch-size", value] for value in ("0", "-3", "two")),
        *(["--workers", "-1"], ["--image-size", "0"], ["--device", "nonsense"], ["--width", "wide"]),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(folder, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(folder), "--weights", "digits", *arguments])
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_pipe_that_closes_early_is_no_error(two):
    command = f"'{sys.executable}' -m mvit2_lib predict " + 30 * '"$0" ' + "--weights digits | head -1"
    process = subprocess.run(["bash", "-o", "pipefail", "-c", command, str(two)], capture_output=True, text=True)
    assert process.stdout.splitlines() == [str(two)]
    assert process.stderr == ""


def test_a_terminal_without_accents_gets_all_answers(two, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["predict", str(two), "--weights", "digits"]) == 0
    sys.stdout.flush()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert len(lines) == 6
    assert lines[0].endswith("zwei \\xe9.png")


def test_every_command_explains_itself(capsys):
    for arguments in (["--help"], ["predict", "--help"], ["evaluate", "--help"], ["train", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert "usage: python -m mvit2_lib" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
