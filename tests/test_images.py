"""Pictures become the tensor that timm would make of them, or are refused with a reason."""

import io
import os

import numpy as np
import pytest
import references  # noqa: F401  timm needs its operators declared
import torch
from PIL import Image
from timm.data import ImageNetInfo, create_transform
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.images import to_rgb


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(300, 451), (451, 300), (288, 288), (100, 37), (1, 500), (257, 999), (1333, 800)])
@pytest.mark.parametrize(("image_size", "crop_fraction"), [(256, 0.888), (384, 1.0), (97, 0.9)])
def test_preprocess_equals_timm_evaluation_transform(size, image_size, crop_fraction):
    image = Image.fromarray(noise(*size, 3))
    transform = create_transform(
        (3, image_size, image_size),
        interpolation="bicubic",
        crop_pct=crop_fraction,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    )
    expected = transform(image)[None]
    assert_close(mv.preprocess(image, image_size, crop_fraction), expected, rtol=0, atol=1e-7)


def test_the_channel_order_is_red_green_blue():
    orange = mv.preprocess(np.full((40, 50, 3), (255, 102, 0), dtype=np.uint8))
    assert orange.shape == (1, 3, 256, 256)
    assert orange.dtype == torch.float32
    assert_close(orange.mean(dim=(0, 2, 3)), torch.tensor([1.0, 0.4, 0.0]))


def test_bytes_and_floats_and_pil_images_give_the_same_tensor():
    pixels = noise(60, 80, 3)
    expected = mv.preprocess(Image.fromarray(pixels))
    assert torch.equal(mv.preprocess(pixels), expected)
    assert torch.equal(mv.preprocess(pixels / 255), expected)
    assert torch.equal(mv.preprocess((pixels / 255).astype(np.float32)), expected)


def test_grey_arrays_become_three_equal_channels():
    batch = mv.preprocess(noise(60, 80))
    assert torch.equal(batch[:, 0], batch[:, 1])
    assert torch.equal(batch[:, 0], batch[:, 2])
    assert batch.std() > 0.05


def in_mode(mode, color):
    return Image.new(mode, (8, 6), color)


# What a person sees in a picture of one colour, by mode. 16-bit grey 32896 is the middle, 128 of 255.
CONVERTED = {
    "grey": (in_mode("L", 77), (77, 77, 77)),
    "black and white": (in_mode("1", 1), (255, 255, 255)),
    "16-bit middle": (in_mode("I;16", 32896), (128, 128, 128)),
    "16-bit white": (in_mode("I;16", 65535), (255, 255, 255)),
    "16-bit dark": (in_mode("I;16", 257), (1, 1, 1)),
    "cyan ink": (in_mode("CMYK", (255, 0, 0, 0)), (0, 255, 255)),
    "no ink": (in_mode("CMYK", (0, 0, 0, 0)), (255, 255, 255)),
    "black ink": (in_mode("CMYK", (0, 0, 0, 255)), (0, 0, 0)),
    "opaque": (in_mode("RGBA", (10, 20, 30, 255)), (10, 20, 30)),
    "transparent black": (in_mode("RGBA", (0, 0, 0, 0)), (255, 255, 255)),
    "half transparent": (in_mode("RGBA", (0, 0, 0, 51)), (204, 204, 204)),
    "grey and alpha": (in_mode("LA", (0, 0)), (255, 255, 255)),
    "yellow light": (in_mode("HSV", (43, 255, 255)), (255, 255, 0)),
}


@pytest.mark.parametrize("case", CONVERTED)
def test_pictures_of_every_mode_keep_the_colour_a_person_sees(case):
    image, expected = CONVERTED[case]
    assert np.abs(np.asarray(to_rgb(image), dtype=int) - expected).max() <= 4  # HSV hues are coarse; the rest is exact


def test_palette_pictures_are_looked_up_and_their_transparent_colour_becomes_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 30, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "opaque.png")
    assert np.asarray(mv.open_image(tmp_path / "opaque.png")).tolist() == [[[200, 10, 30], [0, 0, 255]]]
    image.save(tmp_path / "seen-through.png", transparency=1)
    assert np.asarray(mv.open_image(tmp_path / "seen-through.png")).tolist() == [[[200, 10, 30], [255, 255, 255]]]


