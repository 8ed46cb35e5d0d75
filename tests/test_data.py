"""The data sets are what they are said to be, and pictures are distorted and cut by their seed and nothing else."""

import math
import os

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import mvit2_lib as mv
from mvit2_lib.data.datasets import LEFT_BEHIND, PARTS
from mvit2_lib.data.samples import digit_picture
from mvit2_lib.data.transforms import distort, random_crop

DIGITS = mv.Preparation(64, 1.0, 1, "bilinear")


def draw(*seed):
    return np.random.default_rng(seed)


# The digits


@pytest.fixture(scope="module")
def train_digits():
    return mv.load_digits("train")


@pytest.fixture(scope="module")
def test_digits():
    return mv.load_digits("test")


def test_train_and_test_digits_do_not_overlap_and_are_as_described(train_digits, test_digits):
    (train_images, train_labels), (images, labels) = train_digits, test_digits
    assert train_images.shape == (1415, 1, 64, 64)
    assert images.shape == (382, 1, 64, 64)
    assert 0 <= images.min() < 0.01
    assert 0.9 < images.max() <= 1
    assert sorted(set(labels.tolist())) == sorted(set(train_labels.tolist())) == list(range(10))
    # Every eighth pixel tells a digit of 8×8 from another.
    nearest = torch.cdist(images[..., 4::8, 4::8].flatten(1), train_images[..., 4::8, 4::8].flatten(1)).min()
    assert nearest > 0.1
    with pytest.raises(ValueError, match="no split 'validation': choose 'train' or 'test'"):
        mv.load_digits("validation")


def test_a_scan_enlarged_by_its_preparation_is_nearly_the_picture_of_the_data_set(test_digits):
    images, _ = test_digits
    for index in (0, 213, 381):
        enlarged = mv.load_pretrained("digits").preparation(digit_picture(index))
        assert enlarged.shape == images[:1].shape
        assert (enlarged - images[index]).abs().mean() < 0.03
        other = (enlarged - images[index - 1]).abs().mean()
        assert other > 0.1


# Distortions


