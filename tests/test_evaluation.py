"""Evaluating a folder counts right, goes on after interruptions, and never stops at a bad picture."""

import hashlib
import json
import resource
import weakref

import numpy as np
import pytest
import torch
from micro import exit_code, forked
from PIL import Image
from torch import nn

import mvit2_lib as mv
from mvit2_lib.data.samples import digit_picture
from mvit2_lib.training import evaluation


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


def pictures(folder, side=16):
    return mv.PictureFolder(folder, preparation=mv.Preparation(side))


class Ranks(nn.Module):
    """Gives eight answers in an order that the shade of the picture fixes: shade 8 · c + r has class c at place r."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Linear(1, 8)

    def forward(self, pictures):
        shades = (pictures.mean(dim=(1, 2, 3)) * 255).round().int().tolist()
        logits = torch.zeros(len(shades), 8)
        for picture, shade in enumerate(shades):
            for place, answer in enumerate(self.order(*divmod(shade, 8))):
                logits[picture, answer] = -place
        return logits

    @staticmethod
    def order(label, place):
        others = [number for number in range(7, -1, -1) if number != label]
        return [*others[:place], label, *others[place:]]


@pytest.fixture(scope="module")
def ranked(tmp_path_factory):
    """For each of eight classes, pictures whose right answer is the first, the second, … the eighth."""
    place = tmp_path_factory.mktemp("ranked")
    for shade in range(64):
        (place / str(shade // 8)).mkdir(exist_ok=True)
        Image.new("L", (9, 9), shade).save(place / str(shade // 8) / f"{shade % 8}.png")
    return place


@pytest.mark.parametrize(("batch_size", "workers"), [(64, 0), (5, 0), (7, 1)])
def test_right_answers_are_counted_exactly_at_the_first_place_and_among_the_first_five(
    ranked, tmp_path, batch_size, workers
):
    record = tmp_path / "record.jsonl"
    result = mv.evaluate(Ranks(), pictures(ranked), batch_size, workers, record, progress=False)
    assert (result.pictures, result.top1, result.top5, result.unreadable) == (64, 8, 40, 0)
    assert result.summary() == {"top1": 1 / 8, "top5": 5 / 8, "pictures": 64, "unreadable": 0}
    assert result.reasons == []
    lines = [json.loads(line) for line in record.read_text().splitlines()[1:]]
    exponentials = torch.arange(0.0, -8.0, -1.0).exp()
    for line in lines:  # the right answer stands at the place that gives the file its name, and its logit is −place
        place = int(line["picture"].partition("/")[2].removesuffix(".png"))
        expected = (exponentials[place] / exponentials.sum()).item()
        assert line.pop("probability") == pytest.approx(expected, abs=1e-6)
    assert lines == [
        {"picture": f"{label}/{place}.png", "label": label, "answers": Ranks.order(label, place)[:5]}
        for label in range(8)
        for place in range(8)
    ]


def test_a_label_map_decides_which_answer_is_right(ranked):
    backwards = mv.PictureFolder(ranked, [str(number) for number in range(7, -1, -1)], mv.Preparation(16))
    labels = [label for _, label in backwards.pictures]
    expected = [Ranks.order(label, place) for label in range(8) for place in range(8)]
    result = mv.evaluate(Ranks(), backwards, progress=False)
    assert result.top1 == sum(label == answers[0] for label, answers in zip(labels, expected, strict=True)) != 8
    assert result.top5 == sum(label in answers[:5] for label, answers in zip(labels, expected, strict=True)) != 40


def test_the_confusion_matrix_has_a_row_for_each_class_and_a_column_for_each_answer(ranked):
    result = mv.evaluate(Ranks(), pictures(ranked), progress=False)
    expected = np.zeros((8, 8), dtype=int)
    for label in range(8):
        for place in range(8):
            expected[label, Ranks.order(label, place)[0]] += 1
    assert (result.matrix(8) == expected).all()
    assert (expected != expected.T).any()
    assert [row["recall"] for row in result.per_class(range(8))] == [1 / 8] * 8
    # Seven says one answer in eight of its own pictures, and seven in eight of the others'.
    precision = [row["precision"] for row in result.per_class("abcdefgh")]
    assert precision == [1.0] * 6 + [pytest.approx(1 / 8), pytest.approx(1 / 50)]
    assert [row["class"] for row in result.per_class("abcdefgh")] == list("abcdefgh")
    # The worst of all wrong answers: the right class stood at the last place.
    assert [line["picture"].partition("/")[2] for line in result.worst] == 8 * ["7.png"] + 2 * ["6.png"]
    assert [line["probability"] for line in result.worst] == sorted(line["probability"] for line in result.worst)


def test_what_was_never_shown_has_no_recall_and_what_was_never_answered_no_precision(folder):
    for path in (folder / "class_2").iterdir():
        path.unlink()
    for path in (folder / "class_5").iterdir():
        Image.new("L", (40, 30), 0).save(path)
    label_map = mv.PictureFolder(folder, [f"class_{number}" for number in range(8)], mv.Preparation(16))
    for path in [folder / name for name, label in label_map.pictures if label != 5]:
        if path.stem != "0":
            path.unlink()
    label_map = mv.PictureFolder(folder, label_map.classes, mv.Preparation(16))
    rows = {row["class"]: row for row in mv.evaluate(Shade(), label_map, progress=False).per_class(label_map.classes)}
    assert "class_2" not in rows  # neither shown nor answered
    assert rows["class_5"] == {"class": "class_5", "pictures": 3, "recall": 0.0, "precision": None}
    assert rows["class_0"] == {"class": "class_0", "pictures": 1, "recall": 1.0, "precision": 1 / 4}


def test_answers_beyond_the_label_map_have_a_name(ranked):
    few = mv.PictureFolder(ranked, [str(number) for number in range(8)], mv.Preparation(16))
    few.classes, few.pictures = few.classes[:2], [line for line in few.pictures if line[1] < 2]
    rows = mv.evaluate(Ranks(), few, progress=False).per_class(few.classes)
    assert [row["class"] for row in rows] == ["0", "1", "answer 7"]
    assert rows[2]["pictures"] == 0
    assert rows[2]["recall"] is None


def test_what_a_record_holds_counts_in_the_matrix_too_and_an_older_record_without_probabilities(ranked, tmp_path):
    record = tmp_path / "record.jsonl"
    model = Ranks()
    whole, again = (mv.evaluate(model, pictures(ranked), record=record, progress=False) for _ in range(2))
    assert (whole.confusion, whole.worst) == (again.confusion, again.worst)
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for line in lines:
        line.pop("probability", None)
    record.write_text("".join(json.dumps(line) + "\n" for line in lines))
    older = mv.evaluate(model, pictures(ranked), record=record, progress=False)
    assert (older.confusion, older.worst) == (whole.confusion, [])


def random_model():
    """Return a model whose norms do something, so that fusing them with a mistake shows."""
    torch.manual_seed(3)
    model = mv.MobileViTv2(0.05, num_classes=8)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.3)
        elif tensor.ndim > 1:
            tensor.normal_(0.0, (2 / tensor[0].numel()) ** 0.5)
    return model


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    place, random = tmp_path_factory.mktemp("noisy"), np.random.default_rng(0)
    for number in range(16):
        (place / str(number % 8)).mkdir(exist_ok=True)
        noise = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((32, 32)).save(place / str(number % 8) / f"{number}.png")
    return place


def test_the_optimised_model_answers_and_its_answers_are_those_of_the_plain_one(noisy, tmp_path, monkeypatch):
    made, record = [], tmp_path / "record.jsonl"
    optimize = evaluation.optimize_for_inference

    def watch(model):
        assert not model.training
        made.append(optimize(model))
        made[-1].register_forward_hook(lambda *_: made.append("asked"))
        return made[-1]

    monkeypatch.setattr(evaluation, "optimize_for_inference", watch)
    model, folder = random_model().train(), pictures(noisy, 32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = mv.evaluate(model, folder, 4, record=record, progress=False)
    assert made[1:] == ["asked"] * 4
    assert made[0] is not model
    assert not model.training
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    with torch.no_grad():
        expected = model(torch.stack([folder[index][0] for index in range(16)])).topk(5).indices.tolist()
    assert [json.loads(line)["answers"] for line in record.read_text().splitlines()[1:]] == expected
    assert len({tuple(answers) for answers in expected}) > 1  # it looks at the pictures
    assert result.top1 / 16 == mv.accuracy(model, folder)


def test_the_record_names_the_model_by_the_hash_of_its_own_weights_and_the_folder_by_its_name(noisy, tmp_path):
    model, folder, record = random_model(), pictures(noisy, 32), tmp_path / "record.jsonl"
    mv.evaluate(model, folder, record=record, title="our model", progress=False)
    content = b"".join(tensor.contiguous().numpy().tobytes() for tensor in model.state_dict().values())
    assert json.loads(record.read_text().splitlines()[0]) == {
        "title": "our model",
        "weights": hashlib.sha256(content + b"()").hexdigest()[:12],
        "folder": folder.name,
        "image_size": 32,
        "crop_fraction": 0.888,
        "channels": 3,
        "interpolation": "bicubic",
    }


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


def test_nothing_of_half_a_line_stays_where_its_picture_has_been_repaired_since(folder, tmp_path):
    record, last = tmp_path / "record.jsonl", folder / "class_6" / "5.png"
    whole = last.read_bytes()
    last.write_text("no picture, which takes a long line to say")
    mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    record.write_bytes(record.read_bytes()[:-3])
    last.write_bytes(whole)
    result = mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    assert (result.pictures, result.unreadable) == (21, 0)
    assert mv.evaluate(Shade(), pictures(folder), record=record, progress=False) == result
    assert len(record.read_text().splitlines()) == 22


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
    with pytest.raises(mv.FileError, match="belongs to another evaluation: its title is 'one', not 'two'"):
        mv.evaluate(Shade(), pictures(folder), record=record, title="two", progress=False)
    (folder / "class_0" / "new.png").write_bytes((folder / "class_0" / "0.png").read_bytes())
    with pytest.raises(mv.FileError, match="belongs to another evaluation"):
        mv.evaluate(Shade(), pictures(folder), record=record, title="one", progress=False)
    assert record.read_bytes() == before


@pytest.mark.parametrize("content", ["my notes\nnot a record\n", "my notes, in one line without an end", "[]\n"])
def test_a_file_that_is_no_record_is_refused_and_stays(folder, tmp_path, content):
    record = tmp_path / "notes.txt"
    record.write_text(content)
    with pytest.raises(mv.FileError, match="is not a record of an evaluation"):
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
        with pytest.raises(mv.FileError, match="is not a record of an evaluation: line"):
            mv.evaluate(Shade(), pictures(folder), record=record, progress=False)


def test_a_record_belongs_to_one_set_of_weights(folder, tmp_path):
    record = tmp_path / "record.jsonl"
    mv.evaluate(Shade(), pictures(folder), record=record, progress=False)
    other = Shade()
    with torch.no_grad():
        other.shades[3] += 1e-6
    with pytest.raises(mv.FileError, match="belongs to another evaluation: its weights is"):
        mv.evaluate(other, pictures(folder), record=record, progress=False)


def test_a_model_with_too_few_classes_is_refused_and_one_with_more_is_not(folder, tmp_path):
    with pytest.raises(mv.FileError, match="the model has 3 classes, and the folder 7"):
        mv.evaluate(mv.MobileViTv2(0.05, num_classes=3), pictures(folder), record=tmp_path / "record", progress=False)
    assert not (tmp_path / "record").exists()
    assert mv.evaluate(mv.MobileViTv2(0.05, num_classes=9), pictures(folder), progress=False).pictures == 21


def test_a_record_that_cannot_be_written_is_a_clear_error(folder, tmp_path):
    with pytest.raises(mv.RetryError, match="could not write the record"):
        mv.evaluate(Shade(), pictures(folder), record=tmp_path / "nowhere" / "record.jsonl", progress=False)


class Counted(torch.Tensor):
    """A picture that can be counted while it is in memory."""


class Many(mv.PictureFolder):
    """A folder whose one picture is read again and again; `most` is how many were in memory at a time."""

    def __init__(self, folder, times):
        super().__init__(folder, preparation=mv.Preparation(16))
        self.pictures, self.here, self.most = self.pictures * times, weakref.WeakSet(), 0

    def __getitem__(self, index):
        image = torch.rand(3, 4, 4).as_subclass(Counted)
        self.here.add(image)
        self.most = max(self.most, len(self.here))
        return image, 0


class Plain(Shade):
    def forward(self, pictures):
        return super().forward(pictures.as_subclass(torch.Tensor))


def test_only_a_batch_of_pictures_is_in_memory_at_a_time(tmp_path):
    (tmp_path / "a").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "a" / "0.png")
    many = Many(tmp_path, 400)
    assert mv.evaluate(Plain(), many, batch_size=8, record=tmp_path / "record", progress=False).pictures == 400
    assert 8 <= many.most <= 16  # the one at work, and the one that is being read


def peak(folder, times):
    """Evaluate a folder whose one picture is there so many times, and return the most memory this process has had."""
    few = pictures(folder, 64)
    few.pictures = few.pictures * times
    assert mv.evaluate(Shade(), few, progress=False).pictures == times
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """Four thousand pictures take no more memory than forty."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(noise).save(tmp_path / "a" / "0000.png")

    def measure():
        before = peak(tmp_path, 40)
        grown = peak(tmp_path, 4000) - before
        assert grown < 40  # MiB; all at once they would take 4000 · 64² · 3 · 4 bytes = 188

    assert exit_code(forked(measure)) == 0  # in a process of its own, whose peak is not that of the tests before


def test_the_digit_model_reads_scans_from_a_folder(tmp_path):
    labels = mv.load_digits("test")[1]
    for index in range(40):
        (tmp_path / str(int(labels[index]))).mkdir(exist_ok=True)
        digit_picture(index).save(tmp_path / str(int(labels[index])) / f"{index}.png")
    digits = mv.load_pretrained("digits")
    folder = mv.PictureFolder(tmp_path, digits.folders, digits.preparation)
    result = mv.evaluate(digits.model, folder, progress=False)
    assert result.pictures == 40
    assert result.top1 >= 38
