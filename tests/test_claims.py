"""Numbers in the prose come from a cell or a published table, and sizes of models are what cost.py counts.

A number that a cell has *measured*, and that would be another on the next machine, may not stand in the prose at all:
what the text says of a measurement is in words, and an `assert` in the cell holds it.
"""

import csv
import re
from pathlib import Path

import nbformat
import pytest
import torch

import mvit2_lib as mv

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TABLES = (ROOT / "mvit2_lib" / "assets" / "published").glob("*.csv")
WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
CLAIM = re.compile(r"((?:\d+(?:\.\d+)?(?:, | and ))*\d+(?:\.\d+)?) (thousand|million|M|billion|G)\b")
UNITS = {"thousand": 1e3, "million": 1e6, "M": 1e6, "billion": 1e9, "G": 1e9}


def prose(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]


def alts(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    bundles = [output.get("data", {}) for cell in cells for output in cell.outputs]
    return [bundle["text/plain"] for bundle in bundles if "<img" in bundle.get("text/html", "")]


def shown(path):
    """Return all code, and what it puts out where that is compared; commas are taken out of numbers."""
    texts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            texts.append(cell.source)
            if "nbval-ignore-output" not in cell.metadata.get("tags", ()):
                for output in cell.outputs:
                    texts.append(output.get("text", "") + output.get("data", {}).get("text/plain", ""))
    return re.sub(r"(?<=\d)[,_](?=\d{3})", "", "\n".join(texts))


def published_numbers():
    return {value for table in TABLES for row in csv.reader(table.open(encoding="utf-8")) for value in row}


PUBLISHED = published_numbers()
# Numbers of other papers, each with its source in the sentence around it; they are in no table of ours.
QUOTED = {
    "00": {"1415", "5.5", "1.28", "38"},
    "01": {"65536", "262144"},
    "02": {"97", "382"},
    "04": {"2026"},
    "05": {"224", "18.45", "269", "300"},
    "06": {"74", "0.47", "0.39"},  # the last two are printed in notebook 00
    "07": {"0.9995", "68.74", "70.18", "300", "78.4", "78.2", "78.1", "1820", "4.5", "660", "0.98"},
    # What 8 bits hold; the paper's abstract; two years; and how many times slower a file was before it was mended.
    "09": {"127", "255", "3.2", "2022", "2024", "75"},
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_number_in_the_prose_comes_from_a_cell_or_a_table(path):
    numbers = set(re.findall(r"\d+(?:\.\d+)?", shown(path))) | PUBLISHED | QUOTED.get(path.name[:2], set())
    rounded = {
        f"{float(number) / unit:.{digits}f}"
        for number in numbers
        if _is_number(number)
        for unit in (1, 1e6, 1e9)
        for digits in (0, 1, 2, 3)
    }
    for text in prose(path):
        text = re.sub(r"^\*\d+ minutes: .*$", " ", text.partition("**References**")[0], flags=re.MULTILINE)
        text = re.sub(
            r"`[^`]*`|\]\([^)]*\)|arXiv \d{4}\.\d{5}|(?:Eqs?|Table|Tables|Fig|Section)s?\.? [\d.]+", " ", text
        )
        text = re.sub(r"(?<=\d)(?:\\,|\{,\}|\u202f|\u00a0| (?=\d{3}\b)|,(?=\d{3}\b))", "", text)
        text = re.sub(r"^#+ .*$|^\|.*\| \d+ \|$", " ", text, flags=re.MULTILINE)  # minutes have a test of their own
        for number in re.findall(r"(?<![\w.×^])\d+(?:\.\d+)?(?![\w×])", text):
            if len(number.replace(".", "").strip("0")) >= 2 and float(number) > 20 or "." in number:
                assert number in numbers | rounded, f"{number} in: {text.strip()[:400]}"


def _is_number(text):
    return re.fullmatch(r"\d+(?:\.\d+)?", text)


def model_sizes():
    """Return the parameters and multiply–accumulates of all published models, at the sizes the course speaks of."""
    with torch.device("meta"):
        for width in WIDTHS:
            for classes in (1000, 10450):
                model = mv.MobileViTv2(width, num_classes=classes)
                yield mv.count_parameters(model)
                yield from (mv.count_macs(model, 1, 3, side, side) for side in (256, 384, 512))


SIZES = set(model_sizes())


@pytest.mark.parametrize("path", [*NOTEBOOKS, ROOT / "README.md"], ids=lambda path: path.stem)
def test_sizes_of_models_in_the_prose_are_what_cost_counts_or_what_is_published(path):
    texts = [path.read_text(encoding="utf-8")] if path.suffix == ".md" else prose(path) + alts(path)
    for text in texts:
        for numbers, unit in CLAIM.findall(text):
            for number in re.findall(r"\d+(?:\.\d+)?", numbers):
                digits = len(number.partition(".")[2])
                close = any(f"{size / UNITS[unit]:.{digits}f}" == number for size in SIZES)
                known = number in PUBLISHED | QUOTED.get(path.name[:2], set())
                assert close or known, f"{number} {unit} in: {text[:300]}"


def test_a_wrong_size_would_be_noticed():
    assert not any(f"{size / 1e6:.2f}" == "1.38" for size in SIZES)
    assert any(f"{size / 1e6:.2f}" == "1.37" for size in SIZES)
    assert 18449329 in SIZES
