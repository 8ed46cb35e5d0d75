"""Slides: a deck for each notebook, and one of ninety minutes for the whole idea: `make slides`.

A slide is made of a cell that names its thought in the metadata `slide`. It shows that thought and what the cell holds:
a figure or a table, equations, or at most twelve lines of code with what they print. Sections, *Predict* questions,
exercises and the summary become slides by themselves. The text of the notebook goes into the speaker's notes, with the
minutes and the question to ask: the next *Predict*, or the metadata `ask` of the section.
"""

import base64
import html
import re
import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pages
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

HERE = Path(__file__).parent
LINES = 12  # of code on a slide
ROWS = 7  # of a table, before its letters become smaller
HEADING = re.compile(r"^## .+$", re.MULTILINE)
PREDICT = re.compile(r"^> \*\*Predict\.\*\*(?P<question>.*(?:\n>.*)*)", re.MULTILINE)
TASK = re.compile(r".+?(?=\n\n|\Z)(?:\n\n```python\n.+?\n```)?", re.DOTALL)  # one paragraph, and code beneath it
EQUATION = re.compile(r"^\$\$.+?\$\$$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^\|.*\n\|[-:| ]+\n(?:\|.*\n?)+", re.MULTILINE)
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
IMAGE = re.compile(r'<img alt="(?P<alt>[^"]*)" src="(?P<source>data:image/png;base64,(?P<png>[^"]*))"')
TALL = 1.3  # a figure less wide than that stands beside its headline, where it is larger than beneath
LINK = re.compile(r'href="(\d\d_\w+)\.ipynb[^"]*"')
LIBRARY = {
    "reveal.js/dist": ("reveal.js", "reveal.css", "reset.css", "plugin/notes.js"),
    "mathjax/es5": ("tex-svg.js",),
}
MARKDOWN = (
    MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=lambda tex, options: _math(tex, options))
)
OPENING = """
# Separable self-attention

The idea in ninety minutes: $k$ comparisons in place of $k^2$.
"""
BEFORE = """
These are the sections of the plan *A seminar of 90 minutes* in the teacher's guide. A question marked *Predict* comes
before its answer: let everybody write down a prediction before you go on. Extend your desktop, and do not mirror it:
this view shows the next slide, too.
"""
PHONES = """
## Measure your own phone

Draw a digit, see where attention looks, and measure $O(k^2)$ against $O(k)$ on the device in your hand.
"""
MEASURING = """
`make live` shows the address and a QR code for the projector. Each phone loads 16 MB, so begin early. Let people read
their three slopes aloud, and write them down. If records can be collected, one figure comes from
`python -m mvit2_lib.course.timing --merge *.json`. If phones do not reach your machine, open the page on it.
"""
CLOSING = """
## Score, summarise, gate

1. All tokens share one question: $k$ comparisons in place of $k^2$.
2. So they share one summary, too. Its map has rank one, and only the gate tells tokens apart.
3. Where every token needs a different answer, that is hard to learn. Where one answer served all, nothing was
   lost here.
4. The time of one layer grew about like $k$ and not like $k^2$. What that is worth depends on the width, the sizes and
   the device.
"""


@dataclass
class Slide:
    """What is shown, what kind it is (`title`, `section`, `predict`, `answer` or none), and what the speaker reads."""

    shown: str
    kind: str = ""
    minutes: str = ""
    ask: str = ""
    notes: list[str] = field(default_factory=list)
    name: str = ""  # by which a link finds it

    def html(self) -> str:
        said = [f"**{self.minutes}**" if self.minutes else "", f"**Ask:** {self.ask}" if self.ask else "", *self.notes]
        notes = MARKDOWN.render("\n\n".join(part for part in said if part))
        dense = "dense" if self.shown.count("<tr") > ROWS else ""
        page = f'<div class="page {dense}">\n{self.shown}\n</div>'
        name = f' id="{self.name}"' if self.name else ""
        made = f'<section class="{self.kind}"{name}>\n{page}\n<aside class="notes">{notes}</aside>\n</section>'
        return LINK.sub(r'href="\1.html"', made)  # from deck to deck