def seen(amounts, height=40, width=40):
    """Return where in the picture each pixel of a distorted one comes from, as an affine map of pixels `[2, 3]`."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.double) - (height - 1) / 2,
        torch.arange(width, dtype=torch.double) - (width - 1) / 2,
        indexing="ij",
    )
    places = torch.stack([x, y])  # every pixel says where it is
    moved = distort(places[None], torch.tensor([amounts], dtype=torch.double))[0]
    middle = (..., slice(height // 3, -(height // 3)), slice(width // 3, -(width // 3)))  # comes from inside
    here = torch.stack([*places[middle].flatten(1), torch.ones_like(x[middle]).flatten()], dim=1)
    found = torch.linalg.lstsq(here, moved[middle].flatten(1).T).solution.T
    torch.testing.assert_close(here @ found.T, moved[middle].flatten(1).T)  # it is affine
    return found


@pytest.mark.parametrize(("height", "width"), [(40, 40), (30, 60), (60, 30)])
@pytest.mark.parametrize("amount", [-1.0, 0.5, 1.0])
def test_a_turned_picture_is_turned_and_not_sheared(height, width, amount):
    found = seen([amount, 0, 0, 0, 0], height, width)
    angle = amount * math.radians(12)
    expected = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    torch.testing.assert_close(found[:, :2], expected.double(), atol=2e-3, rtol=0)
    torch.testing.assert_close(found[:, :2] @ found[:, :2].T, torch.eye(2).double())
    assert found[:, 2].abs().max() < 1e-9


@pytest.mark.parametrize(("height", "width"), [(40, 40), (30, 60)])
def test_a_picture_is_scaled_and_shifted_by_at_most_a_tenth(height, width):
    for amounts, matrix, shift in (
        ([0, 0, 0, 0, 0], [[1, 0], [0, 1]], [0, 0]),
        ([0, 1, 0, 0, 0], [[1.1, 0], [0, 1]], [0, 0]),
        ([0, 0, -1, 0, 0], [[1, 0], [0, 0.9]], [0, 0]),
        ([0, 0, 0, 1, 0], [[1, 0], [0, 1]], [0.1 * width, 0]),
        ([0, 0, 0, 0, -0.5], [[1, 0], [0, 1]], [0, -0.05 * height]),
    ):
        found = seen(amounts, height, width)
        torch.testing.assert_close(found[:, :2], torch.tensor(matrix).double())
        torch.testing.assert_close(found[:, 2], torch.tensor(shift).double())


def test_every_picture_of_a_batch_is_distorted_by_its_own_amounts():
    images = torch.rand(3, 2, 20, 20)
    amounts = torch.rand(3, 5) * 2 - 1
    moved = distort(images, amounts)
    assert moved.shape == images.shape
    for index in range(3):
        torch.testing.assert_close(moved[index], distort(images[index : index + 1], amounts[index : index + 1])[0])
    assert not torch.allclose(distort(images[:1], amounts[:1]), distort(images[:1], amounts[1:2]))


def test_what_comes_from_outside_is_black():
    white = torch.ones(1, 1, 40, 40)
    shifted = distort(white, torch.tensor([[0.0, 0, 0, 1, 0]]))[0, 0]
    torch.testing.assert_close(shifted[:, :35], white[0, 0, :, :35])
    assert shifted[:, -3:].abs().max() == 0


# Pictures in memory


def test_a_picture_in_memory_and_its_class_are_what_was_given(test_digits):
    images, labels = test_digits
    pictures = mv.Pictures(images, labels)
    assert len(pictures) == 382
    image, label = pictures[5]
    assert torch.equal(image, images[5])
    assert label == labels[5]
    assert type(label) is int


def test_the_state_of_chance_fixes_the_distortion_of_a_picture_and_nothing_else_does(test_digits):
    pictures = mv.Pictures(*test_digits)
    torch.manual_seed(1)
    image, label = pictures.augmented(5, draw(0, 1, 5))
    torch.manual_seed(2)
    pictures.augmented(3, draw(0, 1, 3))
    again, _ = pictures.augmented(5, draw(0, 1, 5))
    assert torch.equal(image, again)
    assert image.shape == (1, 64, 64)
    assert label == int(test_digits[1][5])
    assert not torch.equal(image, pictures.augmented(5, draw(0, 2, 5))[0])
    assert not torch.equal(image, pictures[5][0])


def test_distortions_of_training_are_drawn_evenly_from_all_that_is_allowed(monkeypatch):
    drawn = []
    monkeypatch.setattr("mvit2_lib.data.datasets.distort", lambda images, amounts: drawn.append(amounts[0]) or images)
    pictures, random = mv.Pictures(torch.rand(1, 1, 4, 4), torch.tensor([0])), draw(3)
    for _ in range(2000):
        pictures.augmented(0, random)
    amounts = torch.stack(drawn)
    assert amounts.shape == (2000, 5)
    assert (amounts.amin(dim=0) < -0.98).all()
    assert (amounts.amax(dim=0) > 0.98).all()
    assert amounts.abs().max() <= 1
    torch.testing.assert_close(amounts.mean(dim=0), torch.zeros(5), atol=0.06, rtol=0)
    torch.testing.assert_close(torch.corrcoef(amounts.T), torch.eye(5), atol=0.1, rtol=0)


def test_pictures_without_distortion_stay_as_they_are(test_digits):
    pictures = mv.Pictures(*test_digits, distorted=False)
    assert torch.equal(pictures.augmented(7, draw(0, 0, 7))[0], pictures.images[7])


def test_other_pictures_labels_or_distortions_are_another_data_set():
    images, labels = torch.rand(6, 1, 4, 4), torch.arange(6)
    changed, others = images.clone(), labels.clone()
    changed[3, 0, 1, 1] += 1e-6
    others[2] = 5
    variants = [
        (images, labels),
        (changed, labels),
        (images, others),
        (images, labels, False),
        (images[:5], labels[:5]),
    ]
    assert len({mv.Pictures(*variant).name for variant in variants}) == 5
    assert mv.Pictures(images.clone(), labels.clone()).name == mv.Pictures(images, labels).name


def test_pictures_need_as_many_labels(test_digits):
    images, labels = test_digits
    with pytest.raises(ValueError, match="got 382, 5"):
        mv.Pictures(images, labels[:5])
    with pytest.raises(ValueError, match="at least one"):
        mv.Pictures(images[:0], labels[:0])


# Pictures in folders


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


def sized(side, crop_fraction=1.0):
    return mv.Preparation(side, crop_fraction)


def test_a_folder_gives_its_pictures_with_the_classes_of_their_folders(folder):
    pictures = mv.PictureFolder(folder, preparation=sized(32))
    assert pictures.classes == ["ant", "bee", "owl"]
    assert [name for name, _ in pictures.pictures] == [
        f"{name}/{file}" for name in ("ant", "bee", "owl") for file in ("one.png", "deeper/two.jpg")
    ]
    assert len(pictures) == 6
    image, label = pictures[4]
    assert image.shape == (3, 32, 32)
    assert label == 2
    torch.testing.assert_close(image[:, 0, 0], torch.tensor([200, 30, 10]) / 255)
    assert pictures[0][1] == 0


def test_a_picture_of_a_folder_is_prepared_as_it_was_asked_for(folder):
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "ant" / "one.png")
    for preparation in (mv.Preparation(24, 0.5), mv.Preparation(32, 1.0, 1, "bilinear")):
        image, _ = mv.PictureFolder(folder, preparation=preparation)[0]
        assert torch.equal(image, preparation(noise)[0])
    assert torch.equal(mv.PictureFolder(folder)[0][0], mv.preprocess(noise)[0])


def test_a_plain_loader_makes_batches_of_a_folder(folder):
    loader = DataLoader(mv.PictureFolder(folder, preparation=sized(16)), batch_size=4, shuffle=True)
    batches = list(loader)
    assert [images.shape for images, _ in batches] == [(4, 3, 16, 16), (2, 3, 16, 16)]
    colors = torch.tensor([[10, 30, 200], [10, 200, 30], [200, 30, 10]]) / 255
    for images, labels in batches:
        torch.testing.assert_close(images[:, :, 8, 8], colors[labels], atol=0.02, rtol=0)
    assert sorted(torch.cat([labels for _, labels in batches]).tolist()) == [0, 0, 1, 1, 2, 2]


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
    with pytest.raises(mv.FileError, match=r"deeper cannot be read \(Permission denied\)"):
        mv.PictureFolder(folder)


def test_two_folders_are_told_apart_by_their_name(folder):
    variants = [
        mv.PictureFolder(folder, classes, preparation)
        for preparation in (sized(32), sized(64), sized(32, 0.9), mv.Preparation(32, 1.0, 1))
        for classes in (None, ["owl", "bee", "ant"])
    ]
    (folder / "ant" / "new.png").write_bytes(b"")
    variants.append(mv.PictureFolder(folder, preparation=sized(32)))
    assert len({pictures.name for pictures in variants}) == 9
    assert mv.PictureFolder(folder, preparation=sized(32)).name == variants[-1].name
    assert variants[-1].name.startswith("7 pictures in 3 class folders (")


def test_sizes_that_make_no_sense_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="crop_fraction must be a number from 0.1 to 1"):
        mv.PictureFolder(tmp_path / "nowhere", preparation=mv.Preparation(crop_fraction=7))


def test_a_label_map_decides_which_folder_is_which_class(folder):
    pictures = mv.PictureFolder(folder, ["wasp", "owl", "bee", "ant"])
    assert pictures.classes == ["wasp", "owl", "bee", "ant"]
    assert dict(pictures.pictures)["owl/one.png"] == 1
    assert dict(pictures.pictures)["ant/one.png"] == 3
    with pytest.raises(mv.FileError, match="1 of 3 class folders are not in the label map, first 'owl': .* 'ant'"):
        mv.PictureFolder(folder, ["ant", "bee"])
    with pytest.raises(mv.FileError, match="3 of 3 class folders are not in the label map, first 'ant': it is empty"):
        mv.PictureFolder(folder, [])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ant/Thumbs.db", b"\xd0\xcf\x11\xe0"),
        ("ant/deeper/desktop.ini", b"[x]"),
        ("ant/labels.csv", b"1,2"),
        ("ant/._one.png", b"x"),
        ("ant/.DS_Store", b"x"),
        ("bee/@eaDir/one.png", b"x"),
        ("__MACOSX/ant/._one.png", b"x"),
        ("lost+found/1.png", b"x"),
        ("stray.png", b"x"),
    ],
)
def test_what_is_no_picture_of_a_class_is_left_out_and_named(folder, name, content):
    before = mv.PictureFolder(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    after = mv.PictureFolder(folder)
    assert (after.pictures, after.classes, after.name) == (before.pictures, before.classes, before.name)
    (new,) = set(after.left_out) - set(before.left_out)
    assert f"{name}/".startswith(f"{new}/")
    assert len(after.left_out) == len(before.left_out) + 1
    assert sorted(before.left_out) == sorted(
        [".git", *(f"{name}/{other}" for name in ("ant", "bee", "owl") for other in (".cache", ".hidden"))]
    )


@pytest.mark.parametrize("ending", [".jpg", ".JPEG", ".png", ".gif", ".bmp", ".webp", ".tif", ".TIFF", ".ppm", ".jfif"])
def test_pictures_of_every_format_we_read_are_found_by_their_endings(tmp_path, ending):
    (tmp_path / "ant").mkdir()
    Image.new("RGB", (9, 9), (255, 0, 0)).save(tmp_path / "ant" / f"picture{ending}")
    pictures = mv.PictureFolder(tmp_path, preparation=sized(8))
    assert pictures.left_out == []
    torch.testing.assert_close(pictures[0][0].mean(dim=(1, 2)), torch.tensor([1.0, 0, 0]), atol=0.02, rtol=0)


def test_a_file_that_is_named_as_a_picture_is_one_even_if_it_is_damaged(folder):
    (folder / "ant" / "bad.png").write_text("no picture")
    pictures = mv.PictureFolder(folder)
    index = [name for name, _ in pictures.pictures].index("ant/bad.png")
    with pytest.raises(mv.FileError, match="ant/bad.png is not a picture"):
        pictures[index]
    with pytest.raises(mv.FileError, match="ant/bad.png is not a picture"):
        pictures.augmented(index, draw(0))


def data_set(place, names):
    """Make a small picture for each name that does not end in `/`, and a folder for the others."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).mkdir() if name.endswith("/") else Image.new("RGB", (9, 9)).save(place / name)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, "there is no folder"),
        ([], "holds nothing, but one folder for each class is expected: .*/CLASS/PICTURE"),
        (["a.png"], "holds only files, but one folder for each class is expected"),
        (["ant/", "bee/"], "the class folders of .* hold no pictures$"),
        (["ant/", "ant/.x.png"], r"the class folders of .* hold no pictures \(1 left out, such as 'ant/.x.png'\)"),
        (["ant/1.png", "wasp/"], "the class folder 'wasp' of .* holds no pictures: fill it or take it away"),
        (["ant/1.png", "wasp/.x.png"], r"the class folder 'wasp' .* no pictures \(1 left out, such as 'wasp/.x.png'\)"),
        (["train/ant/1.png", "train/bee/1.png"], "holds train, the parts of a data set .*: name .*/data/train instead"),
        (["train/ant/1.png", "val/ant/1.png"], "holds train and val, the parts of a data set and not its classes"),
        (["Test/ant/1.png", "Training/ant/1.png"], "holds Test and Training, the parts of a data set"),
    ],
    ids=["missing", "empty", "flat", "no pictures", "hidden", "one empty", "one hidden", "too deep", "root", "Root"],
)
def test_a_folder_that_is_no_data_set_is_an_error_that_says_what_is_expected(tmp_path, names, message):
    folder = tmp_path / "data"
    if names is not None:
        folder.mkdir()
        data_set(folder, names)
    with pytest.raises(mv.FileError, match=message):
        mv.PictureFolder(folder)


