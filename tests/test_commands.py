"""The command line, as a user meets it: answers, exit codes, and one clear line for everything that can go wrong."""

import json
import os
import struct
import subprocess
import sys

import pytest
import torch
from PIL import Image

import mvit2_lib as mv
from mvit2_lib.__main__ import main
from mvit2_lib.data import digit_picture


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def two(tmp_path):
    path = tmp_path / "zwei é.png"
    digit_picture(178).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    labels = mv.load_digits("test")[1]
    for index in range(30):
        (tmp_path / "scans" / str(int(labels[index]))).mkdir(parents=True, exist_ok=True)
        digit_picture(index).save(tmp_path / "scans" / str(int(labels[index])) / f"{index}.png")
    return tmp_path / "scans"


def expected(path):
    with torch.inference_mode():
        image = mv.preprocess(mv.open_image(path), **mv.preprocessing("digits"))
        return mv.load_pretrained("digits")(image).softmax(dim=1)[0].topk(5)


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
    assert "bad.png is not a picture that Pillow can read" in out
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
    assert {line.split()[-1] for line in out.splitlines()[1:]} == {"0", "1", "2"}  # "class 0" and so on
    assert len(out.splitlines()) == 1 + 3
    labels = tmp_path / "labels.txt"
    labels.write_bytes("\ufeffant\r\nbee\r\nowl\r\n\r\n".encode())  # as Windows writes it
    _, out, _ = run("predict", two, "--weights", tmp_path / "own.safetensors", "--labels", labels)
    assert {line.split()[-1] for line in out.splitlines()[1:]} == {"ant", "bee", "owl"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--width", "0.6"], "no ImageNet weights of width 0.6: choose one of 0.5, 0.75"),
        (["--weights", "mobilevitv3"], "no pretrained weights called 'mobilevitv3'"),
        (["--weights", "digits", "--width", "2"], "digits has width 0.25, not 2.0"),
        (["--weights", "gone.safetensors"], "there is no checkpoint file at gone.safetensors"),
        (["--weights", "digits", "--labels", "five.txt"], "has 5 lines, but the model 10 classes"),
        (["--weights", "digits", "--labels", "gone.txt"], "gone.txt"),
        (["--weights", "digits", "--labels", "latin.txt"], "latin.txt is not a text in UTF-8"),
        (["--weights", "digits", "--sha256", "0" * 64], "--sha256 is for files"),
        (["--weights", "none.safetensors"], "has no classifier: it can name no classes"),
        (["--width", "0.5"], "--download"),
    ],
)
def test_what_predict_cannot_do_is_one_line_and_exit_code_2(run, two, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "five.txt").write_text("a\nb\nc\nd\ne\n")
    (tmp_path / "latin.txt").write_bytes("é\n".encode("latin-1") * 10)
    mv.save_checkpoint(mv.MobileViTv2(0.25, num_classes=0, in_channels=1), tmp_path / "none.safetensors")
    code, out, err = run("predict", two, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_hash_that_does_not_fit_is_an_error(run, two, tmp_path):
    mv.save_checkpoint(mv.load_pretrained("digits"), tmp_path / "d.safetensors")
    code, _, err = run("predict", two, "--weights", tmp_path / "d.safetensors", "--sha256", "0" * 64)
    assert code == 2
    assert "has SHA-256" in err


def in_a_terminal(*arguments):
    """Run a command with its standard error on a pseudo-terminal, and return what it wrote there."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    fcntl = pytest.importorskip("fcntl")
    fcntl.ioctl(theirs, pytest.importorskip("termios").TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "mvit2_lib", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait() == 0
    return written.decode(errors="replace")


def test_many_pictures_have_a_progress_bar_on_a_terminal_and_nowhere_else(run, two, folder):
    assert "3/3" in in_a_terminal("predict", two, two, two, "--weights", "digits")
    assert "30/30" in in_a_terminal("evaluate", folder, "--weights", "digits")
    assert run("predict", two, two, two, "--weights", "digits")[2] == ""
    assert run("evaluate", folder, "--weights", "digits")[2] == ""


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
        (["ant/a.png"], "1 class folders such as 'ant', and the model 10 classes: say with --labels"),
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
    mv.save_checkpoint(mv.MobileViTv2(0.5), tmp_path / "w.safetensors")
    synsets = mv.images.imagenet_synsets()
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


def test_train_on_a_folder_then_predict_with_its_weights(run, folder, tmp_path, two):
    into = tmp_path / "run"
    code, out, _ = run("train", folder, "--validation", folder, "--width", "0.25", "--into", into, *TINY)
    assert code == 0
    assert out.startswith("7 steps, loss ")
    history = json.loads((into / "history.json").read_text())
    assert len(history["losses"]) == 7
    assert len(history["accuracies"]) == 1
    assert run("train", folder, "--validation", folder, "--width", "0.25", "--into", into, *TINY)[1] == out
    best = into / "best.safetensors"
    code, out, _ = run("predict", two, "--weights", best)
    assert code == 0
    assert {line.split()[-1] for line in out.splitlines()[1:]} <= set("0123456789")
    # The file says how large its pictures are and what its classes are called.
    assert json.loads(run("evaluate", folder, "--weights", best, "--json")[1])["top1"] == history["accuracies"][0]


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "nan"], "learning_rate must be above 0, not nan"),
        (["--batch-size", "500"], "batch_size 500 is more than the 30 pictures"),
        (["--width", "-1"], "width_multiplier must be a positive number"),
        (["--validation", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_what_train_cannot_do_is_one_line_and_exit_code_2(run, folder, tmp_path, arguments, message):
    code, out, err = run("train", folder, "--into", tmp_path / "run", *TINY, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_run_for_other_classes_is_not_continued(run, folder, tmp_path):
    run("train", folder, "--width", "0.25", "--into", tmp_path / "run", *TINY)
    (folder / "ten").mkdir()
    digit_picture(0).save(folder / "ten" / "a.png")
    code, _, err = run("train", folder, "--width", "0.25", "--into", tmp_path / "run", *TINY)
    assert code == 2
    assert "belongs to another run" in err


@pytest.mark.parametrize("arguments", [["--batch-size", "0"], ["--batch-size", "-3"], ["--device", "nonsense"]])
def test_options_that_make_no_sense_are_refused_by_name(folder, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(folder), "--weights", "digits", *arguments])
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_pipe_that_closes_early_is_no_error(two):
    command = f"{sys.executable} -m mvit2_lib predict " + 30 * '"$0" ' + "--weights digits | head -1"
    process = subprocess.run(["bash", "-o", "pipefail", "-c", command, str(two)], capture_output=True, text=True)
    assert process.stdout.splitlines() == [str(two)]
    assert process.stderr == ""


def test_a_terminal_without_accents_gets_all_answers(two):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "mvit2_lib", "predict", str(two), "--weights", "digits"]
    process = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert process.returncode == 0
    assert len(process.stdout.splitlines()) == 6


def test_every_command_explains_itself(capsys):
    for arguments in (["--help"], ["predict", "--help"], ["evaluate", "--help"], ["train", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert "usage: python -m mvit2_lib" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
