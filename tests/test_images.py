"""Pictures become the tensor that timm would make of them, or are refused with a reason."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
import references  # noqa: F401  timm needs its operators declared
import torch
from PIL import EpsImagePlugin, Image
from timm.data import ImageNetInfo, create_transform
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.data import reading
from mvit2_lib.data.reading import to_rgb


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
    with pytest.raises(mv.FileError, match=f"mode '{mode}' does not say which value is white"):
        mv.preprocess(Image.new(mode, (8, 6)))


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.full((8, 6, 3), np.nan), ValueError, "144 values of the picture are NaN"),
        (np.full((8, 6, 3), 255.0), ValueError, r"must lie in \[0, 1\], but this one spans 255 … 255: divide bytes"),
        (np.full((8, 6, 3), -np.inf), ValueError, r"must lie in \[0, 1\]"),
        (np.zeros((3, 8, 6), np.uint8), ValueError, r"shape \(3, 8, 6\): move the channels last"),
        (np.zeros((8, 6, 4), np.uint8), ValueError, r"expected an array \[H, W\] or \[H, W, 3\], but got shape"),
        (np.zeros((1, 8, 6, 3), np.uint8), ValueError, r"expected an array \[H, W\] or \[H, W, 3\]"),
        (np.zeros((0, 6, 3), np.uint8), ValueError, r"the picture is empty: its array has shape \(0, 6, 3\)"),
        (np.zeros((8, 6, 3), np.int64), ValueError, r"expected bytes \(uint8\) or floating-point .* got int64"),
        (np.zeros((8, 6), np.uint16), ValueError, r"expected bytes \(uint8\) or floating-point .* got uint16"),
        (Image.new("RGB", (0, 6)), ValueError, "the picture is empty: it has 0×6 pixels"),
        ("cat.jpg", TypeError, r"not a str: read a file with mv.open_image\(path\)"),
        (torch.zeros(3, 8, 6), TypeError, "expected a PIL image or a NumPy array, not a Tensor"),
    ],
)
def test_pictures_that_are_none_are_refused(picture, error, message):
    with pytest.raises(error, match=message) as refused:
        mv.preprocess(picture)
    assert not isinstance(refused.value, mv.FileError)  # there is no file that could be wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 0}, "image_size must be a whole number from 1 to 4096, not 0"),
        ({"image_size": 4097}, "image_size must be a whole number from 1 to 4096, not 4097"),
        ({"image_size": 64.0}, "image_size must be a whole number from 1 to 4096, not 64.0"),
        ({"image_size": True}, "image_size must be a whole number from 1 to 4096, not True"),
        ({"crop_fraction": 0.0}, "crop_fraction must be a number from 0.1 to 1, not 0.0"),
        ({"crop_fraction": 1.1}, "crop_fraction must be a number from 0.1 to 1, not 1.1"),
        ({"crop_fraction": float("nan")}, "crop_fraction must be a number from 0.1 to 1, not nan"),
        ({"crop_fraction": True}, "crop_fraction must be a number from 0.1 to 1, not True"),
        ({"channels": 4}, r"channels must be 3 \(RGB\) or 1 \(grey\), not 4"),
        ({"interpolation": "nearest"}, "interpolation must be 'bicubic' or 'bilinear', not 'nearest'"),
    ],
)
def test_impossible_preparations_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mv.preprocess(noise(8, 6, 3), **options)
    with pytest.raises(ValueError, match=message):
        mv.Preparation(**options)


def test_a_preparation_does_to_pictures_what_its_settings_say():
    picture = Image.fromarray(noise(60, 80, 3))
    for settings in ((64, 0.7, 3, "bicubic"), (31, 1.0, 1, "bilinear")):
        assert torch.equal(mv.Preparation(*settings)(picture), mv.preprocess(picture, *settings))
    assert torch.equal(mv.Preparation()(picture), mv.preprocess(picture))
    assert mv.Preparation()(np.asarray(picture)).shape == (1, 3, 256, 256)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "tiff", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_files_cut_short_are_refused(kind, share, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(buffer, kind)
    path = tmp_path / f"picture.{kind}"
    path.write_bytes(buffer.getvalue()[: int(share * len(buffer.getvalue()))])
    with pytest.raises(mv.FileError, match=rf"picture.{kind} (is damaged, cut short|is not a picture)"):
        mv.open_image(path)


def test_files_that_are_no_pictures_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(mv.FileError, match="notes.txt is not a picture in one of the formats JPEG, .*PNG, .*PPM"):
        mv.open_image(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        mv.open_image(tmp_path / "nowhere.png")
    with pytest.raises(mv.FileError, match="is not a file"):
        mv.open_image(tmp_path)


def test_a_file_that_may_not_be_read_is_a_permission_error(tmp_path, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    Image.new("L", (4, 4)).save(tmp_path / "picture.png")
    monkeypatch.setattr(Image, "open", forbidden)
    with pytest.raises(PermissionError):
        mv.open_image(tmp_path / "picture.png")


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("name", ["a.jpg", "a.eps", "a"])
def test_no_other_program_is_started_for_a_picture(name, tmp_path, monkeypatch):
    trace = tmp_path / "ghostscript-was-started"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\necho >> '{trace}'\nexit 1\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # not looked for yet
    (tmp_path / name).write_bytes(POSTSCRIPT)
    with Image.open(tmp_path / name) as image, pytest.raises(Exception, match="gs"):
        image.load()
    assert trace.exists()  # Pillow by itself does start it
    trace.unlink()
    with pytest.raises(mv.FileError, match=f"{name} is not a picture in one of the formats"):
        mv.open_image(tmp_path / name)
    assert not trace.exists()


OTHERS = ("AVIF", "BLP", "DDS", "DIB", "ICNS", "ICO", "IM", "JPEG2000", "MSP", "PCX", "QOI", "SGI", "SPIDER", "TGA")


@pytest.mark.filterwarnings("ignore:IM image format is deprecated")
@pytest.mark.parametrize("kind", OTHERS)
def test_formats_that_are_not_on_the_list_are_refused_whatever_the_file_is_called(kind, tmp_path):
    Image.init()
    path = tmp_path / "picture.png"
    image = Image.new({"BLP": "P", "MSP": "1"}.get(kind, "RGB"), (32, 32))
    content = io.BytesIO()  # without a name: writing SPIDER, Pillow would learn to write it for every .png
    try:
        image.save(content, kind)
    except (KeyError, OSError) as error:
        pytest.skip(f"this Pillow cannot write {kind}: {error}")
    path.write_bytes(content.getvalue())
    with Image.open(path) as opened:
        assert opened.format == kind  # Pillow by itself reads it
    with pytest.raises(mv.FileError, match="picture.png is not a picture in one of the formats"):
        mv.open_image(path)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("MPO", "RGB"), ("PNG", "RGBA"), ("GIF", "P"), ("BMP", "RGB"), ("WEBP", "RGB"), ("TIFF", "RGB"),
     ("PPM", "RGB"), ("PPM", "L"), ("PPM", "1")],
)  # fmt: skip
def test_what_cameras_phones_and_the_web_write_is_read(kind, mode, tmp_path):
    options = {"save_all": True, "append_images": [Image.new("RGB", (9, 8))]} if kind == "MPO" else {}
    Image.new("RGB", (9, 8), "white").convert(mode).save(tmp_path / "picture", kind, **options)
    assert np.asarray(mv.open_image(tmp_path / "picture")).tolist() == [9 * [[255, 255, 255]]] * 8


def png(width, height, data=b"", more=b""):
    """Return a PNG file of black and white pixels; `data` is compressed already."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + (more and chunk(*more)) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((32768, 16385), "is too large: it has 32768×16385 pixels"),
        ((2**31 - 1, 1), "is too large: it has 2147483647×1 pixels"),
        ((32768, 16384), "is damaged, cut short"),  # large enough: only its pixels are missing
        ((15000, 15000), "is damaged, cut short"),
    ],
)
def test_the_largest_picture_has_half_a_billion_pixels(size, message, tmp_path):
    (tmp_path / "large.png").write_bytes(png(*size))
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(mv.FileError, match=f"large.png {message}"):
            mv.open_image(tmp_path / "large.png")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_pillows_own_limit_does_not_hold_here_and_stays_as_it_was(tmp_path, monkeypatch):
    """The short form of the next test."""
    Image.new("L", (64, 64), 77).save(tmp_path / "large.png")
    (tmp_path / "none.png").write_bytes(b"")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "large.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mv.open_image(tmp_path / "large.png").size == (64, 64)
    assert Image.MAX_IMAGE_PIXELS == 1000
    with pytest.raises(mv.FileError):
        mv.open_image(tmp_path / "none.png")
    assert Image.MAX_IMAGE_PIXELS == 1000
    monkeypatch.setattr(reading, "LARGEST", 64 * 64)
    mv.open_image(tmp_path / "large.png")
    monkeypatch.setattr(reading, "LARGEST", 64 * 64 - 1)
    with pytest.raises(mv.FileError, match="large.png is too large: it has 64×64 pixels"):
        mv.open_image(tmp_path / "large.png")


