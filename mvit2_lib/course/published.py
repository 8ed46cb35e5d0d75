"""Tables of published numbers, each row with its source: small CSV files in `assets/published/`."""

import csv
from importlib.resources import files


def published(name: str) -> list[dict[str, str | float]]:
    """Return a table of published numbers, a dictionary for each row.

    Parameters
    ----------
    name : {"channel_order", "cvnets_names", "fusion", "imagenet", "recipes", "totals", "v2_against_v1"}
        "channel_order": which order of the colour channels published weights expect, and how one knows.

        "cvnets_names": the names and shapes of the tensors in Apple's checkpoint of ml-cvnets at α = 0.5, in its order.

        "fusion": top-1 accuracy on ImageNet-1k in per cent `without` and `with` the skip and the fusing convolution
        that MobileViTv2 dropped.

        "imagenet": accuracy and cost on ImageNet-1k as the MobileViTv2 paper prints them: `top1` in per cent,
        `parameters_m` in millions, `gmacs` in billions of multiply–accumulates (the paper's "FLOPs"), `pixels` a side,
        `iphone12_ms` for one picture and `v100_images_s` in batches of 128. Empty is what the source does not say;
        `note` corrects slips.

        "recipes": highest learning rate and weight decay for training on ImageNet-1k, which the paper gives for the
        widest model only, and the authors' documentation for each.

        "totals": parameters and multiply–accumulates of each width of MobileViTv2, from the paper's Table 6, and as
        timm counted them.

        "v2_against_v1": speed of MobileViT v1 and v2 models of about the same accuracy, side by side on the same
        device, for 256×256 pictures. `v1` and `v2` name the models; `v1_value` and `v2_value` are in the `unit`, "ms"
        for one picture or "img/s". `place` says where in the source a row stands. `batch` is empty where the source
        does not say.

    Returns
    -------
    list of dict
        Whatever reads as a number is a float.

    Raises
    ------
    ValueError
        If there is no table of that name.

    Notes
    -----
    Used in notebooks 04 to 07, and in 09.
    """
    folder = files("mvit2_lib") / "assets" / "published"
    tables = sorted(path.name.removesuffix(".csv") for path in folder.iterdir())
    if name not in tables:
        raise ValueError(f"there is no table {name!r}: choose one of {', '.join(map(repr, tables))}")
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
