"""Evaluating a folder counts right, goes on after interruptions, and never stops at a bad picture."""

import json
import resource

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import mvit2_lib as mv
from mvit2_lib.data import digit_picture


class Shade(nn.Module):
    """Answers with the class whose shade of grey is nearest, the others in order of distance."""

    def __init__(self, classes=7):
        super().__init__()
        self.shades = nn.Parameter(torch.arange(classes) / classes)

    def forward(self, pictures):
        assert not self.training
        return -(pictures.mean(dim=(1, 2, 3))[:, None] - self.shades).abs()  # [B, classes]


@pytest.fixture
def folder(tmp_path):
    """Three pictures in each of seven class folders; with Shade, right at distances 0, 1 and 5 from the class."""
    place = tmp_path / "pictures"
    for number in range(7):
        (place / f"class_{number}").mkdir(parents=True)
        for distance in (0, 1, 5):
            shade = round(255 * ((number + distance) % 7) / 7)
            Image.new("L", (40, 30), shade).save(place / f"class_{number}" / f"{distance}.png")
    return place


def pictures(folder):
    return mv.PictureFolder(folder, image_size=16)


def test_top_1_and_top_5_are_counted_right(folder):
    result = mv.evaluate(Shade(), pictures(folder), batch_size=4, progress=False)
    nearest = (torch.arange(7)[:, None] - torch.arange(7)).abs()  # [shade, class]
    within = 0
    for number in range(7):
        for distance in (0, 1, 5):
            within += number in nearest[(number + distance) % 7].argsort(stable=True)[:5]
    assert (result.pictures, result.top1, result.unreadable) == (21, 7, 0)
    assert abs(result.top5 - within) <= 3  # classes at equal distance may come in either order
    assert 7 < result.top5 < 21
    assert result.summary()["top1"] == pytest.approx(1 / 3)


def test_a_model_with_few_classes_has_fewer_answers(tmp_path):
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        Image.new("L", (9, 9), round(255 * number / 3)).save(tmp_path / str(number) / "a.png")
    result = mv.evaluate(Shade(3), pictures(tmp_path), progress=False)
    assert (result.top1, result.top5) == (3, 3)


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_pictures_are_counted_named_and_left_out(folder, tmp_path, workers):
    (folder / "class_2" / "broken.jpg").write_bytes(b"no picture")
    (folder / "class_2" / "empty.png").write_bytes(b"")
    whole = (folder / "class_3" / "0.png").read_bytes()
    (folder / "class_3" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "class_4" / "gone.png").symlink_to(folder / "nowhere.png")
    record = tmp_path / "record.jsonl"
    result = mv.evaluate(Shade(), pictures(folder), 4, workers, record=record, progress=False)
    assert (result.pictures, result.top1, result.unreadable) == (21, 7, 4)
    assert [reason.partition(":")[0] for reason in result.reasons] == [
        "class_2/broken.jpg",
        "class_2/empty.png",
        "class_3/cut.png",
        "class_4/gone.png",
    ]
    unreadable = [line for line in map(json.loads, record.read_text().splitlines()) if "unreadable" in line]
    assert len(unreadable) == 4


def test_only_the_first_reasons_are_kept(folder):
    for number in range(25):
        (folder / "class_0" / f"bad{number}.png").write_text("")
    result = mv.evaluate(Shade(), pictures(folder), progress=False)
    assert result.unreadable == 25
    assert len(result.reasons) == 10


