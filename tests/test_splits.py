"""Two parts of a folder: which picture goes where, and whether one is in both."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mvit2_lib as mv
from mvit2_lib.data.splits import check_apart, shared_pictures


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Thirty pictures of one class and eleven of another, with spaces, letters of all kinds, and folders in folders."""
    place = tmp_path / "pictures"
    for number in range(30):
        picture(place / "snow leopard" / ("old" if number % 2 else "new/2026") / f"{number}.PNG", number)
    for number in range(11):
        picture(place / "Öchslein" / f"ä {number}.png", 100 + number)
    (place / "Öchslein" / ".DS_Store").write_bytes(b"x")
    (place / "Öchslein" / "Thumbs.db").write_bytes(b"x")
    return place


def names(part):
    return [name for name, _ in part.pictures]


def test_every_picture_is_in_one_of_both_parts_and_every_class_in_both(folder):
    whole = mv.PictureFolder(folder)
    training, validation = mv.split_folder(whole, 0.2)
    assert sorted(names(training) + names(validation)) == sorted(names(whole))
    assert not set(names(training)) & set(names(validation))
    assert [validation.labels.count(label) for label in (0, 1)] == [6, 2]
    assert training.classes == validation.classes == whole.classes == ["snow leopard", "Öchslein"]
    image, label = validation[0]
    assert image.shape == (3, 256, 256)
    assert label == validation.labels[0]
    assert len({whole.name, training.name, validation.name}) == 3
    assert check_apart(training, validation) is None


def test_the_split_is_a_function_of_the_seed_and_of_the_names(folder, tmp_path):
    def validation(place, seed=0, share=0.2):
        return set(names(mv.split_folder(mv.PictureFolder(place), share, seed)[1]))

    before = validation(folder)
    assert validation(shutil.copytree(folder, tmp_path / "elsewhere")) == before
    assert validation(folder, seed=1) != before
    assert before < validation(folder, share=0.4)
    picture(folder / "Öchslein" / "one more.png", 500)
    assert len(validation(folder) ^ before) <= 2


@pytest.mark.parametrize("copied", ["copy", "hard link", "link", "name of another ending"])
def test_copies_and_links_of_a_picture_stay_on_one_side(folder, copied):
    originals = sorted((folder / "snow leopard" / "old").iterdir())
    for original in originals:
        other = original.with_name(f"copy of {original.name}")
        if copied == "copy":
            shutil.copy(original, other)
        elif copied == "hard link":
            os.link(original, other)
        elif copied == "link":
            other.symlink_to(original)
        else:
            shutil.copy(original, other.with_suffix(".jpeg"))
    for seed in range(4):
        training, validation = mv.split_folder(mv.PictureFolder(folder), 0.3, seed)
        contents = [{(folder / name).read_bytes() for name in names(part)} for part in (training, validation)]
        assert not contents[0] & contents[1]
        assert len(training) + len(validation) == 56
        assert shared_pictures(training, validation) == []


def test_a_picture_in_two_classes_is_refused_with_both_names(folder):
    shutil.copy(folder / "Öchslein" / "ä 4.png", folder / "snow leopard" / "again.png")
    message = "^snow leopard/again.png and Öchslein/ä 4.png are the same picture in two classes$"
    with pytest.raises(mv.FileError, match=message):
        mv.split_folder(mv.PictureFolder(folder), 0.3)


def test_names_that_are_no_text_are_split_too(folder):
    name = os.fsdecode(b"\xff\xfe.png")
    shutil.copy(folder / "Öchslein" / "ä 0.png", folder / "Öchslein" / name)
    assert sum(map(len, mv.split_folder(mv.PictureFolder(folder)))) == 42


def test_a_pipe_is_never_waited_for(folder):
    os.mkfifo(folder / "Öchslein" / "pipe.png")
    assert sum(map(len, mv.split_folder(mv.PictureFolder(folder)))) == 42


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_either_part_has_a_picture_of_every_class(folder, share):
    for part in mv.split_folder(mv.PictureFolder(folder), share):
        assert set(part.labels) == {0, 1}