def test_classes_may_be_called_like_parts_of_a_data_set_where_they_hold_pictures(tmp_path):
    data_set(tmp_path, ["train/1.png", "train/red/2.png", "test/1.png"])  # locomotives, say
    assert mv.PictureFolder(tmp_path).classes == ["test", "train"]
    data_set(tmp_path, ["bus/deeper/1.png"])
    assert mv.PictureFolder(tmp_path).classes == ["bus", "test", "train"]


def test_a_link_above_its_class_folder_brings_no_pictures_of_other_classes(tmp_path):
    data_set(tmp_path / "set", ["ant/1.png", "bee/1.png"])
    (tmp_path / "set" / "ant" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "ant" / "further").symlink_to(tmp_path)
    assert mv.PictureFolder(tmp_path / "set").pictures == [("ant/1.png", 0), ("bee/1.png", 1)]


def test_with_a_label_map_classes_may_be_empty(tmp_path):
    data_set(tmp_path, ["ant/1.png", "wasp/"])
    assert len(mv.PictureFolder(tmp_path, ["ant", "wasp"])) == 1


def test_names_are_compared_without_regard_to_case():
    assert all(name == name.lower() for name in LEFT_BEHIND | PARTS)


# Random crops


def test_the_state_of_chance_fixes_the_part_that_is_cut(folder):
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "ant" / "one.png")
    pictures = mv.PictureFolder(folder, preparation=sized(24))
    first, again, other = (pictures.augmented(0, draw(*seed))[0] for seed in ((0, 0, 0), (0, 0, 0), (0, 1, 0)))
    assert first.shape == (3, 24, 24)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert pictures.augmented(4, draw(0))[1] == 2


