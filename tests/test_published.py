"""The tables of published numbers can be read, and every row names its source."""

import statistics
from pathlib import Path

import pytest

from mvit2_lib.course.published import published


def test_every_speed_row_names_two_models_two_values_and_a_source():
    pairs = {("XXS", 0.5), ("XS", 0.75), ("S", 1.0)}
    rows = published("v2_against_v1")
    for row in rows:
        assert (row["v1"], row["v2"]) in pairs
        assert row["unit"] in ("ms", "img/s")
        assert row["v1_value"] > 0 < row["v2_value"]
        assert row["url"].startswith("https://")
        assert row["source"]
        assert row["device"]
    assert len({tuple(row.items()) for row in rows}) == len(rows)


def test_the_paper_s_own_numbers_are_there():
    rows = [row for row in published("v2_against_v1") if row["device"] == "iPhone 12"]
    assert [(row["v1_value"], row["v2_value"]) for row in rows] == [(4.8, 1.6), (9.9, 3.4)]


def test_elsewhere_the_factor_is_nearer_to_one_than_to_three():
    ratios = [
        row["v2_value"] / row["v1_value"] if row["unit"] == "img/s" else row["v1_value"] / row["v2_value"]
        for row in published("v2_against_v1")
        if row["device"] != "iPhone 12"
    ]
    assert max(ratios) < 2
    assert statistics.median(ratios) < 1.25


def test_an_unknown_table_is_refused_by_name():
    with pytest.raises(ValueError, match="no table 'speeds': choose one of .*'v2_against_v1'"):
        published("speeds")


def test_the_readme_prints_the_published_learning_rates():
    rows, readme = published("recipes"), (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for title, key, digits in (("highest learning rate", "learning_rate", 4), ("weight decay", "weight_decay", 3)):
        assert f"| {title} | " + " | ".join(f"{row[key]:.{digits}f}" for row in rows) + " |" in readme
    assert "| width α | " + " | ".join(str(row["width_multiplier"]) for row in rows) + " |" in readme