def test_sixteen_bit_png_files_keep_their_greys(tmp_path):
    Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16)).save(tmp_path / "deep.png")
    assert np.asarray(mv.open_image(tmp_path / "deep.png"))[0, :, 0].tolist() == [0, 128, 255]


def test_pictures_are_turned_upright_as_their_exif_tag_says(tmp_path):
    image = Image.fromarray(noise(20, 30, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    image.save(tmp_path / "sideways.png", exif=exif)
    assert np.array_equal(np.asarray(mv.open_image(tmp_path / "sideways.png")), np.rot90(np.asarray(image), -1))


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_pictures_without_a_defined_white_are_refused(mode):
    with pytest.raises(mv.ImageError, match=f"mode '{mode}' does not say which value is white"):
        mv.preprocess(Image.new(mode, (8, 6)))


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.full((8, 6, 3), np.nan), mv.ImageError, "144 values of the picture are NaN"),
        (np.full((8, 6, 3), 255.0), mv.ImageError, r"must lie in \[0, 1\], but this one spans 255 … 255: divide bytes"),
        (np.full((8, 6, 3), -np.inf), mv.ImageError, r"must lie in \[0, 1\]"),
        (np.zeros((3, 8, 6), np.uint8), mv.ImageError, r"shape \(3, 8, 6\): move the channels last"),
        (np.zeros((8, 6, 4), np.uint8), mv.ImageError, r"expected an array \[H, W\] or \[H, W, 3\], but got shape"),
        (np.zeros((1, 8, 6, 3), np.uint8), mv.ImageError, r"expected an array \[H, W\] or \[H, W, 3\]"),
        (np.zeros((0, 6, 3), np.uint8), mv.ImageError, r"the picture is empty: its array has shape \(0, 6, 3\)"),
        (np.zeros((8, 6, 3), np.int64), mv.ImageError, r"expected bytes \(uint8\) or floating-point .* got int64"),
        (np.zeros((8, 6), np.uint16), mv.ImageError, r"expected bytes \(uint8\) or floating-point .* got uint16"),
        (Image.new("RGB", (0, 6)), mv.ImageError, "the picture is empty: it has 0×6 pixels"),
        ("cat.jpg", TypeError, r"not a str: read a file with mv.open_image\(path\)"),
        (torch.zeros(3, 8, 6), TypeError, "expected a PIL image or a NumPy array, not a Tensor"),
    ],
)
def test_pictures_that_are_none_are_refused(picture, error, message):
    with pytest.raises(error, match=message):
        mv.preprocess(picture)


