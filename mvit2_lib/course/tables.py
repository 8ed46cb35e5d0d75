"""Tables in a notebook: HTML that takes on the reader's theme, and the same table as plain text."""

import html
import numbers
import re
import textwrap
from collections.abc import Mapping, Sequence

WIDEST = 95  # columns of plain text that JupyterLab shows without breaking lines in a window of 1280 pixels
GAP = "  "
NUMBER = re.compile(r"[-+−±≈<>]?\s?\d[\d.,]*\s?[%×]?")
NOTHING = ("", "-", "–", "—")


def show(rows: Sequence[Mapping[str, object]], caption: str = "") -> None:
    """Display a table in a notebook.

    Parameters
    ----------
    rows : sequence of dict
        One dictionary for each row, all with the same keys, which head the columns. Whole numbers get thousands
        separators; everything else stands as `str` gives it.
    caption : str
        What stands above the table.

    Raises
    ------
    ValueError
        If there are no rows, if their keys differ, or if so many columns find no room in 95 characters.
    """
    # Imported here so that tables can be made where there is no notebook.
    from IPython.display import display

    cells = _cells(rows)
    display({"text/html": _html(cells, caption), "text/plain": _plain(cells, caption)}, raw=True)


def _cells(rows: Sequence[Mapping[str, object]]) -> list[list[str]]:
    """Return the texts of all rows, the headings first."""
    if not rows:
        raise ValueError("a table needs at least one row, and there is none")
    heads = list(rows[0])
    for number, row in enumerate(rows[1:], 2):
        if list(row) != heads:
            raise ValueError(f"all rows need the same keys: row 1 has {heads}, and row {number} has {list(row)}")
    return [[str(head) for head in heads], *([_text(value) for value in row.values()] for row in rows)]


def _text(value: object) -> str:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return f"{int(value):,}" if whole else " ".join(str(value).split())


def _right(cells: list[list[str]]) -> list[bool]:
    """Return for each column whether it holds numbers, which stand on the right."""
    columns = zip(*cells[1:], strict=True)
    return [
        any(text not in NOTHING for text in column)
        and all(text in NOTHING or NUMBER.fullmatch(text) is not None for text in column)
        for column in columns
    ]


def _html(cells: list[list[str]], caption: str) -> str:
    sides = ["right" if right else "left" for right in _right(cells)]

    def entry(tag: str, side: str, text: str, style: str) -> str:
        style = f"text-align:{side};white-space:{_breaks(side, text)};{style}"
        return f'<{tag} style="{style}">{html.escape(text)}</{tag}>'

    def row(tag: str, texts: list[str], line: str = "") -> str:
        style = f"vertical-align:top;padding:0.3em 0.8em{line}"
        # An empty heading is none: a screen reader would announce it.
        tags = [tag if text else "td" for text in texts]
        return f"<tr>{''.join(map(entry, tags, sides, texts, [style] * len(texts)))}</tr>"

    title = f'<caption style="text-align:left;color:inherit">{html.escape(caption)}</caption>' if caption else ""
    body = "\n".join(row("td", texts) for texts in cells[1:])
    head = row("th", cells[0], ";border-bottom:1px solid currentColor")
    return (
        '<table style="border-collapse:collapse;table-layout:auto;max-width:100%;margin:0.5em 0;color:inherit">'
        f"{title}\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody></table>"
    )


def _breaks(side: str, text: str) -> str:
    return "nowrap" if len(text) <= 20 and (side == "right" or " " not in text) else "normal"


def _plain(cells: list[list[str]], caption: str) -> str:
    rights = _right(cells)
    widths = _widths(cells, rights)
    lines = textwrap.wrap(caption, WIDEST)
    for number, texts in enumerate(cells):
        wrapped = [textwrap.wrap(text, width) or [""] for text, width in zip(texts, widths, strict=True)]
        height = max(map(len, wrapped))
        for parts in zip(*(column + [""] * (height - len(column)) for column in wrapped), strict=True):
            fitted = zip(parts, widths, rights, strict=True)
            line = GAP.join(part.rjust(width) if right else part.ljust(width) for part, width, right in fitted)
            lines.append(line.rstrip())
        if number == 0:
            lines.append(GAP.join("-" * width for width in widths))
    return "\n".join(lines)


def _widths(cells: list[list[str]], rights: list[bool]) -> list[int]:
    """Return how wide each column is: as its longest text, but the widest columns give way until all fit."""
    columns = list(zip(*cells, strict=True))
    widths = [max(1, *map(len, column)) for column in columns]
    # A column of numbers breaks only its heading; one of words is never narrower than its longest word up to ten.
    words = [
        [word for text in (column[:1] if right else column) for word in text.split()]
        for column, right in zip(columns, rights, strict=True)
    ]
    least = [
        max([1, *(min(10, len(word)) for word in some), *(len(text) for text in column[1:] if right)])
        for column, some, right in zip(columns, words, rights, strict=True)
    ]
    room = WIDEST - len(GAP) * (len(widths) - 1)
    while sum(widths) > room:
        slack = [(width, index) for index, width in enumerate(widths) if width > least[index]]
        if not slack:
            raise ValueError(f"{len(widths)} columns find no room in {WIDEST} characters: leave some out")
        widths[max(slack)[1]] -= 1
    return widths
