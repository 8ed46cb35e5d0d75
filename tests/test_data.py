"""The data sets are what they are said to be, and pictures are distorted by their seed and nothing else."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

import mvit2_lib as mv
from mvit2_lib.data import digit_picture, distort


def test_train_and_test_digits_do_not_overlap_and_are_as_described():
    (train_images, train_labels), (images, labels) = mv.load_digits("train"), mv.load_digits("test")
    assert train_images.shape == (1415, 1, 64, 64)
    assert images.shape == (382, 1, 64, 64)
    assert 0 <= images.min() < 0.01
    assert 0.9 < images.max() <= 1
    assert sorted(set(labels.tolist())) == sorted(set(train_labels.tolist())) == list(range(10))
    nearest = torch.cdist(images.flatten(1), train_images.flatten(1)).min()
    assert nearest > 0.1
    with pytest.raises(ValueError, match="no split 'validation': choose 'train' or 'test'"):
        mv.load_digits("validation")


def test_a_scan_enlarged_by_preprocess_is_nearly_the_picture_of_the_data_set():
    images, _ = mv.load_digits("test")
    for index in (0, 213, 381):
        enlarged = mv.preprocess(digit_picture(index), **mv.preprocessing("digits"))
        assert enlarged.shape == images[:1].shape
        assert (enlarged - images[index]).abs().mean() < 0.03
        other = (enlarged - images[index - 1]).abs().mean()
        assert other > 0.1


def distorted(images, seed):
    amounts = np.random.default_rng(seed).uniform(-1, 1, (len(images), 5))
    return distort(images, torch.tensor(amounts, dtype=images.dtype))


def test_distortions_differ_from_picture_to_picture_and_stay_small():
    images = mv.load_digits("train")[0][:1].expand(40, -1, -1, -1)
    moved = distorted(images, seed=1)
    assert moved.shape == images.shape
    assert not torch.equal(moved[0], moved[1])
    rows = torch.linspace(-1, 1, 64)
    centre = (moved.sum(dim=(1, 3)) * rows).sum(dim=1) / moved.sum(dim=(1, 2, 3))
    original = (images.sum(dim=(1, 3)) * rows).sum(dim=1) / images.sum(dim=(1, 2, 3))
    assert (centre - original).abs().max() < 0.4
    assert (centre - original).std() > 0.05


def test_distortions_turn_and_scale():
    square = torch.zeros(1, 1, 64, 64)
    square[..., 22:42, 22:42] = 1
    moved = distorted(square.expand(200, -1, -1, -1), seed=1)
    areas = moved.sum(dim=(1, 2, 3)) / 400
    assert areas.min() < 0.92
    assert areas.max() > 1.08
    # Turned, a square has a longer way from corner to corner along the axes.
    heights = (moved.amax(dim=3) > 0.5).sum(dim=2)[:, 0] / areas.sqrt() / 20
    assert heights.max() > 1.1


def test_a_seed_fixes_the_distortion_of_its_picture_whatever_else_is_in_the_batch():
    pictures = mv.Pictures(*mv.load_digits("test"))
    images, labels = pictures.__getitems__([(3, (0, 1, 3)), (5, (0, 1, 5))])
    alone, label = pictures.__getitems__([(5, (0, 1, 5))])
    assert torch.equal(images[1:], alone)
    assert labels[1] == label[0] == pictures.labels[5]
    assert not torch.equal(alone, pictures.__getitems__([(5, (0, 2, 5))])[0])
    assert torch.equal(pictures.__getitems__([(5, None)])[0][0], pictures.images[5])


def test_pictures_without_distortion_stay_as_they_are():
    pictures = mv.Pictures(*mv.load_digits("test"), distorted=False)
    assert torch.equal(pictures.__getitems__([(7, (0, 0, 7))])[0][0], pictures.images[7])


def test_pictures_need_as_many_labels():
    images, labels = mv.load_digits("test")
    with pytest.raises(mv.DataError, match="got 382, 5"):
        mv.Pictures(images, labels[:5])
    with pytest.raises(mv.DataError, match="at least one"):
        mv.Pictures(images[:0], labels[:0])


@pytest.fixture
def folder(tmp_path):
    for name, color in (("owl", (200, 30, 10)), ("ant", (10, 30, 200)), ("bee", (10, 200, 30))):
        (tmp_path / name / "deeper").mkdir(parents=True)
        Image.new("RGB", (90, 70), color).save(tmp_path / name / "one.png")
        Image.new("RGB", (60, 80), color).save(tmp_path / name / "deeper" / "two.jpg")
        (tmp_path / name / ".hidden").write_text("nothing")
        (tmp_path / name / ".cache").mkdir()
        (tmp_path / name / ".cache" / "thumb.png").write_text("nothing")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "object").write_text("nothing")
    return tmp_path


def test_a_folder_gives_its_pictures_with_the_classes_of_their_folders(folder):
    pictures = mv.PictureFolder(folder, image_size=32)
    assert pictures.classes == ["ant", "bee", "owl"]
    assert [name for name, _ in pictures.pictures] == [
        f"{name}/{file}" for name in ("ant", "bee", "owl") for file in ("one.png", "deeper/two.jpg")
    ]
    images, labels = pictures.__getitems__([(0, None), (4, None)])
    assert images.shape == (2, 3, 32, 32)
    assert labels.tolist() == [0, 2]
    torch.testing.assert_close(images[1, :, 0, 0], torch.tensor([200, 30, 10]) / 255)


def test_links_to_folders_are_followed_but_not_in_circles(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Image.new("RGB", (9, 9)).save(elsewhere / "three.png")
    (folder / "owl" / "linked").symlink_to(elsewhere)
    (folder / "owl" / "back").symlink_to(folder / "owl")
    names = [name for name, _ in mv.PictureFolder(folder).pictures if name.startswith("owl")]
    assert names == ["owl/one.png", "owl/deeper/two.jpg", "owl/linked/three.png"]


def test_a_folder_that_may_not_be_read_is_an_error(folder, monkeypatch):
    def scandir(path, original=os.scandir):
        if str(path).endswith("deeper"):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(mv.DataError, match=r"deeper cannot be read \(Permission denied\)"):
        mv.PictureFolder(folder)


def test_two_folders_are_told_apart_by_their_name(folder):
    names = {
        mv.PictureFolder(folder, image_size=size, classes=classes).name
        for size in (32, 64)
        for classes in (None, ["owl", "bee", "ant"])
    }
    assert len(names) == 4


def test_sizes_that_make_no_sense_are_refused_before_anything_is_read(folder):
    with pytest.raises(ValueError, match="crop_fraction from 0.1 to 1"):
        mv.PictureFolder(folder, crop_fraction=7)


def test_a_label_map_decides_which_folder_is_which_class(folder):
    pictures = mv.PictureFolder(folder, ["wasp", "owl", "bee", "ant"], image_size=32)
    assert dict(pictures.pictures)["owl/one.png"] == 1
    assert dict(pictures.pictures)["ant/one.png"] == 3
    with pytest.raises(mv.DataError, match="1 of 3 class folders are not in the label map, first 'owl'"):
        mv.PictureFolder(folder, ["ant", "bee"])


def test_a_seed_cuts_a_part_that_is_the_same_every_time(folder):
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "ant" / "one.png")
    pictures = mv.PictureFolder(folder, image_size=24)
    first, again, other = (pictures.read(0, seed) for seed in ((0, 0, 0), (0, 0, 0), (0, 1, 0)))
    assert first.shape == (3, 24, 24)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_random_crops_cover_the_areas_and_ratios_they_should():
    # Each pixel says where it is, so a crop can be read off its corners.
    x, y = np.meshgrid(np.linspace(0, 1, 200), np.linspace(0, 1, 150))
    image = Image.fromarray(np.round(255 * np.stack([x, y, 0 * x], axis=-1)).astype(np.uint8))
    areas, mirrored = [], 0
    random = np.random.default_rng(3)
    for _ in range(300):
        crop = mv.images.random_crop(image, 32, 3, random)
        width, height = (crop[0, 16, -1] - crop[0, 16, 0]).item(), (crop[1, -1, 16] - crop[1, 0, 16]).item()
        assert height > 0  # never upside down
        mirrored += width < 0
        areas.append(abs(width) * height)
        assert 0.6 < abs(width) * 200 / (height * 150) < 1.7
    assert 100 < mirrored < 200
    assert min(areas) < 0.12
    assert max(areas) > 0.75
    assert max(areas) <= 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no folder"),
        ({}, "holds nothing, but one folder for each class is expected"),
        ({"a.png": True}, "holds only files, but one folder for each class is expected"),
        ({"ant/": None, "bee/": None}, "the class folders of .* hold no files"),
    ],
    ids=["missing", "empty", "no class folders", "empty class folders"],
)
def test_a_folder_that_is_no_data_set_is_an_error_that_says_what_is_expected(tmp_path, content, message):
    folder = tmp_path / "data"
    if content is not None:
        folder.mkdir()
        for name in content:
            (folder / name).mkdir() if name.endswith("/") else (folder / name).write_text("")
    with pytest.raises(mv.DataError, match=message):
        mv.PictureFolder(folder)