@pytest.mark.parametrize(("image_size", "crop_fraction"), [(0, 0.9), (64, 0.0), (64, 1.1)])
def test_impossible_sizes_are_refused(image_size, crop_fraction):
    with pytest.raises(ValueError, match="image_size must be from 1 to 4096 and crop_fraction from 0.1 to 1"):
        mv.preprocess(noise(8, 6, 3), image_size, crop_fraction)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "tiff", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_files_cut_short_are_refused(kind, share, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(buffer, kind)
    path = tmp_path / f"picture.{kind}"
    path.write_bytes(buffer.getvalue()[: int(share * len(buffer.getvalue()))])
    with pytest.raises(mv.ImageError, match=rf"picture.{kind} (is damaged, cut short|is not a picture)"):
        mv.open_image(path)


def test_files_that_are_no_pictures_are_refused(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(mv.ImageError, match="notes.txt is not a picture that Pillow can read"):
        mv.open_image(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        mv.open_image(tmp_path / "nowhere.png")
    with pytest.raises(mv.ImageError, match="is not a file"):
        mv.open_image(tmp_path)
    Image.new("L", (64, 64)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(mv.ImageError, match="bomb.png is damaged, cut short or too large"):
        mv.open_image(tmp_path / "bomb.png")


def save_tiff(path, levels, **tags):
    from PIL import TiffImagePlugin

    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info[int(tag.removeprefix("tag"))] = value
    Image.fromarray(np.array(levels, dtype=np.uint16)).save(path, tiffinfo=info)


@pytest.mark.parametrize("tags", [{"tag262": 0}, {"tag258": 12}], ids=["white is zero", "twelve bits"])
def test_sixteen_bit_pictures_of_another_meaning_are_refused(tags, tmp_path, monkeypatch):
    path = tmp_path / "scan.tif"
    save_tiff(path, [[0, 65535]])
    original = Image.open

    def open_with_tags(*arguments, **options):
        image = original(*arguments, **options)
        for tag, value in tags.items():
            number = int(tag.removeprefix("tag"))
            image.tag_v2._tags_v2[number] = value if number == 262 else (value,)
        return image

    assert np.asarray(mv.open_image(path))[0, :, 0].tolist() == [0, 255]
    monkeypatch.setattr(Image, "open", open_with_tags)
    with pytest.raises(mv.ImageError, match="a sixteen-bit picture with transparency, inverted or with unused bits"):
        mv.open_image(path)


def test_transparency_does_not_let_unclear_pictures_through(tmp_path):
    Image.fromarray(np.array([[1000, 65535]], np.uint16)).save(tmp_path / "deep.png", transparency=1000)
    with pytest.raises(mv.ImageError, match="a sixteen-bit picture with transparency"):
        mv.open_image(tmp_path / "deep.png")
    image = Image.new("I", (2, 2), 40000)
    image.info["transparency"] = 0
    with pytest.raises(mv.ImageError, match="mode 'I' does not say which value is white"):
        to_rgb(image)


@pytest.mark.parametrize(
    "content", [b"P6 4 x 255\n", b"\x89PNG\r\n\x1a\n\0\0\0\4IHDR\0\0\0\1\0\0\0\0"], ids=["ppm", "png"]
)
def test_broken_headers_are_image_errors_and_nothing_else(content, tmp_path):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(mv.ImageError):
        mv.open_image(tmp_path / "broken")


def test_a_damaged_exif_block_leaves_the_picture_as_it_is(tmp_path, monkeypatch):
    from PIL import ImageOps

    pixels = noise(20, 30, 3)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    monkeypatch.setattr(ImageOps, "exif_transpose", lambda image: 1 / 0)
    assert np.array_equal(np.asarray(mv.open_image(tmp_path / "picture.png")), pixels)


def test_a_picture_opened_elsewhere_and_cut_short_is_an_image_error(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(buffer, "jpeg")
    with pytest.raises(mv.ImageError, match="the picture is damaged or cut short"):
        mv.preprocess(Image.open(io.BytesIO(buffer.getvalue()[:1500])))


def test_a_line_is_no_picture_and_costs_no_memory():
    with pytest.raises(mv.ImageError, match="1×20000 pixels is a line"):
        mv.preprocess(Image.new("RGB", (1, 20000)))


def test_class_names_stand_in_the_order_of_timm():
    info = ImageNetInfo()
    assert mv.imagenet_classes() == tuple(info.index_to_description(index) for index in range(1000))


def test_sample_pictures_are_photographs_of_the_stated_kinds():
    assert mv.sample_picture().size == (451, 300)
    for name in ("chelsea", "coffee", "rocket"):
        assert mv.sample_picture(name).mode == "RGB"
    with pytest.raises(ValueError, match="no sample picture 'dog': choose 'chelsea', 'coffee' or 'rocket'"):
        mv.sample_picture("dog")


def test_a_pipe_is_not_a_picture_and_nobody_waits_for_it(tmp_path):
    mkfifo = getattr(os, "mkfifo", None) or pytest.skip("no pipes with names here")
    mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        with pytest.raises(mv.ImageError, match="is not a file"):
            mv.open_image(path)


def test_one_channel_is_pillows_grey():
    photograph = mv.sample_picture("chelsea")
    grey = mv.preprocess(photograph, channels=1)
    assert grey.shape == (1, 1, 256, 256)
    red, green, blue = mv.preprocess(photograph)[0]
    torch.testing.assert_close(grey[0, 0], 0.299 * red + 0.587 * green + 0.114 * blue, rtol=0, atol=0.005)
    with pytest.raises(ValueError, match="channels must be 3"):
        mv.preprocess(photograph, channels=4)


def test_the_interpolation_matters_and_is_checked():
    photograph = mv.sample_picture("chelsea")
    assert (mv.preprocess(photograph) - mv.preprocess(photograph, interpolation="bilinear")).abs().max() > 0.01
    with pytest.raises(ValueError, match="'bicubic' or 'bilinear', not 'nearest'"):
        mv.preprocess(photograph, interpolation="nearest")
