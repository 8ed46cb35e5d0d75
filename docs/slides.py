"""Slides: a deck for each notebook, and one of ninety minutes for the whole idea: `make slides`.

A slide is made of a cell that names its thought in the metadata `slide`. It shows that thought and what the cell holds:
a figure or a table, equations, or at most twelve lines of code with what they print. Sections, *Predict* questions,
exercises and the summary become slides by themselves. The text of the notebook goes into the speaker's notes, with the
minutes and the question to ask: the next *Predict*, or the metadata `ask` of the section.
"""

import html
import re
import shutil
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
EXERCISE = re.compile(r"^### (?P<title>(?:\d+\.\d+|An open experiment).+)$", re.MULTILINE)
TASK = re.compile(r".+?(?=\n\n|\Z)(?:\n\n```python\n.+?\n```)?", re.DOTALL)  # one paragraph, and code beneath it
EQUATION = re.compile(r"^\$\$.+?\$\$$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^\|.*\n\|[-:| ]+\n(?:\|.*\n?)+", re.MULTILINE)
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
IMAGE = re.compile(r'<img alt="(?P<alt>[^"]*)" src="(?P<source>[^"]*)"')
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
These are the sections with ◆ of notebooks 00 to 03. A question marked *Predict* comes before its answer: let everybody
write down a prediction before you go on. The exercises are done in the notebooks. Give them the minutes of their
section, or leave them as homework and win the time for discussion.
"""
CLOSING = """
## Score, summarise, gate

1. All tokens share one question: $k$ comparisons in place of $k^2$.
2. So they share one answer, too. Its map has rank one, and only the gate tells tokens apart.
3. Where every token needs another answer, that is hard to learn. Where one answer serves all, nothing was lost here.
4. The time of one layer grows about like $k$ and not like $k^2$. What that is worth depends on the width, the sizes and
   the device.
"""
AFTER = """
**Ask:** What would you measure next?

