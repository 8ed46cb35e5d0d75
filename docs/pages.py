"""The pages of the web site that are made from the notebooks: their copies, and the course map."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
NOTEBOOKS = sorted((HERE.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SECTION = re.compile(r"\b(?P<notebook>0\d|10) \*(?P<title>[^*]+)\*(?: › \*(?P<slide>[^*]+)\*)?")
PLACE = re.compile(r"\*(slides|live)( page)?\*")
HEADING = re.compile(r"^## (?P<title>.+?) · (?P<start>\d+) min(?: · (?P<route>[◆◇]))?$", re.MULTILINE)
EXERCISE = re.compile(r"^### (?P<title>(?:\d+\.\d+|An open experiment).+)$", re.MULTILINE)


def slug(title: str) -> str:
    """Name a heading as JupyterLab does, so that links inside the notebooks lead somewhere here, too."""
    return title.replace(" ", "-")


def sections(path: Path) -> list[tuple[str, int, str, str]]:
    """Return title, minutes, route and anchor of each section of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = list(HEADING.finditer(text))
    total = int(re.search(r"^\*(\d+) minutes", text, re.MULTILINE).group(1))
    ends = [int(match["start"]) for match in found[1:]] + [total]
    return [
        (match["title"], end - int(match["start"]), match["route"] or "", slug(match.group()[3:]))
        for match, end in zip(found, ends, strict=True)
    ]


def title(path: Path) -> str:
    """Return the title of a notebook, with its number."""
    return nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")


def route(marks: str) -> str:
    """Return a table of the sections that have one of these marks."""
    rows, minutes = [], 0
    for path in NOTEBOOKS:
        for name, taken, mark, anchor in sections(path):
            if mark and mark in marks:
                minutes += taken
                rows.append(
                    f"| {title(path).partition(' · ')[0]} | [{name}](<notebooks/{path.name}#{anchor}>) | {taken} |"
                )
    return "\n".join(
        ["| notebook | section | minutes |", "|---|---|---|", *rows, f"| | **together** | **{minutes}** |"]
    )


def course_map() -> str:
    """Return the page with the three routes."""
    whole = [(path, sum(taken for _, taken, _, _ in sections(path))) for path in NOTEBOOKS]
    rows = [f"| [{title(path)}](notebooks/{path.name}) | {taken} |" for path, taken in whole]
    hours = round(sum(taken for _, taken in whole) / 60)
    return f"""# Course map

Three routes lead through the notebooks. The marks ◆ and ◇ are those in their headings.

## ◆ Ninety minutes: the idea alone

{route("◆")}

## ◇ Half a day: from the first dot product to a trained network

{route("◆◇")}

## Everything: about {hours} hours

| notebook | minutes |
|---|---|
{chr(10).join(rows)}
"""


def write() -> None:
    """Lay the notebooks and the map beside the other pages."""
    (HERE / "notebooks").mkdir(exist_ok=True)
    for path in NOTEBOOKS:
        shutil.copy(path, HERE / "notebooks")
    (HERE / "map.md").write_text(course_map(), encoding="utf-8")


def plan(heading: str) -> list[tuple[int, int, str]]:
    """Return the rows of a plan in the teacher's guide: from minute, to minute, and the row."""
    text = (HERE / "teaching.md").read_text(encoding="utf-8").partition(f"{heading}\n")[2].partition("\n#")[0]
    rows = re.finditer(r"^\| (\d+)–(\d+) \|.*$", text, re.MULTILINE)
    return [(int(row[1]), int(row[2]), row.group()) for row in rows]


def link_sections(app, name: str, source: list[str]) -> None:
    """Turn `02 *One question*` in the teacher's guide into a link to that section, which there must be.

    `02 *One question* › *Over the tokens*` links also the slide in it whose headline begins so, and `*slides*` and
    `*live page*` lead to these. They are links only here, because only the built site has these pages.
    """
    if name == "teaching":
        linked = SECTION.sub(lambda match: _link(*match.groups()), source[0])
        source[0] = PLACE.sub(lambda match: f'<a href="{match[1]}/index.html">{match[1]}{match[2] or ""}</a>', linked)


def _link(notebook: str, title: str, slide: str | None) -> str:
    path = next(path for path in NOTEBOOKS if path.name.startswith(notebook))
    anchor = next((anchor for name, _, _, anchor in sections(path) if name == title), None)
    if anchor is None:
        raise KeyError(f"notebook {notebook} has no section {title!r}")
    link = f"{notebook} [*{title}*](<notebooks/{path.name}#{anchor}>)"
    if slide is None:
        return link
    cells = [cell for section, headline, cell in headlines(path) if section == title and headline.startswith(slide)]
    if len(cells) != 1:
        raise KeyError(f"notebook {notebook}, section {title!r}: {len(cells)} slides begin with {slide!r}")
    return f'{link} › <a href="slides/{path.stem}.html#/{cells[0]}">{slide}</a>'


def headlines(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield section, headline and name of each slide that is made of a cell of code, or of an exercise on the way."""
    section = ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "slide" in cell.metadata:
            yield section, cell.metadata["slide"].replace("*", ""), cell_name(cell)
        elif cell.cell_type == "markdown":
            if heading := HEADING.search(cell.source):
                section = heading["title"]
            if section != "Exercises" and (exercise := EXERCISE.search(cell.source)):
                yield section, exercise["title"], cell_name(cell)


def cell_name(cell: nbformat.NotebookNode) -> str:
    """Return the name that the slide of a cell has in its deck."""
    return f"cell-{cell.id}"


def keep_equations(app, what, name, obj, options, lines: list[str]) -> None:
    """Show indented equations of a docstring as they are written."""
    for number in range(len(lines) - 1, 1, -1):
        before = next((line for line in reversed(lines[:number]) if line), "")
        if lines[number].startswith("    ") and not lines[number - 1] and not before.startswith(" "):
            lines[number:number] = ["::", ""]