def test_a_folder_of_nothing_readable_has_no_accuracy(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bad.png").write_text("")
    summary = mv.evaluate(Shade(), pictures(tmp_path), progress=False).summary()
    assert summary == {"top1": None, "top5": None, "pictures": 0, "unreadable": 1}


class Stops(Shade):
    """Is interrupted at its third batch."""

    batches = 0

    def forward(self, pictures):
        self.batches += 1
        if self.batches == 3:
            raise KeyboardInterrupt
        return super().forward(pictures)


@pytest.mark.parametrize("cut_off", [0, 7], ids=["whole lines", "half a line"])
def test_an_interrupted_evaluation_goes_on_where_it_stopped(folder, tmp_path, cut_off):
    (folder / "class_1" / "bad.png").write_text("")
    record, whole = tmp_path / "record.jsonl", tmp_path / "whole.jsonl"
    expected = mv.evaluate(Shade(), pictures(folder), 4, record=whole, progress=False)
    with pytest.raises(KeyboardInterrupt):
        mv.evaluate(Stops(), pictures(folder), 4, record=record, progress=False)
    content = record.read_bytes()
    assert content.count(b"\n") == 1 + 8
    record.write_bytes(content[: len(content) - cut_off])
    model = Stops()
    model.batches = 3  # is not interrupted again
    result = mv.evaluate(model, pictures(folder), 4, record=record, progress=False)
    assert result == expected
    assert record.read_bytes() == whole.read_bytes()
    assert model.batches == 3 + 4  # fourteen pictures are left, or fifteen: four batches, not all six


def test_a_finished_record_is_only_read(folder, tmp_path):
    record = tmp_path / "record.jsonl"
    first = mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    model = Stops()
    assert mv.evaluate(model, pictures(folder), record=record, progress=False) == first
    assert model.batches == 0


def test_the_record_of_another_evaluation_is_refused_and_stays(folder, tmp_path):
    record = tmp_path / "record.jsonl"
    mv.evaluate(Shade(), pictures(folder), record=record, title="one", progress=False)
    before = record.read_bytes()
    with pytest.raises(mv.DataError, match="belongs to another evaluation: its title is 'one', not 'two'"):
        mv.evaluate(Shade(), pictures(folder), record=record, title="two", progress=False)
    (folder / "class_0" / "new.png").write_bytes((folder / "class_0" / "0.png").read_bytes())
    with pytest.raises(mv.DataError, match="belongs to another evaluation"):
        mv.evaluate(Shade(), pictures(folder), record=record, title="one", progress=False)
    assert record.read_bytes() == before


@pytest.mark.parametrize("content", ["my notes\nnot a record\n", "my notes, in one line without an end", "[]\n"])
def test_a_file_that_is_no_record_is_refused_and_stays(folder, tmp_path, content):
    record = tmp_path / "notes.txt"
    record.write_text(content)
    with pytest.raises(mv.DataError, match="is not a record of an evaluation"):
        mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    assert record.read_text() == content


def test_a_record_cut_off_in_its_first_line_begins_again(folder, tmp_path):
    record = tmp_path / "record.jsonl"
    expected = mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    whole = record.read_bytes()
    record.write_bytes(whole[:20])
    assert mv.evaluate(Shade(), pictures(folder), record=record, progress=False) == expected
    assert record.read_bytes() == whole


def test_a_record_with_a_line_missing_or_doubled_is_refused(folder, tmp_path):
    record = tmp_path / "record.jsonl"
    mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    lines = record.read_text().splitlines(keepends=True)
    for changed in (lines[:3] + lines[4:], [*lines, lines[-1]], [*lines[:3], "{}\n"]):
        record.write_text("".join(changed))
        with pytest.raises(mv.DataError, match="is not a record of an evaluation: line"):
            mv.evaluate(Shade(), pictures(folder), record=record, progress=False)


def test_a_record_belongs_to_one_set_of_weights(folder, tmp_path):
    record = tmp_path / "record.jsonl"
    mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    other = Shade()
    with torch.no_grad():
        other.shades[3] += 1e-6
    with pytest.raises(mv.DataError, match="belongs to another evaluation: its weights is"):
        mv.evaluate(other, pictures(folder), record=record, progress=False)


def test_a_model_with_too_few_classes_is_refused(folder):
    with pytest.raises(mv.DataError, match="the model has 3 classes, and the folder 7"):
        mv.evaluate(mv.MobileViTv2(0.25, num_classes=3), pictures(folder), progress=False)


def test_a_record_that_cannot_be_written_is_a_clear_error(folder, tmp_path):
    with pytest.raises(mv.SaveError, match="could not write the record"):
        mv.evaluate(Shade(), pictures(folder), record=tmp_path / "nowhere" / "record.jsonl", progress=False)


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """Four thousand pictures take no more memory than forty: only a batch is held at a time."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(noise).save(tmp_path / "a" / "0000.png")
    few = pictures(tmp_path)
    few.sizes["image_size"] = 64
    few.pictures = few.pictures * 40
    mv.evaluate(Shade(), few, progress=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    few.pictures = few.pictures * 100
    assert mv.evaluate(Shade(), few, progress=False).pictures == 4000
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 40  # MiB; all at once they would take 4000 · 64² · 3 · 4 bytes = 188


def test_the_digit_model_reads_scans_from_a_folder(tmp_path):
    labels = mv.load_digits("test")[1]
    for index in range(40):
        (tmp_path / str(int(labels[index]))).mkdir(exist_ok=True)
        digit_picture(index).save(tmp_path / str(int(labels[index])) / f"{index}.png")
    folder = mv.PictureFolder(tmp_path, [str(number) for number in range(10)], **mv.preprocessing("digits"))
    result = mv.evaluate(mv.load_pretrained("digits"), folder, progress=False)
    assert result.pictures == 40
    assert result.top1 >= 38
