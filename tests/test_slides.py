"""The slides: every question has its answer next, nothing runs over the edge, and no other host is asked."""

import re
import sys

import nbformat
import pytest
from browser import AXE, ROOT, chromium, require, served

sys.path.insert(0, str(ROOT / "docs"))
slides = pytest.importorskip("slides", reason="what makes the slides is installed by make test-long")
DECKS = {name: made for name, _, _, made in slides.decks()}


@pytest.mark.parametrize("name", DECKS)
def test_every_question_is_followed_by_its_answer(name):
    made = DECKS[name]
    asked = [number for number, slide in enumerate(made) if slide.kind == "predict"]
    assert len(asked) >= 3
    assert [number for number in asked if made[number + 1].kind != "answer"] == []


@pytest.mark.parametrize("path", slides.pages.NOTEBOOKS, ids=lambda path: path.stem)
def test_a_deck_has_all_questions_figures_and_sections_of_its_notebook(path):
    cells = nbformat.read(path, as_version=4).cells
    deck = DECKS[f"{path.stem}.html"]
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert sum(slide.kind == "predict" for slide in deck) == len(re.findall(r"^> \*\*Predict\.", text, re.MULTILINE))
    chosen = [cell for cell in cells if cell.cell_type == "code" and "slide" in cell.metadata]
    drawn = [cell for cell in chosen if any("<img" in str(output.get("data", "")) for output in cell.outputs)]
    assert sum("<img" in slide.shown for slide in deck) == len(drawn) > 0
    titles = [title for title, _, _, _ in slides.pages.sections(path) if title != "Exercises"]
    assert sum(slide.kind == "section" for slide in deck) == len(titles)
    linked = [name for _, _, name in slides.pages.headlines(path)]
    assert [slide.name for slide in deck if slide.name] == linked


@pytest.mark.parametrize("name", DECKS)
def test_slides_hold_little_code_and_no_solution(name):
    for slide in DECKS[name]:
        code = re.search(r'<div class="code.*?</pre>', slide.shown, re.DOTALL)
        assert code is None or code.group().count("\n") <= slides.LINES + 1
        assert "BEGIN SOLUTION" not in slide.html()
        assert slide.kind == "exercise" or "your code here" not in slide.shown
    if name == "seminar.html":  # what can be written on paper has its stub
        assert sum("your code here" in slide.shown for slide in DECKS[name]) == 2


def test_the_speaker_reads_the_minutes_and_a_question_on_every_section():
    spans = dict.fromkeys(slide.minutes for slide in DECKS["seminar.html"][1:])
    planned = [f"Minutes {start} to {end}" for start, end, _ in slides.pages.plan("## A seminar of 90 minutes")]
    assert list(spans) == planned
    for deck, made in DECKS.items():
        for number, slide in enumerate(made):
            if slide.kind == "section":
                until = next((i for i, later in enumerate(made[number + 1 :]) if later.kind == "section"), len(made))
                within = made[number : number + 1 + until]
                assert any(one.ask for one in within), f"{deck}: nothing to ask in {slide.shown}"
                assert slide.minutes
                assert any(part.strip() for one in within for part in one.notes)


@pytest.mark.slow
def test_every_slide_fits_its_page(tmp_path):
    require()
    slides.build(tmp_path)
    complaints = []
    with served(tmp_path) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend([request.url] * (not _is_here(request.url, address))))
        for name, made in DECKS.items():
            page.goto(f"{address}/{name}")
            page.wait_for_function("window.Reveal && Reveal.isReady()")
            found = page.evaluate(LOOK)
            assert found.pop() == len(made)
            complaints.extend(f"{name}: {text}" for text in found)
            page.add_script_tag(path=AXE)
            for violation in page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    complaints.append(f"{name}: {violation['id']} {violation['nodes'][0]['html'][:150]}")
    assert complaints == []


def _is_here(url, address):
    return url.startswith((address, "data:", "blob:"))


# Go through all slides, and return what leaves the page or would scroll, and how many slides there are.
LOOK = """() => {
  const found = [];
  const slides = Reveal.getSlides();
  slides.forEach((slide, number) => {
    Reveal.slide(number);
    for (const part of slide.querySelectorAll(".page *")) {
      const box = part.getBoundingClientRect();
      if (part.closest("mjx-assistive-mml") || !box.width) continue;
      const outside = box.right > 1280 - 20 || box.bottom > 720 - 12 || box.left < 0 || box.top < 0;
      const cut = part.clientWidth > 0 && part.scrollWidth > part.clientWidth + 1;
      if (outside || cut) {
        found.push(`slide ${number + 1}, ${part.tagName}: ${part.textContent.slice(0, 60)}`);
        break;
      }
    }
  });
  return [...found, slides.length];
}"""
