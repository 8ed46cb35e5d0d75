"""A run may be stopped at any moment: it goes on where it was, and spoils neither its own files nor anybody else's."""

import dataclasses
import errno
import io
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import killed_run
import pytest
import torch
from micro import QUICK, Interrupting, Micro, digits, exit_code, forked, same, small_mobilevitv2, trained
from torch.utils.data import Dataset, get_worker_info

import mvit2_lib as mv
from mvit2_lib import _guard
from mvit2_lib._guard import write_whole
from mvit2_lib.training import loop, state
from mvit2_lib.training.state import only_writer
from mvit2_lib.weights import checkpoints
from mvit2_lib.weights.reading import checkpoint_notes

LOCK = ".mvit2.lock"
FILES = ("state.pt", "best.safetensors", "last.safetensors", "history.json")
LONGER = dataclasses.replace(QUICK, epochs=2, mixup=0.2, cutmix=1.0)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES[1:]}


def interrupt_writes(patch, after):
    """Let only so many files be written, whoever writes them."""
    limited = Interrupting(write_whole, after)
    for module in (state, checkpoints):
        patch.setattr(module, "write_whole", limited)
    return limited


# Stopped and begun again


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder of a run that nobody stopped, whose second epoch is the better one."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "accuracy", rising(folder))
        trained(LONGER, validation=digits("test", 20), run=folder, save_every=3)
    return folder


def rising(folder):
    """Stand for the accuracy: one number for one set of weights, and the more steps a run has taken, the higher."""
    return lambda *_, **__: torch.load(folder / "state.pt", weights_only=True)["step"] / 100


@pytest.mark.parametrize("after", range(11))
def test_stopped_before_any_of_its_writes_a_run_ends_the_same(tmp_path, monkeypatch, whole, after):
    # Two states and those of save_every in each epoch, the best weights, the last ones, the history.
    monkeypatch.setattr(loop, "accuracy", rising(tmp_path))
    settings = {"recipe": LONGER, "validation": digits("test", 20), "run": tmp_path, "save_every": 3}
    with monkeypatch.context() as patch:
        writes = interrupt_writes(patch, after)
        if after < 10:
            with pytest.raises(KeyboardInterrupt):
                trained(**settings)
        else:
            trained(**settings)
            assert writes.calls == 10
    trained(**settings)
    assert contents(tmp_path) == contents(whole)
    assert checkpoint_notes(tmp_path / "best.safetensors")["epoch"] == 2


@pytest.mark.parametrize("step", range(1, 8))
def test_stopped_in_any_step_a_run_ends_the_same(tmp_path, monkeypatch, whole, step):
    monkeypatch.setattr(loop, "accuracy", rising(tmp_path))
    settings = {"recipe": LONGER, "validation": digits("test", 20), "run": tmp_path, "save_every": 3}
    with monkeypatch.context() as patch:
        patch.setattr(loop, "learning_rate_at", Interrupting(loop.learning_rate_at, 2 * step))  # two groups a step
        with pytest.raises(KeyboardInterrupt):
            trained(**settings)
    stored = torch.load(tmp_path / "state.pt", weights_only=True)["step"] if (tmp_path / "state.pt").exists() else 0
    assert stored == max(saved for saved in (0, 3, 4, 6) if saved <= step)
    # The weights it starts from do not matter any more once there is a state.
    trained(**settings, seed=9 if stored else 0)
    assert contents(tmp_path) == contents(whole)


def test_the_real_model_goes_on_bit_for_bit_with_workers_and_another_interval(tmp_path, monkeypatch):
    expected, history = trained(LONGER, validation=digits("test", 20), model=small_mobilevitv2)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "learning_rate_at", Interrupting(loop.learning_rate_at, 10))
        with pytest.raises(KeyboardInterrupt):
            trained(LONGER, validation=digits("test", 20), run=tmp_path, model=small_mobilevitv2, save_every=1)
    model, same_history = trained(
        LONGER, validation=digits("test", 20), run=tmp_path, model=small_mobilevitv2, workers=1, seed=5
    )
    assert same(model, expected)
    assert same_history == history


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory):
    """Return what a run leaves that nobody kills, and the computing time of a step."""
    return killed_run.whole_run(tmp_path_factory.mktemp("unkilled") / "whole")


