"""A referee that cannot be had is said to be missing, and timm's digit model is ours under timm's names."""

import numpy as np
import pytest
import torch
from PIL import Image
from references import timm
from torch.testing import assert_close

import mvit2_lib as mv
from mvit2_lib.course.referees import referee, timm_digits


def test_a_referee_that_is_not_installed_is_left_out_with_a_line_that_says_so(capsys):
    assert referee("no_such_referee") is None
    line = "no_such_referee cannot be used here (it is not installed), so this comparison is left out\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize("error", ["ImportError", "RuntimeError"])
def test_a_referee_whose_import_fails_is_left_out_with_the_reason(error, tmp_path, monkeypatch, capsys):
    (tmp_path / f"broken_by_{error.lower()}.py").write_text(f"raise {error}('built for another PyTorch')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert referee(f"broken_by_{error.lower()}") is None
    assert f"({error}: built for another PyTorch), so this comparison" in capsys.readouterr().out


def test_a_referee_that_is_there_is_returned_without_a_word(capsys):
    assert referee("json").loads("[1]") == [1]
    assert capsys.readouterr().out == ""


def test_timm_s_digit_model_takes_the_picture_as_ours_does_and_gives_our_logits():
    theirs, settings = timm_digits(timm)
    assert not any(module.training for module in theirs.modules())
    ours, pixels = mv.load_pretrained("digits"), np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    their_input, our_input = timm.data.create_transform(**settings)(picture), ours.preparation(picture)
    assert_close(their_input.reshape(our_input.shape), our_input, rtol=0, atol=0.01)
    with torch.inference_mode():
        x = our_input.reshape(1, *settings["input_size"])
        assert_close(theirs(x), ours.model.eval()(x), rtol=0, atol=1e-4)