class Deck:
    """The slides of one notebook, or of those of its sections that a plan names, `{title: minutes}`."""

    def __init__(self, path: Path, plan: dict[str, str] | None = None):
        self.slides: list[Slide] = []
        self.whole, self.plan = plan is None, plan or _as_read(path)
        self.minutes = self.ask = ""
        self.skipping = not self.whole
        self.asked = False  # a question, to which no slide has given the answer yet
        first, *cells = nbformat.read(path, as_version=4).cells
        if self.whole:
            self._begin(first.source)
        for cell in cells:
            if cell.cell_type == "markdown":
                self._read(cell)
            elif "slide" in cell.metadata and self._wanted(cell):
                self._show(cell)
            elif not self.skipping and "exercise" in cell.metadata.get("tags", []):
                self._show_stub(cell.source.partition("\n\n\nchecks.")[0])
        self._ask_ahead()

    def _wanted(self, cell: nbformat.NotebookNode) -> bool:
        return not self.skipping and (self.whole or cell.metadata.get("seminar", True))

    def _add(self, headline: str, shown: str = "", kind: str = "", level: int = 2) -> None:
        headline, _, below = headline.partition("\n\n")
        text = f"<h{level}>{MARKDOWN.renderInline(headline)}</h{level}>\n{MARKDOWN.render(below)}"
        self.slides.append(Slide(f"{text}\n{shown}", kind, self.minutes, self.ask))

    def _begin(self, source: str) -> None:
        """Make the title of a whole notebook."""
        title, promise = source.splitlines()[0].removeprefix("# "), re.search(r"^\*\*(.+?)\*\*$", source, re.M | re.S)
        self._add(f"{title}\n\n{promise[1]}", "", "title", level=1)
        self.slides[-1].notes.append(source.partition(promise[0])[2])

    def _read(self, cell: nbformat.NotebookNode) -> None:
        """Go through a cell of text, section by section."""
        text = FOLDED.sub("", cell.source)
        starts = [match.start() for match in HEADING.finditer(text)]
        lead, *parts = [text[a:b] for a, b in zip([0, *starts], [*starts, None], strict=True)]
        if lead.strip() and not self.skipping:
            self._text(lead, cell, None if parts or not self._wanted(cell) else cell.metadata.get("slide"))
        for part in parts:
            self._section(*part.split("\n", 1), cell)

    def _section(self, heading: str, text: str, cell: nbformat.NotebookNode) -> None:
        title = heading.removeprefix("## ").partition(" · ")[0]
        self.minutes, self.ask, self.skipping = self.plan.get(title, ""), "", title not in self.plan
        if title == "What you now know" and self.whole:
            self._add(title, MARKDOWN.render(text.partition("**References**")[0]), "summary")
        if self.skipping:
            return
        if title == "Exercises":
            self._add(title, "", "list")
        else:
            self.ask = cell.metadata.get("ask", "")
            self._add(f"{title}\n\n{cell.metadata.get('slide', '')}", _shown(text, EQUATION), "section")
            if tables := _shown(text, TABLE):
                self._add(title, tables)
        self._text(text, cell)

    def _text(self, text: str, cell: nbformat.NotebookNode, headline: str | None = None) -> None:
        """Make slides of a text: its own thought, its question, its exercise. All of it goes into the notes."""
        question, exercise = PREDICT.search(text), pages.EXERCISE.search(text)
        if headline:
            self._add(headline, _shown(text, EQUATION) + _shown(text, TABLE))
        if self.slides[-1].kind == "list":
            self.slides[-1].shown += "".join(
                f"<p>{MARKDOWN.renderInline(one['title'])}</p>" for one in pages.EXERCISE.finditer(text)
            )
            return
        before = text[: min([match.start() for match in (question, exercise) if match], default=len(text))]
        self.slides[-1].notes.append(before)
        if question:
            asked = cell.metadata.get("predict") or re.sub(r"\n> ?", " ", question["question"]).strip()
            self._add(f"Predict\n\n{asked}", "", "predict")
            self.slides[-1].ask = asked
            self.slides[-1].notes.append(text[question.end() :])
            self.asked = True
        elif exercise:
            self._add(
                exercise["title"], MARKDOWN.render(TASK.match(text[exercise.end() :].strip()).group()), "exercise"
            )
            self.slides[-1].notes.append(text[exercise.end() :])
            self.slides[-1].name = pages.cell_name(cell)

    def _show(self, cell: nbformat.NotebookNode) -> None:
        """Make a slide of a cell of code."""
        code, images, tables, printed = cell.source.strip(), [], [], []
        for output in cell.outputs:
            made = output.get("data", {}).get("text/html", "")
            if image := IMAGE.search(made):
                wide, high = struct.unpack(">II", base64.b64decode(image["png"])[16:24])
                kind = ' class="tall"' if wide / high < TALL else ""
                images.append(f'<img{kind} alt="{image["alt"]}" src="{image["source"]}">')
            elif "<table" in made:
                tables.append(made)
            else:
                printed.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
        shown = images + tables
        said = "".join(printed).rstrip()
        code = re.sub(r"\n{3,}", "\n\n", code) if not shown and len(code.splitlines()) <= LINES else ""
        size = _size([*code.splitlines(), *said.splitlines()])
        if code:
            shown.append(_code(code, size))
        if said and not images:
            shown.append(f'<pre class="printed {size}">{html.escape(said)}</pre>')
        self._add(cell.metadata["slide"], "\n".join(shown), "answer" if self.asked else "")
        self.slides[-1].name = pages.cell_name(cell)
        self.asked = False

    def _show_stub(self, stub: str) -> None:
        """Put the stub of an exercise beneath its task."""
        if self.slides[-1].kind == "exercise" and len(stub.splitlines()) <= LINES:
            self.slides[-1].shown += _code(stub, _size(stub.splitlines()))

    def _ask_ahead(self) -> None:
        """Give the speaker, where a section opens, the question that waits in it."""
        waiting = ""
        for slide in reversed(self.slides):
            if slide.kind == "predict":
                waiting = slide.ask
            elif slide.kind == "section":
                slide.ask = slide.ask or waiting
                waiting = ""