def test_a_crop_of_a_grey_model_is_grey(folder):
    image, _ = mv.PictureFolder(folder, preparation=mv.Preparation(24, channels=1)).augmented(0, draw(0))
    assert image.shape == (1, 24, 24)


def test_a_crop_is_the_part_of_the_picture_that_was_drawn(monkeypatch):
    # Each pixel says where it is, so a crop can be read off its corners.
    x, y = np.meshgrid(np.linspace(0, 1, 200), np.linspace(0, 1, 150))
    image = Image.fromarray(np.round(255 * np.stack([x, y, 0 * x], axis=-1)).astype(np.uint8))
    boxes, random = drawn_boxes(monkeypatch), draw(3)
    for _ in range(400):
        crop = random_crop(image, 32, 3, random)
        left, top, right, bottom = boxes[-1]
        columns, rows = crop[0].mean(dim=0), crop[1].mean(dim=1)
        assert (rows.diff() >= 0).all()  # never upside down
        torch.testing.assert_close(columns.mean().item(), ((left + right) / 2 - 0.5) / 199, atol=0.01, rtol=0)
        torch.testing.assert_close(rows.mean().item(), ((top + bottom) / 2 - 0.5) / 149, atol=0.01, rtol=0)
        torch.testing.assert_close((columns[-1] - columns[0]).item(), (right - left) / 199 * 31 / 32, atol=0.02, rtol=0)
        torch.testing.assert_close((rows[-1] - rows[0]).item(), (bottom - top) / 149 * 31 / 32, atol=0.02, rtol=0)


