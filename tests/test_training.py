"""Training learns, repeats itself bit for bit, survives being killed, and is the same in several processes."""

import dataclasses
import errno
import io
import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import mvit2_lib as mv
from mvit2_lib.checkpoints import DIGITS, checkpoint_notes
from mvit2_lib.files import only_writer, replace_file
from mvit2_lib.recipe import learning_rate_at, make_optimizer

HERE = Path(__file__).parent
QUICK = mv.Recipe(epochs=1, batch_size=16, warmup_steps=2, average=0.9)


def digits(split, number=None):
    return mv.Pictures(*(tensor[:number] for tensor in mv.load_digits(split)))


def trained(recipe=QUICK, pictures=64, validation=None, run=None, seed=0, **settings):
    torch.manual_seed(seed)
    model = mv.MobileViTv2(**DIGITS)
    history = mv.train(model, digits("train", pictures), recipe, validation, run, progress=False, **settings)
    return model, history


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


# The shipped digit model


def test_the_shipped_model_is_as_accurate_as_its_notes_say_and_comes_from_this_recipe():
    path = files("mvit2_lib") / "assets" / "digits.safetensors"
    assert path.stat().st_size < 700_000
    notes = checkpoint_notes(path)
    assert notes["recipe"] == dataclasses.asdict(mv.Recipe())
    measured = mv.accuracy(mv.load_pretrained("digits"), digits("test"))
    assert measured == pytest.approx(notes["accuracy"], abs=1.5 / 382)  # rounding may turn a picture
    assert measured >= 0.98


def test_the_shipped_model_comes_in_evaluation_mode():
    assert not mv.load_pretrained("digits").training


# The loop


def test_training_learns():
    model, history = trained(mv.Recipe(epochs=7, batch_size=64, warmup_steps=6, average=0.8), pictures=512)
    assert mv.accuracy(model, digits("test")) > 0.5  # a guess is right one time in ten
    assert sum(history.losses[-8:]) < 0.7 * sum(history.losses[:8])
    assert len(history.losses) == 7 * 8
    assert not model.training


def test_training_is_repeatable_bit_for_bit_and_a_seed_changes_it():
    first, losses = trained()
    again, same_losses = trained()
    assert same(first, again)
    assert losses == same_losses
    assert not same(first, trained(dataclasses.replace(QUICK, seed=1))[0])


def test_reading_in_other_processes_changes_nothing():
    assert same(trained()[0], trained(workers=1)[0])


def test_the_loop_is_adamw_with_the_recipes_learning_rates_written_out():
    recipe = dataclasses.replace(QUICK, average=0.0, clip=0.5, label_smoothing=0.2)
    model, history = trained(recipe)
    torch.manual_seed(0)
    other = mv.MobileViTv2(**DIGITS).train()
    optimizer = make_optimizer(other, recipe)
    pictures = digits("train", 64)
    plan = mv.training._Plan(64, recipe, 0, 4)
    for step, keys in enumerate(plan):
        images, labels = pictures.__getitems__(keys)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, 4, recipe)
        loss = F.cross_entropy(other(images), labels, label_smoothing=0.2)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in other.parameters()]))
        for parameter in other.parameters():
            parameter.grad *= min(1, 0.5 / (norm.item() + 1e-6))
        optimizer.step()
        assert history.losses[step] == pytest.approx(loss.item(), rel=1e-4)
    assert norm > 0.5  # so that clipping was tried


def test_every_epoch_sees_every_picture_once_in_another_order():
    plan = list(mv.training._Plan(50, mv.Recipe(batch_size=10), 0, 10))
    epochs = [[index for keys in plan[start : start + 5] for index, _ in keys] for start in (0, 5)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(50))
    assert epochs[0] != epochs[1]


def test_what_a_step_sees_does_not_depend_on_where_the_run_began():
    recipe = mv.Recipe(batch_size=10)
    assert list(mv.training._Plan(57, recipe, 0, 12))[7:] == list(mv.training._Plan(57, recipe, 7, 12))


