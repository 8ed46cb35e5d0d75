"""Tables take on the reader's theme, and stand beside themselves as plain text that nbval can compare."""

import html
import re

import numpy as np
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from mvit2_lib.course import tables

SENTENCE = "Its answers agree with the published ones in one order of the channels and not in the other."
ROWS = [
    {"program": "timm", "parameters": 1234567, "share": "78.1%", "how one knows": SENTENCE},
    {"program": "ml-cvnets", "parameters": 12, "share": "–", "how one knows": "a < b & c"},
]


@pytest.fixture
def shown(monkeypatch):
    """Return a function that shows a table and returns its HTML and its plain text."""
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(InteractiveShell.instance(), "display_pub", publisher)

    def show(*args, **kwargs):
        publisher.outputs.clear()
        tables.show(*args, **kwargs)
        (output,) = publisher.outputs
        assert sorted(output["data"]) == ["text/html", "text/plain"]
        return output["data"]["text/html"], output["data"]["text/plain"]

    return show


def cells(page):
    """Return the rows of an HTML table, each cell as its kind, its side and its text."""
    pattern = r'<(t[hd]) style="text-align:(\w+);[^"]*">(.*?)</t[hd]>'
    return [
        [(kind, side, html.unescape(text)) for kind, side, text in re.findall(pattern, row)]
        for row in re.findall(r"<tr>(.*?)</tr>", page)
    ]


def test_plain_text_is_aligned_numbers_on_the_right_words_on_the_left_and_long_texts_wrapped(shown):
    _, text = shown(ROWS)
    assert text == (
        "program    parameters  share  how one knows\n"
        "---------  ----------  -----  -----------------------------------------------------------------\n"
        "timm        1,234,567  78.1%  Its answers agree with the published ones in one order of the\n"
        "                              channels and not in the other.\n"
        "ml-cvnets          12      –  a < b & c"
    )


def test_html_has_a_heading_row_the_same_texts_escaped_and_the_same_sides(shown):
    page, _ = shown(ROWS)
    sides = "left", "right", "right", "left"
    heads, *rows = cells(page)
    assert heads == [("th", side, head) for side, head in zip(sides, ROWS[0], strict=True)]
    texts = [["timm", "1,234,567", "78.1%", SENTENCE], ["ml-cvnets", "12", "–", "a < b & c"]]
    assert rows == [[("td", *cell) for cell in zip(sides, row, strict=True)] for row in texts]
    assert "a &lt; b &amp; c" in page


def test_html_sets_no_colour_of_its_own_and_is_never_wider_than_its_place(shown):
    page, _ = shown(ROWS, "a caption")
    assert set(re.findall(r"(?:color|background)[^:;\"]*:([^;\"]*)", page)) <= {"inherit"}
    assert "#" not in page
    assert "max-width:100%" in page
    (long,) = re.findall(rf'<td style="([^"]*)">{re.escape(SENTENCE)}', page)
    assert "white-space:normal" in long  # it wraps,
    assert re.search(r"white-space:nowrap[^>]*>1,234,567<", page)  # and a number does not


def test_a_caption_stands_above_both(shown):
    page, text = shown(ROWS, "what is known & how")
    assert text.splitlines()[0] == "what is known & how"
    assert "<caption" in page
    assert "what is known &amp; how</caption>" in page
    assert "<caption" not in shown(ROWS)[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567, "1,234,567"), (np.int64(4096), "4,096"), (0.25, "0.25"), (-5, "-5"), (True, "True"), ("a\nb", "a b")],
)
def test_whole_numbers_get_separators_and_everything_else_stands_as_it_is(shown, value, text):
    page, plain = shown([{"x": value}])
    assert plain.splitlines()[2].strip() == text
    assert cells(page)[1][0][2] == text


@pytest.mark.parametrize(
    ("values", "side"),
    [
        ((1, 2.5), "right"),
        (("12 %", "≈ 3.1×"), "right"),
        (("−0.5", "–"), "right"),
        (("–", ""), "left"),
        (("1", "v2"), "left"),
        (("2 layers",), "left"),
    ],
)
def test_a_column_stands_on_the_right_if_all_that_it_holds_are_numbers(shown, values, side):
    page, _ = shown([{"x": value} for value in values])
    assert {cell[1] for row in cells(page) for cell in row} == {side}


@pytest.mark.parametrize("columns", [1, 4, 8, 12])
def test_plain_text_is_complete_and_at_most_95_columns_wide(shown, columns):
    words = [f"word{i}" for i in range(15)]
    rows = [{f"column {c}": " ".join(words) for c in range(columns)} for _ in range(2)]
    _, text = shown(rows, "A caption that is much longer than a line has room for. " * 3)
    assert max(map(len, text.splitlines())) <= 95
    for word in words:
        assert len(re.findall(rf"\b{word}\b", text)) == 2 * columns


def test_a_word_longer_than_a_line_is_broken_and_a_number_never(shown):
    others = {f"other {i}": "a few more words " * 5 for i in range(5)}
    _, text = shown([{"path": "x" * 200, "count": 10**15} | others])
    assert max(map(len, text.splitlines())) <= 95
    assert text.count("x") == 200
    assert "1,000,000,000,000,000" in text


def test_the_text_of_a_table_depends_on_nothing_but_the_table(shown):
    assert shown(ROWS, "a") == shown([dict(row) for row in ROWS], "a")
    assert not any(line != line.rstrip() for line in shown(ROWS)[1].splitlines())


def test_a_table_without_rows_is_refused(shown):
    with pytest.raises(ValueError, match="needs at least one row, and there is none"):
        shown([])


@pytest.mark.parametrize("other", [{"a": 1}, {"a": 1, "c": 2}, {"b": 2, "a": 1}])
def test_rows_with_different_keys_are_refused_by_number(shown, other):
    with pytest.raises(ValueError, match=r"all rows need the same keys: row 1 has \['a', 'b'\], and row 3 has \['"):
        shown([{"a": 1, "b": 2}, {"a": 1, "b": 2}, other])


def test_more_columns_than_there_is_room_for_are_refused(shown):
    with pytest.raises(ValueError, match="20 columns find no room in 95 characters: leave some out"):
        shown([{f"column{c}": 10**9 for c in range(20)}])