@pytest.mark.parametrize("file", [1, 8, killed_run.FILES - 2], ids=["first state", "after an epoch", "near the end"])
def test_killed_with_a_file_half_written_a_run_ends_the_same(tmp_path, unkilled, file):
    child = forked(killed_run.run, tmp_path, lambda: killed_run.die_while_saving(file))
    assert exit_code(child) == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*.partial"))) == 1
    assert killed_run.ends_the_same(tmp_path, unkilled[0])


def test_killed_in_the_middle_of_a_step_a_run_ends_the_same(tmp_path, unkilled):
    expected, seconds = unkilled
    child = forked(killed_run.run, tmp_path, lambda: killed_run.die_later(5, seconds / 3))
    assert exit_code(child) == -signal.SIGPROF
    assert 5 <= killed_run.saved_step(tmp_path) < killed_run.STEPS
    assert killed_run.ends_the_same(tmp_path, expected)


@pytest.mark.slow
def test_killed_twelve_times_at_random_moments_a_run_ends_the_same_every_time(tmp_path):
    here = Path(__file__).parent
    process = subprocess.run(
        [sys.executable, here / "killed_run.py", "12"], capture_output=True, text=True, timeout=1800, cwd=here
    )
    tries = process.stdout.splitlines()[1:]
    assert process.returncode == 0, process.stderr
    assert len(tries) == 12
    assert all(line.endswith("then the same") for line in tries), process.stdout + process.stderr
    assert sum("ended with -" in line for line in tries) > 8  # a signal late in the last step may come too late


def test_a_finished_run_is_not_trained_again(tmp_path):
    model, history = trained(run=tmp_path, validation=digits("test", 20))
    before = contents(tmp_path)

    class NeverTrained(Micro):
        def train(self, mode=True):
            assert not mode
            return super().train(mode)

    again, same_history = trained(run=tmp_path, validation=digits("test", 20), model=NeverTrained, seed=4)
    assert same(model, again)
    assert not again.training
    assert history == same_history
    assert contents(tmp_path) == before


