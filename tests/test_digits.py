"""The shipped digit model is small, as accurate as the course says, and a product of the code beside it."""

from importlib.resources import files

import pytest
import torch

import mvit2_lib as mv
from mvit2_lib.checkpoints import DIGITS
from mvit2_lib.training import accuracy, distort, train


def test_the_shipped_model_recognises_digits_it_never_saw():
    images, labels = mv.load_digits("test")
    assert accuracy(mv.load_pretrained("digits"), images, labels) >= 0.97


def test_the_shipped_file_is_small_and_comes_in_evaluation_mode():
    assert (files("mvit2_lib") / "assets" / "digits.safetensors").stat().st_size < 700_000
    assert not mv.load_pretrained("digits").training


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


def trained(pictures, epochs):
    torch.manual_seed(0)
    model = mv.MobileViTv2(**DIGITS)
    images, labels = mv.load_digits("train")
    train(model, images[:pictures], labels[:pictures], epochs)
    return model


def test_training_learns():
    model = trained(pictures=512, epochs=8)
    images, labels = mv.load_digits("test")
    assert accuracy(model, images, labels) > 0.5  # a guess is right one time in ten
    assert not model.training


def test_training_is_repeatable_bit_for_bit():
    first, again = trained(pictures=128, epochs=2), trained(pictures=128, epochs=2)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_distortions_differ_from_picture_to_picture_and_stay_small():
    images = mv.load_digits("train")[0][:1].expand(40, -1, -1, -1)
    distorted = distort(images, torch.Generator().manual_seed(1))
    assert distorted.shape == images.shape
    assert not torch.equal(distorted[0], distorted[1])
    rows = torch.linspace(-1, 1, 64)
    centre = (distorted.sum(dim=(1, 3)) * rows).sum(dim=1) / distorted.sum(dim=(1, 2, 3))
    original = (images.sum(dim=(1, 3)) * rows).sum(dim=1) / images.sum(dim=(1, 2, 3))
    assert (centre - original).abs().max() < 0.4
    assert (centre - original).std() > 0.05


def test_distortions_turn_and_scale():
    square = torch.zeros(1, 1, 64, 64)
    square[..., 22:42, 22:42] = 1
    distorted = distort(square.expand(200, -1, -1, -1), torch.Generator().manual_seed(1))
    areas = distorted.sum(dim=(1, 2, 3)) / 400
    assert areas.min() < 0.92
    assert areas.max() > 1.08
    # Turned, a square has a longer way from corner to corner along the axes.
    heights = (distorted.amax(dim=3) > 0.5).sum(dim=2)[:, 0] / areas.sqrt() / 20
    assert heights.max() > 1.1


def test_accuracy_is_measured_in_evaluation_mode():
    model = mv.load_pretrained("digits").train()
    images, labels = mv.load_digits("test")
    assert accuracy(model, images[:20], labels[:20]) >= 0.9
    assert not model.training