@pytest.mark.slow
def test_a_picture_of_two_hundred_megapixels_is_read(tmp_path):
    """It takes 1.4 GB of memory."""
    compress = zlib.compressobj(1)
    rows = b"".join(compress.compress(b"\0" + b"\xf0" * 1775) for _ in range(14200))
    (tmp_path / "large.png").write_bytes(png(14200, 14200, rows + compress.flush()))
    limit = Image.MAX_IMAGE_PIXELS
    picture = mv.open_image(tmp_path / "large.png")
    assert picture.size == (14200, 14200)
    assert picture.getpixel((0, 14199)) == (255, 255, 255)
    assert picture.getpixel((14199, 0)) == (0, 0, 0)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_warning_of_pillows_says_which_file_it_means(tmp_path):
    animated = (b"acTL", struct.pack(">II", 0, 0))  # an animation without a picture
    path = tmp_path / "odd\nname.png"
    path.write_bytes(png(8, 8, zlib.compress(b"\0\xaa" * 8), animated))
    with pytest.warns(UserWarning, match="Invalid APNG") as caught:
        assert mv.open_image(path).size == (8, 8)
    assert [str(warning.message).partition("Invalid")[0] for warning in caught] == [f"{tmp_path}/odd\\nname.png: "]


@pytest.mark.parametrize("name", ["line\nfeed.png", "red\x1b[31m.png", "c1\x9b31m.png", "carriage\rreturn.png"])
@pytest.mark.parametrize("content", [b"no picture", b"", png(4, 4), png(2**20, 2**20), b"GIF89a\1"])
def test_no_name_of_a_file_can_control_the_terminal(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(mv.FileError) as refused:
        mv.open_image(tmp_path / name)
    assert str(refused.value).isprintable()
    assert ascii(name)[1:-1] in str(refused.value)


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
    with pytest.raises(mv.FileError, match="a sixteen-bit picture with transparency, inverted or with unused bits"):
        mv.open_image(path)


def test_transparency_does_not_let_unclear_pictures_through(tmp_path):
    Image.fromarray(np.array([[1000, 65535]], np.uint16)).save(tmp_path / "deep.png", transparency=1000)
    with pytest.raises(mv.FileError, match="a sixteen-bit picture with transparency"):
        mv.open_image(tmp_path / "deep.png")
    image = Image.new("I", (2, 2), 40000)
    image.info["transparency"] = 0
    with pytest.raises(mv.FileError, match="mode 'I' does not say which value is white"):
        to_rgb(image)


@pytest.mark.parametrize(
    "content", [b"P6 4 x 255\n", b"\x89PNG\r\n\x1a\n\0\0\0\4IHDR\0\0\0\1\0\0\0\0"], ids=["ppm", "png"]
)
def test_broken_headers_are_image_errors_and_nothing_else(content, tmp_path):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(mv.FileError):
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
    with pytest.raises(mv.FileError, match="the picture is damaged or cut short"):
        mv.preprocess(Image.open(io.BytesIO(buffer.getvalue()[:1500])))


def test_a_line_is_no_picture_and_costs_no_memory():
    with pytest.raises(mv.FileError, match="1×20000 pixels is a line"):
        mv.preprocess(Image.new("RGB", (1, 20000)))


def test_class_names_stand_in_the_order_of_timm():
    info = ImageNetInfo()
    assert mv.imagenet_classes() == tuple(info.index_to_description(index) for index in range(1000))


def test_sample_pictures_are_photographs_of_the_stated_kinds():
    assert mv.sample_picture().size == (451, 300)
    for name in ("chelsea", "coffee", "rocket"):
        assert mv.sample_picture(name).mode == "RGB"
    with pytest.raises(
        ValueError,
        match="no sample picture 'dog': choose one of 'chelsea', 'coffee', 'rocket', 'brick', 'grass', 'gravel'",
    ):
        mv.sample_picture("dog")


def test_a_pipe_is_not_a_picture_and_nobody_waits_for_it(tmp_path):
    mkfifo = getattr(os, "mkfifo", None) or pytest.skip("no pipes with names here")
    mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        with pytest.raises(mv.FileError, match="is not a file"):
            mv.open_image(path)


def test_one_channel_is_pillows_grey():
    photograph = mv.sample_picture("chelsea")
    grey = mv.preprocess(photograph, channels=1)
    assert grey.shape == (1, 1, 256, 256)
    red, green, blue = mv.preprocess(photograph)[0]
    torch.testing.assert_close(grey[0, 0], 0.299 * red + 0.587 * green + 0.114 * blue, rtol=0, atol=0.005)


def test_the_interpolation_matters():
    photograph = mv.sample_picture("chelsea")
    assert (mv.preprocess(photograph) - mv.preprocess(photograph, interpolation="bilinear")).abs().max() > 0.01