def test_the_average_is_the_exponential_moving_average_of_the_weights(monkeypatch):
    seen = []
    update = mv.training.AveragedModel.update_parameters

    def watch(self, model):
        seen.append(model.stem.conv.weight.detach().clone())
        update(self, model)

    monkeypatch.setattr(mv.training.AveragedModel, "update_parameters", watch)
    model, _ = trained()
    expected = seen[0]
    for weight in seen[1:]:
        expected = 0.9 * expected + 0.1 * weight
    assert len(seen) == 4  # after every step
    torch.testing.assert_close(model.stem.conv.weight.detach(), expected)
    assert not torch.allclose(expected, seen[-1])


def test_norm_statistics_are_averaged_with_the_weights():
    averaged, plain = trained()[0], trained(dataclasses.replace(QUICK, average=0.0))[0]
    assert not torch.equal(averaged.stem.norm.running_var, plain.stem.norm.running_var)


def test_accuracy_counts_in_evaluation_mode():
    model = mv.load_pretrained("digits").train()
    assert mv.accuracy(model, digits("test", 40)) >= 0.9
    assert not model.training
    pictures = digits("test", 40)
    pictures.labels = (pictures.labels + 1) % 10
    assert mv.accuracy(model, pictures, batch_size=7) <= 0.1


def test_the_best_weights_are_kept_not_the_last(tmp_path, monkeypatch):
    shares = iter([0.2, 0.7, 0.5])
    monkeypatch.setattr(mv.training, "accuracy", lambda model, *_, **__: next(shares))
    recipe = dataclasses.replace(QUICK, epochs=3)
    _, history = trained(recipe, validation=digits("test", 20), run=tmp_path)
    assert history.accuracies == [0.2, 0.7, 0.5]
    assert checkpoint_notes(tmp_path / "best.safetensors")["epoch"] == 2
    best, last = (mv.load_model(tmp_path / f"{name}.safetensors") for name in ("best", "last"))
    assert not same(best, last)


def test_pictures_in_bfloat16_train_too():
    model, history = trained(bfloat16=True)
    assert all(0 < loss < 5 for loss in history.losses)
    assert model.stem.conv.weight.dtype == torch.float32
    assert history.losses != trained()[1].losses


# Interruptions


def test_killed_ten_times_at_random_moments_the_weights_end_the_same_bit_for_bit(tmp_path):
    process = subprocess.run(
        [sys.executable, HERE / "killed_run.py", tmp_path], capture_output=True, text=True, timeout=1200
    )
    lines = process.stdout.splitlines()
    assert process.returncode == 0, process.stderr
    assert "killed while saving: True" in lines
    tries = [line for line in lines if line.startswith("killed after step")]
    assert len(tries) == 11
    assert all(line.rstrip().endswith("the same") for line in tries), process.stdout + process.stderr
    assert len(set(tries)) > 3  # at different steps


def test_a_finished_run_is_not_trained_again(tmp_path):
    model, history = trained(run=tmp_path)
    again, same_history = trained(run=tmp_path)
    assert same(model, again)
    assert history == same_history


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recipe": dataclasses.replace(QUICK, learning_rate=0.01)}, "learning_rate 0.01 and 0.002"),
        ({"pictures": 48}, "data '48 pictures"),
        ({"bfloat16": True}, "bfloat16 True and False"),
        ({"validation": digits("test", 30)}, "validation '30 pictures"),
        ({"notes": {"classes": ["a"]}}, "notes"),
    ],
)
def test_the_state_of_another_run_is_refused(tmp_path, settings, message):
    trained(run=tmp_path)
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(mv.CheckpointError, match=f"belongs to another run.*{message}"):
        trained(run=tmp_path, **settings)
    assert (tmp_path / "state.pt").read_bytes() == before


def test_the_state_of_a_model_with_other_classes_is_refused(tmp_path):
    trained(run=tmp_path)
    model = mv.MobileViTv2(0.25, num_classes=7, in_channels=1)
    with pytest.raises(mv.CheckpointError, match=r"number of classes: classifier.weight is \(10, 128\) there and \(7,"):
        mv.train(model, digits("train", 64), QUICK, run=tmp_path, progress=False)


def test_a_damaged_state_is_refused(tmp_path):
    trained(run=tmp_path)
    state = tmp_path / "state.pt"
    content = state.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1  # one bit of some weight
    without = io.BytesIO()
    torch.save({"recipe": dataclasses.asdict(QUICK)}, without)
    for bad in (content[:-500], b"", b"nonsense", bytes(flipped), without.getvalue()):
        state.write_bytes(bad)
        with pytest.raises(mv.CheckpointError, match="damaged or not the state of a run"):
            trained(run=tmp_path)