# Whose state it is


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recipe": dataclasses.replace(QUICK, learning_rate=0.02)}, "learning_rate 0.02 and 0.01"),
        ({"recipe": dataclasses.replace(QUICK, seed=1, clip=2.0)}, "clip 2.0 and 10.0, seed 1 and 0"),
        ({"pictures": 48}, "data '48 pictures"),
        ({"pictures": digits("train", 64, first=100)}, "data '64 pictures"),
        ({"bfloat16": True}, "bfloat16 True and False"),
        ({"notes": {"classes": ["a"]}}, "notes {'classes': "),
    ],
)
def test_the_state_of_another_run_is_refused(tmp_path, settings, message):
    trained(run=tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(mv.FileError, match=f"belongs to another run; now and then: {message}.*Give the same settings"):
        trained(run=tmp_path, **settings)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_a_run_goes_on_with_other_validation_pictures_and_ends_with_the_same_last_weights(tmp_path, monkeypatch):
    expected, _ = trained(LONGER)
    for number, other in enumerate((digits("test", 30, first=50), None)):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            patch.setattr(loop, "learning_rate_at", Interrupting(loop.learning_rate_at, 12))
            with pytest.raises(KeyboardInterrupt):
                trained(LONGER, validation=digits("test", 20), run=folder)
        model, history = trained(LONGER, validation=other, run=folder)
        assert same(model, expected)
        last = other and mv.accuracy(model, other)
        assert history.accuracies[1:] == [last]
        assert checkpoint_notes(folder / "last.safetensors").get("accuracy") == last


def test_validation_may_begin_in_a_later_epoch(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "learning_rate_at", Interrupting(loop.learning_rate_at, 10))
        with pytest.raises(KeyboardInterrupt):
            trained(LONGER, run=tmp_path, save_every=1)
    model, history = trained(LONGER, validation=digits("test", 20), run=tmp_path)
    assert history.accuracies == [None, mv.accuracy(model, digits("test", 20))]
    assert checkpoint_notes(tmp_path / "best.safetensors")["epoch"] == 2


def test_the_state_of_a_model_with_other_classes_is_refused(tmp_path):
    trained(run=tmp_path)
    with pytest.raises(mv.FileError, match=r"number of classes: classifier.weight is \(10, 128\) there and \(12, 128"):
        trained(run=tmp_path, model=lambda: Micro(classes=12))


def test_a_damaged_state_is_refused(tmp_path):
    trained(run=tmp_path)
    path = tmp_path / "state.pt"
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[content.index(b"data/0") + 5000] ^= 1  # one bit of some weight
    without = io.BytesIO()
    torch.save({"recipe": dataclasses.asdict(QUICK)}, without)
    for bad in (content[:-500], b"", b"nonsense", bytes(flipped), without.getvalue()):
        path.write_bytes(bad)
        with pytest.raises(mv.FileError, match="damaged or not the state of a run"):
            trained(run=tmp_path)
        assert path.read_bytes() == bad


def test_a_state_that_names_code_is_refused_and_runs_none(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it ran"),)

    trained(run=tmp_path)
    stored = torch.load(tmp_path / "state.pt", weights_only=True)
    torch.save(stored | {"about": Evil()}, tmp_path / "state.pt")
    with pytest.raises(mv.FileError, match="damaged or not the state of a run"):
        trained(run=tmp_path)
    assert not (tmp_path / "it ran").exists()


# Whole files


def full_disk(patch, ending):
    """Let every write to files of this ending fail as on a full disk, after the first few bytes."""
    original = Path.open

    def opened(self, mode="r", *arguments, **options):
        file = original(self, mode, *arguments, **options)
        if "x" not in mode or ending not in self.name:
            return file

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *problem):
                file.close()

            def write(self, content):
                file.write(content[:100])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    patch.setattr(Path, "open", opened)


def test_no_space_left_is_a_clear_error_and_the_older_state_stays(tmp_path, monkeypatch):
    whole, _ = trained(LONGER)
    with monkeypatch.context() as patch:
        interrupt_writes(patch, after=1)
        with pytest.raises(KeyboardInterrupt):
            trained(LONGER, run=tmp_path)
    before = (tmp_path / "state.pt").read_bytes()
    with monkeypatch.context() as patch:
        full_disk(patch, "state.pt")
        message = r"could not write .*state.pt \(No space left on device\): the file that was there before is untouched"
        with pytest.raises(mv.RetryError, match=message):
            trained(LONGER, run=tmp_path)
    assert (tmp_path / "state.pt").read_bytes() == before
    assert names(tmp_path) == [LOCK, "state.pt"]
    assert same(trained(LONGER, run=tmp_path)[0], whole)


def test_a_file_without_a_folder_cannot_be_written(tmp_path):
    with pytest.raises(mv.RetryError, match="could not write .*No such file"):
        write_whole(tmp_path / "nowhere" / "state.pt", b"state")


def test_a_folder_in_the_place_of_a_file_is_an_error_and_stays(tmp_path):
    (tmp_path / "state.pt").mkdir()
    with pytest.raises(mv.RetryError, match="could not write .*it is no ordinary file"):
        write_whole(tmp_path / "state.pt", b"state")
    assert names(tmp_path) == ["state.pt"]


def test_a_new_file_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"older")
    order = []

    def watched(name, original):
        def call(*arguments):
            order.append((name, os.stat(arguments[0]).st_size, (tmp_path / "file").read_bytes()))
            return original(*arguments)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    write_whole(tmp_path / "file", b"content")
    assert order == [("fsync", 7, b"older"), ("replace", 7, b"older")]
    assert (tmp_path / "file").read_bytes() == b"content"
    assert names(tmp_path) == ["file"]


def test_a_half_written_file_takes_nobody_elses_name(tmp_path, monkeypatch):
    monkeypatch.setattr(_guard.secrets, "token_hex", lambda number: "0" * 2 * number)
    (tmp_path / ".file.00000000.partial").write_bytes(b"theirs")
    with pytest.raises(mv.RetryError, match="could not write .*File exists"):
        write_whole(tmp_path / "file", b"content")
    assert (tmp_path / ".file.00000000.partial").read_bytes() == b"theirs"


# The folder, and what others have in it


@pytest.mark.parametrize("name", FILES[1:])
def test_a_folder_with_files_of_other_origin_is_refused_and_they_stay(tmp_path, name):
    (tmp_path / name).write_bytes(b"somebody's work")
    with pytest.raises(
        mv.FileError, match=f"holds {name}, but no state of a run: take it away, or name another folder"
    ):
        trained(run=tmp_path)
    assert (tmp_path / name).read_bytes() == b"somebody's work"
    assert names(tmp_path) == sorted([LOCK, name])