def _as_read(path: Path) -> dict[str, str]:
    """Return the sections of a notebook, with the minutes of somebody who reads it."""
    plan, clock = {}, 0
    for title, taken, _, _ in pages.sections(path):
        plan[title] = f"Minutes {clock} to {clock + taken}" if taken else ""
        clock += taken
    return plan


def _shown(text: str, kind: re.Pattern) -> str:
    """Return the equations or tables of a text, as far as they stand before its question or exercise."""
    end = min(
        [match.start() for match in (PREDICT.search(text), pages.EXERCISE.search(text)) if match], default=len(text)
    )
    return "\n".join(MARKDOWN.render(part.group()) for part in kind.finditer(text, 0, end))


def _code(code: str, size: str) -> str:
    return highlight(code, PythonLexer(), HtmlFormatter(cssclass=f"code {size}"))


def _size(lines: list[str]) -> str:
    """Return the largest of the style sheet's sizes in which these lines fit on a slide."""
    longest = max(map(len, lines), default=0)
    for name, columns, rows in (("huge", 52, 9), ("large", 68, 12), ("middle", 84, 16)):
        if longest <= columns and len(lines) <= rows:
            return name
    return "small"


def _math(tex: str, options: dict) -> str:
    left, right = (r"\[", r"\]") if options["display_mode"] else (r"\(", r"\)")
    return f"{left}{html.escape(tex)}{right}"


def seminar() -> list[Slide]:
    """Return the slides of the seminar of 90 minutes, by its plan in the teacher's guide."""
    slides = [Slide(MARKDOWN.render(OPENING), "title", notes=[BEFORE])]
    for start, end, row in pages.plan("## A seminar of 90 minutes"):
        minutes = f"Minutes {start} to {end}"
        if section := pages.SECTION.search(row):
            path = next(path for path in pages.NOTEBOOKS if path.name.startswith(section["notebook"]))
            slides += Deck(path, {section["title"]: minutes}).slides
        elif "live page" in row:
            slides.append(
                Slide(MARKDOWN.render(PHONES), "section", minutes, "Whose line is steepest, and why?", [MEASURING])
            )
        else:
            slides.append(Slide(MARKDOWN.render(CLOSING), "summary", minutes, "What would you measure next?"))
    return slides


def decks() -> Iterator[tuple[str, str, int, list[Slide]]]:
    """Yield file name, title, minutes and slides of each deck."""
    yield "seminar.html", "Separable self-attention in ninety minutes", 90, seminar()
    for path in pages.NOTEBOOKS:
        deck = Deck(path)
        yield f"{path.stem}.html", pages.title(path), sum(taken for _, taken, _, _ in pages.sections(path)), deck.slides


def build(folder: Path) -> None:
    """Write all decks into a folder that needs nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "lib").mkdir(parents=True)
    for package, names in LIBRARY.items():
        for name in names:
            shutil.copy(HERE / "node_modules" / package / name, folder / "lib")
    shutil.copy(HERE / "slides" / "slides.js", folder / "lib")
    style = (HERE / "slides" / "slides.css").read_text(encoding="utf-8")
    colors = HtmlFormatter(style="friendly").get_style_defs(".code")
    (folder / "lib" / "slides.css").write_text(f"{style}\n{colors}\n", encoding="utf-8")
    frame, rows = (HERE / "slides" / "deck.html").read_text(encoding="utf-8"), []
    for name, title, minutes, slides in decks():
        made = "\n".join(slide.html() for slide in slides)
        page = frame.replace("{title}", html.escape(title)).replace("{slides}", made)
        (folder / name).write_text(page, encoding="utf-8")
        rows.append(
            f'<tr><td><a href="{name}">{html.escape(title)}</a></td><td>{len(slides)}</td><td>{minutes}</td></tr>'
        )
    index = (HERE / "slides" / "index.html").read_text(encoding="utf-8").replace("{rows}", "\n".join(rows))
    (folder / "index.html").write_text(index, encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