def full_disk(monkeypatch, ending):
    """Let every write to files of this ending fail as on a full disk, after the first few bytes."""
    original = Path.open

    def opened(self, mode="r", *arguments, **options):
        file = original(self, mode, *arguments, **options)
        if "w" in mode and ending in self.name:

            def write(content, wrapped=file.write):
                wrapped(content[:100])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            class Full:
                def __enter__(self):
                    return self

                def __exit__(self, *problem):
                    file.close()

            full = Full()
            full.write = write
            return full
        return file

    monkeypatch.setattr(Path, "open", opened)


def test_no_space_left_is_a_clear_error_and_the_older_state_stays(tmp_path, monkeypatch):
    recipe = dataclasses.replace(QUICK, epochs=2)
    whole, _ = trained(recipe)
    monkeypatch.setattr(mv.training, "replace_file", interrupted := Interrupting(replace_file, after=1))
    with pytest.raises(KeyboardInterrupt):
        trained(recipe, run=tmp_path)
    assert interrupted.calls == 2
    monkeypatch.undo()
    before = (tmp_path / "state.pt").read_bytes()
    with monkeypatch.context() as patch:
        full_disk(patch, "state.pt")
        with pytest.raises(mv.SaveError, match=r"could not write .*state.pt \(No space left on device\).*is untouched"):
            trained(recipe, run=tmp_path)
    assert (tmp_path / "state.pt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "state.pt"]
    assert same(trained(recipe, run=tmp_path)[0], whole)


class Interrupting:
    """A function that raises KeyboardInterrupt instead of being called again."""

    def __init__(self, function, after):
        self.function, self.after, self.calls = function, after, 0

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls > self.after:
            raise KeyboardInterrupt
        return self.function(*arguments)


def test_a_file_without_a_folder_cannot_be_written(tmp_path):
    with pytest.raises(mv.SaveError, match="could not write .*No such file"):
        replace_file(tmp_path / "nowhere" / "state.pt", b"state")


def test_other_pictures_of_the_same_number_are_another_run(tmp_path):
    trained(run=tmp_path)
    images, labels = (tensor[100:164] for tensor in mv.load_digits("train"))
    with pytest.raises(mv.CheckpointError, match="belongs to another run"):
        mv.train(mv.MobileViTv2(**DIGITS), mv.Pictures(images, labels), QUICK, run=tmp_path, progress=False)


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    pytest.importorskip("fcntl")
    with only_writer(tmp_path), pytest.raises(mv.SaveError, match="another process is at work in"):
        trained(run=tmp_path)
    trained(run=tmp_path)


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    (tmp_path / ".state.pt.12345.partial").write_bytes(b"half")
    trained(run=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "last.safetensors", "state.pt"]


@pytest.mark.parametrize("after", range(1, 6))
def test_stopped_before_any_of_its_saves_a_run_ends_the_same(tmp_path, monkeypatch, after):
    recipe, validation = dataclasses.replace(QUICK, epochs=2), digits("test", 20)
    shares = [0.3, 0.6]  # the second epoch is better, so that its weights have to be kept
    monkeypatch.setattr(mv.training, "accuracy", lambda model, *_, **__: shares[len(kept.accuracies)])
    remember = mv.training._State.close_epoch

    def close_epoch(self, *arguments):
        nonlocal kept
        kept = self.history
        remember(self, *arguments)

    kept = None
    monkeypatch.setattr(mv.training._State, "close_epoch", close_epoch)
    trained(recipe, validation=validation, run=tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(mv.training, "replace_file", Interrupting(replace_file, after - 1))
        if after < 5:  # two saves in each epoch
            with pytest.raises(KeyboardInterrupt):
                trained(recipe, validation=validation, run=tmp_path / "stopped")
    trained(recipe, validation=validation, run=tmp_path / "stopped")
    for name in ("best", "last"):
        whole, stopped = (tmp_path / folder / f"{name}.safetensors" for folder in ("whole", "stopped"))
        assert whole.read_bytes() == stopped.read_bytes()
    assert checkpoint_notes(whole)["accuracy"] == 0.6


def test_the_first_of_equal_accuracies_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(mv.training, "accuracy", lambda model, *_, **__: 0.5)
    trained(dataclasses.replace(QUICK, epochs=2), validation=digits("test", 20), run=tmp_path)
    assert checkpoint_notes(tmp_path / "best.safetensors")["epoch"] == 1


def test_what_is_evaluated_and_kept_is_the_average(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(mv.training, "accuracy", lambda model, *_, **__: seen.append(model) or 0.5)
    model, _ = trained(validation=digits("test", 20), run=tmp_path)
    assert same(seen[0], model)
    assert same(mv.load_model(tmp_path / "best.safetensors"), model)
    assert same(mv.load_model(tmp_path / "last.safetensors"), model)


def test_chance_differs_from_step_to_step_and_from_epoch_to_epoch(monkeypatch):
    drawn = []
    original = mv.training.mix

    def watch(images, labels, classes, recipe, random):
        drawn.append(random.random())
        return original(images, labels, classes, recipe, random)

    monkeypatch.setattr(mv.training, "mix", watch)
    trained(dataclasses.replace(QUICK, epochs=2))
    assert len(set(drawn)) == len(drawn) == 8
    plan = [key for keys in mv.training._Plan(64, QUICK, 0, 8) for key in keys]
    assert len(set(plan)) == 128  # each picture twice, with another seed


def test_a_new_state_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, original=original: (order.append(name), original(*a)))
    replace_file(tmp_path / "file", b"content")
    assert order == ["fsync", "replace"]
    assert (tmp_path / "file").read_bytes() == b"content"


# Bad input


def test_a_picture_that_cannot_be_read_stops_training_with_its_name(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(8):
            mv.data.digit_picture(number).save(tmp_path / name / f"{number}.png")
    (tmp_path / "bee" / "3.png").write_text("no picture")
    model = mv.MobileViTv2(0.25, num_classes=2)
    for workers in (0, 1):
        with pytest.raises(mv.DataError, match="bee/3.png is not a picture .*: repair or replace this file"):
            mv.train(model, mv.PictureFolder(tmp_path, image_size=32), QUICK, workers=workers, progress=False)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_state(tmp_path):
    recipe = dataclasses.replace(QUICK, learning_rate=1e12, warmup_steps=0, clip=0.0, epochs=3)
    with pytest.raises(mv.TrainingError, match="the loss is nan at step .*: begin a new run, in another folder"):
        trained(recipe, run=tmp_path, save_every=1)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert torch.isfinite(state["losses"]).all()
    assert not (tmp_path / "last.safetensors").exists()


def test_a_batch_larger_than_the_data_set_is_refused():
    with pytest.raises(mv.RecipeError, match="batch_size 16 is more than the 10 pictures"):
        trained(pictures=10)


@pytest.mark.parametrize("mixing", [{"mixup": 0.2}, {"cutmix": 0.2}])
def test_a_batch_that_cannot_be_mixed_in_pairs_is_refused(mixing):
    with pytest.raises(mv.RecipeError, match="batch_size 15 cannot be shared out over 1 processes in pairs"):
        trained(dataclasses.replace(QUICK, batch_size=15, **mixing))


# Several processes


def launch(arguments, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.run(
        [*arguments, HERE / "shared_run.py", folder], capture_output=True, text=True, timeout=1200, env=environment
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def test_two_processes_under_torchrun_compute_what_one_computes(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    alone, together = launch([sys.executable], tmp_path / "1"), launch(torchrun, tmp_path / "2")
    assert len(alone["losses"]) == 8
    # In double precision what rounding does stays small; in single precision AdamW would enlarge it step by step.
    assert together["losses"] == pytest.approx(alone["losses"], rel=1e-9)
    assert together["accuracies"] == alone["accuracies"]
    assert together["weights"] == pytest.approx(alone["weights"], rel=1e-6, abs=1e-6)
    # The state of two processes goes on in one: only how the work is shared out has changed.
    assert (tmp_path / "2" / "state.pt").exists()
    assert launch([sys.executable], tmp_path / "2")["losses"] == together["losses"]