If phones are at hand, `make live` shows a QR code. The class measures its own devices, and
`python -m mvit2_lib.course.timing --merge` draws them into one figure.
"""


@dataclass
class Slide:
    """What is shown, what kind it is (`title`, `section`, `predict`, `answer` or none), and what the speaker reads."""

    shown: str
    kind: str = ""
    minutes: str = ""
    ask: str = ""
    notes: list[str] = field(default_factory=list)

    def html(self) -> str:
        said = [f"**{self.minutes}**" if self.minutes else "", f"**Ask:** {self.ask}" if self.ask else "", *self.notes]
        notes = MARKDOWN.render("\n\n".join(part for part in said if part))
        dense = "dense" if self.shown.count("<tr") > ROWS else ""
        page = f'<div class="page {dense}">\n{self.shown}\n</div>'
        made = f'<section class="{self.kind}">\n{page}\n<aside class="notes">{notes}</aside>\n</section>'
        return LINK.sub(r'href="\1.html"', made)  # from deck to deck


class Deck:
    """The slides of one notebook, or of those of its sections that have a mark, from a minute on."""

    def __init__(self, path: Path, mark: str = "", first_minute: int = 0):
        self.slides: list[Slide] = []
        self.mark, self.clock = mark, first_minute
        self.minutes = self.ask = ""
        self.skipping = self.asked = False
        self.sections = iter(pages.sections(path))
        notebook = nbformat.read(path, as_version=4)
        self._begin(notebook.cells[0].source)
        for cell in notebook.cells[1:]:
            if cell.cell_type == "markdown":
                self._read(cell)
            elif "slide" in cell.metadata and not self.skipping:
                self._show(cell)

    def _add(self, headline: str, shown: str = "", kind: str = "", ask: str = "", level: int = 2) -> None:
        text = MARKDOWN.renderInline(headline)
        self.slides.append(Slide(f"<h{level}>{text}</h{level}>\n{shown}", kind, self.minutes, ask or self.ask))

    def _begin(self, source: str) -> None:
        """Make the title of a whole notebook."""
        title, promise = source.splitlines()[0].removeprefix("# "), re.search(r"^\*\*(.+?)\*\*$", source, re.M | re.S)
        if not self.mark:
            self._add(title, f"<p>{MARKDOWN.renderInline(promise[1])}</p>", "title", level=1)
            self.slides[-1].notes.append(source.partition(promise[0])[2])

    def _read(self, cell: nbformat.NotebookNode) -> None:
        """Go through a cell of text, section by section."""
        text = FOLDED.sub("", cell.source)
        starts = [match.start() for match in HEADING.finditer(text)]
        own = cell.metadata.get("slide")
        lead, *parts = [text[a:b] for a, b in zip([0, *starts], [*starts, None], strict=True)]
        if lead.strip() and not self.skipping:
            self._text(lead, None if parts else own)
        for part in parts:
            heading, _, rest = part.partition("\n")
            self._section(heading, rest, own, cell.metadata.get("ask", ""))

    def _section(self, heading: str, text: str, thought: str | None, ask: str) -> None:
        if heading.startswith("## What you now know"):
            self.skipping, self.minutes, self.ask = bool(self.mark), "", ""
            if not self.mark:
                points = MARKDOWN.render(text.partition("**References**")[0])
                self._add("What you now know", points, "summary")
            self.skipping = True
            return
        title, taken, mark, _ = next(self.sections)
        self.skipping = self.mark not in mark
        if self.skipping:
            return
        self.minutes = f"Minutes {self.clock} to {self.clock + taken}" if taken else ""
        self.clock += taken
        question = PREDICT.search(text)
        self.ask = "" if question else ask
        if title == "Exercises":
            self._add(title, "", "list")
            self.slides[-1].notes.append(text)
            return
        shown = f'<p class="thought">{MARKDOWN.renderInline(thought)}</p>' if thought else ""
        self._add(title, shown + _shown(text, EQUATION), "section")
        if tables := _shown(text, TABLE):
            self._add(title, tables)
        self._text(text, None)

    def _text(self, text: str, headline: str | None) -> None:
        """Make slides of a text: its own thought, its question, its exercise. All of it goes into the notes."""
        question, exercise = PREDICT.search(text), EXERCISE.search(text)
        if headline:
            self._add(headline, _shown(text, EQUATION) + _shown(text, TABLE))
        if exercise and self.slides[-1].kind == "list":
            self.slides[-1].shown += f"<p>{MARKDOWN.renderInline(exercise['title'])}</p>"
            return
        before = text[: min([match.start() for match in (question, exercise) if match], default=len(text))]
        self.slides[-1].notes.append(before)
        if question:
            asked = re.sub(r"\n> ?", " ", question["question"]).strip()
            self._add("Predict", f"<p>{MARKDOWN.renderInline(asked)}</p>", "predict", ask=asked)
            self.slides[-1].notes.append(text[question.end() :])
            self.asked = True
        elif exercise:
            task = TASK.match(text[exercise.end() :].strip()).group()
            self._add(exercise["title"], MARKDOWN.render(task), "exercise")
            self.slides[-1].notes.append(text[exercise.end() :])

    def _show(self, cell: nbformat.NotebookNode) -> None:
        """Make a slide of a cell of code."""
        code, images, tables, printed = cell.source.strip(), [], [], []
        for output in cell.outputs:
            made = output.get("data", {}).get("text/html", "")
            if image := IMAGE.search(made):
                images.append(f'<img alt="{image["alt"]}" src="{image["source"]}">')
            elif "<table" in made:
                tables.append(made)
            else:
                printed.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
        shown = images + tables
        said = "".join(printed).rstrip()
        code = re.sub(r"\n{3,}", "\n\n", code) if not shown and len(code.splitlines()) <= LINES else ""
        size = _size([*code.splitlines(), *said.splitlines()])
        if code:
            shown.append(highlight(code, PythonLexer(), HtmlFormatter(cssclass=f"code {size}")))
        if said and not images:
            shown.append(f'<pre class="printed {size}">{html.escape(said)}</pre>')
        self._add(cell.metadata["slide"], "\n".join(shown), "answer" if self.asked else "")
        self.asked = False


def _shown(text: str, kind: re.Pattern) -> str:
    """Return the equations or tables of a text, as far as they stand before its question or exercise."""
    end = min([match.start() for match in (PREDICT.search(text), EXERCISE.search(text)) if match], default=len(text))
    return "\n".join(MARKDOWN.render(part.group()) for part in kind.finditer(text, 0, end))


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


def seminar() -> tuple[list[Slide], int]:
    """Return the slides of all sections with ◆, and how many minutes they take."""
    slides, minutes = [], 0
    for path in pages.NOTEBOOKS:
        deck = Deck(path, "◆", minutes)
        if deck.slides:
            slides += deck.slides
            minutes = deck.clock
    opening = Slide(MARKDOWN.render(OPENING), "title", notes=[BEFORE])
    closing = Slide(MARKDOWN.render(CLOSING), "summary", notes=[AFTER])
    return [opening, *slides, closing], minutes


def decks() -> Iterator[tuple[str, str, int, list[Slide]]]:
    """Yield file name, title, minutes and slides of each deck."""
    slides, minutes = seminar()
    yield "seminar.html", "Separable self-attention in ninety minutes", minutes, slides
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