def drawn_boxes(monkeypatch):
    boxes, resize = [], Image.Image.resize

    def watch(self, size, resample, box):
        boxes.append(tuple(int(side) for side in box))
        return resize(self, size, resample, box=box)

    monkeypatch.setattr(Image.Image, "resize", watch)
    return boxes


def boxes_of(monkeypatch, width, height, number=3000):
    """Return the parts drawn of a picture: left, top, and how far from there to the right and to the bottom."""
    boxes, random = drawn_boxes(monkeypatch), draw(1)
    for _ in range(number):
        random_crop(Image.new("L", (width, height)).convert("RGB"), 1, 3, random)
    left, top, right, bottom = np.array(boxes).T
    assert min(left.min(), top.min()) >= 0
    assert right.max() <= width
    assert bottom.max() <= height
    return left, top, right - left, bottom - top


def test_crops_have_areas_and_ratios_from_all_of_the_range_and_lie_anywhere(monkeypatch):
    left, top, w, h = boxes_of(monkeypatch, 120, 120)
    areas, ratios = w * h / 120**2, np.log(w / h)
    assert 0.075 < areas.min() < 0.085
    assert 0.98 < areas.max() <= 1
    assert -0.32 < ratios.min() < -0.27  # log of 3:4 is −0.288; sides are rounded
    assert 0.27 < ratios.max() < 0.32
    small = areas < 0.5  # these always fit
    assert np.mean(areas[small]) == pytest.approx((0.08 + 0.5) / 2, abs=0.01)
    assert np.mean(ratios[small]) == pytest.approx(0, abs=0.015)  # as often wide as high
    assert np.std(ratios[small]) == pytest.approx(2 * 0.2877 / 12**0.5, abs=0.01)
    assert np.mean(small) == pytest.approx(0.5, abs=0.1)
    # From one edge to the other, evenly.
    for first, side in ((left, w), (top, h)):
        assert first.min() == 0
        assert (first + side).max() == 120
        room = (120 - side) > 30
        assert np.mean(first[room] / (120 - side[room])) == pytest.approx(0.5, abs=0.02)
        assert (first == 0).any()
        assert (first[room] + side[room] == 120).any()


def test_where_no_draw_fits_the_crop_is_a_square_of_the_shorter_side(monkeypatch):
    left, top, w, h = boxes_of(monkeypatch, 400, 8, number=300)
    assert set(w) == set(h) == {8}
    assert set(top) == {0}
    assert left.min() < 40
    assert left.max() > 350


def test_the_smallest_picture_can_be_cut():
    crop = random_crop(Image.new("RGB", (1, 1), (255, 0, 0)), 4, 3, draw(0))
    assert torch.equal(crop, torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 4, 4))