@pytest.mark.parametrize("content", ["one", "copies"])
def test_a_class_without_two_different_pictures_cannot_be_split(folder, content):
    only = picture(folder / "yak" / "a.png", 900)
    if content == "copies":
        shutil.copy(only, only.with_name("b.png"))
    with pytest.raises(mv.FileError, match="the class 'yak' has no two different pictures"):
        mv.split_folder(mv.PictureFolder(folder))


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, True, "0.2", float("nan")])
def test_a_share_is_between_0_and_1(folder, share):
    with pytest.raises(ValueError, match="the share of validation must be between 0 and 1"):
        mv.split_folder(mv.PictureFolder(folder), share)


def test_a_picture_that_is_in_both_folders_is_found_whatever_it_is_called(folder, tmp_path):
    other = tmp_path / "other"
    for number in range(3):
        picture(other / "snow leopard" / f"{number}.png", 700 + number)
        picture(other / "Öchslein" / f"{number}.png", 800 + number)
    training = mv.PictureFolder(folder)
    assert shared_pictures(training, mv.PictureFolder(other)) == []
    shutil.copy(folder / "Öchslein" / "ä 3.png", other / "snow leopard" / "x.png")
    (other / "Öchslein" / "y.png").symlink_to(folder / "snow leopard" / "old" / "1.PNG")
    expected = [
        (str(folder / "snow leopard" / "old" / "1.PNG"), str(other / "Öchslein" / "y.png")),
        (str(folder / "Öchslein" / "ä 3.png"), str(other / "snow leopard" / "x.png")),
    ]
    assert sorted(shared_pictures(training, mv.PictureFolder(other))) == sorted(expected)
    with pytest.raises(
        mv.FileError, match="^2 validation pictures are also in training, first .*x.png has the content"
    ):
        check_apart(training, mv.PictureFolder(other, training.classes))
    with pytest.raises(mv.FileError, match="^41 validation pictures are also in training"):
        check_apart(training, mv.PictureFolder(folder))


def test_pictures_of_one_size_and_beginning_are_told_apart_by_their_content(folder, tmp_path):
    content = (folder / "Öchslein" / "ä 0.png").read_bytes()
    for place, last in ((folder, b"a"), (tmp_path / "other", b"b")):
        (place / "Öchslein").mkdir(parents=True, exist_ok=True)
        (place / "Öchslein" / "long.png").write_bytes(content + bytes(5000) + last)
    shutil.copytree(folder / "snow leopard", tmp_path / "other" / "snow leopard")
    for path in (tmp_path / "other" / "snow leopard").rglob("*.PNG"):
        path.write_bytes(path.read_bytes() + b"other")
    assert shared_pictures(mv.PictureFolder(folder), mv.PictureFolder(tmp_path / "other")) == []


def test_a_file_is_read_whole_only_if_another_one_has_its_size_and_beginning(folder, monkeypatch):
    shutil.copy(folder / "Öchslein" / "ä 0.png", folder / "Öchslein" / "copy.png")
    read, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or read_bytes(path))
    mv.split_folder(mv.PictureFolder(folder))
    assert sorted(read) == ["copy.png", "ä 0.png"]


def test_a_class_without_validation_pictures_is_named(folder, tmp_path):
    picture(tmp_path / "other" / "Öchslein" / "a.png", 700)
    training = mv.PictureFolder(folder)
    with pytest.raises(mv.FileError, match="other has no pictures of the class 'snow leopard': its accuracy"):
        check_apart(training, mv.PictureFolder(tmp_path / "other", training.classes))


def test_a_picture_that_cannot_be_read_is_left_to_those_who_read_it(folder):
    (folder / "Öchslein" / "nowhere.png").symlink_to(folder / "no such file")
    parts = mv.split_folder(mv.PictureFolder(folder))
    assert sum(map(len, parts)) == 42
    assert shared_pictures(*parts) == []