@pytest.mark.parametrize("name", FILES)
def test_a_link_with_one_of_our_names_is_replaced_and_never_written_through(tmp_path, monkeypatch, name):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    with monkeypatch.context() as patch:
        interrupt_writes(patch, after=3)  # after the first epoch
        with pytest.raises(KeyboardInterrupt):
            trained(LONGER, validation=digits("test", 20), run=run)
    content = (run / name).read_bytes() if (run / name).exists() else b"somebody's work"
    elsewhere.write_bytes(content)
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(elsewhere)
    monkeypatch.setattr(loop, "accuracy", lambda *_, **__: 1.0)  # so that the best weights are written again
    trained(LONGER, validation=digits("test", 20), run=run)
    assert elsewhere.read_bytes() == content
    assert not (run / name).is_symlink()
    assert (run / name).read_bytes() != content


@pytest.mark.parametrize("name", FILES)
def test_a_link_that_leads_nowhere_is_replaced_and_nothing_appears_there(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "nowhere")
    trained(validation=digits("test", 20), run=tmp_path / "run")
    assert names(tmp_path) == ["run"]
    assert not (tmp_path / "run" / name).is_symlink()


def test_what_a_killed_process_left_half_written_is_cleared_away_and_nothing_else(tmp_path):
    theirs = [".DS_Store", ".notes.txt.0123abcd.partial", ".state.pt.swp", ".state.pt.original.partial", "state.pt.old"]
    for name in theirs:
        (tmp_path / name).write_bytes(b"theirs")
    for name in FILES:
        (tmp_path / f".{name}.0123abcd.partial").write_bytes(b"half")
    trained(run=tmp_path)
    assert names(tmp_path) == sorted([*theirs, LOCK, "history.json", "last.safetensors", "state.pt"])
    assert all((tmp_path / name).read_bytes() == b"theirs" for name in theirs)


def test_a_run_makes_its_folder_and_a_file_cannot_be_one(tmp_path):
    trained(run=tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "last.safetensors").exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(mv.RetryError, match="file cannot be a folder for a run"):
        trained(run=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


# One process at a time


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with only_writer(tmp_path), pytest.raises(mv.RetryError, match="another process is at work in .*: wait for it"):
        trained(run=tmp_path)
    assert names(tmp_path) == [LOCK]
    trained(run=tmp_path)


def test_a_folder_held_by_another_process_is_free_when_that_has_ended(tmp_path):
    ready, go_on = os.pipe(), os.pipe()

    def hold():
        with only_writer(tmp_path):
            os.write(ready[1], b"1")
            os.read(go_on[0], 1)

    child = forked(hold)
    os.close(ready[1])
    assert os.read(ready[0], 1) == b"1"
    with pytest.raises(mv.RetryError, match="another process is at work in"):
        trained(run=tmp_path)
    os.write(go_on[1], b"1")
    assert exit_code(child) == 0
    trained(run=tmp_path)


def test_a_run_that_fails_lets_go_of_its_folder_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(filelock.BaseFileLock, "__del__", lambda self: None)  # not only when it is cleared away
    with pytest.raises(ZeroDivisionError), only_writer(tmp_path):
        _ = 1 / 0
    trained(run=tmp_path)


class Stuck(Dataset):
    """Is read by a process that says its number and is never done."""

    def __init__(self, pipe):
        self.pipe = pipe

    def __len__(self):
        return 64

    def __getitem__(self, index):
        with open(self.pipe, "w") as pipe:
            pipe.write(f"{os.getpid()}\n")
        while get_worker_info():
            signal.pause()


def test_killed_while_its_reading_process_is_stuck_a_run_lets_go_of_its_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    child = forked(lambda: trained(QUICK, Stuck(tmp_path / "pipe"), run=tmp_path / "run", workers=1))
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    while not select.select([pipe], [], [], 0.05)[0]:
        assert os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    reader = int(os.read(pipe, 20))
    try:
        with pytest.raises(mv.RetryError, match="another process is at work in"):
            trained(run=tmp_path / "run")
        os.kill(child, signal.SIGKILL)
        assert exit_code(child) == -signal.SIGKILL
        os.kill(reader, 0)  # it is still there
        trained(run=tmp_path / "run")
        os.kill(reader, 0)
    finally:
        os.kill(reader, signal.SIGKILL)
