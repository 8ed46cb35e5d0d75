"""The web site shows everything without a network, on a phone too, in both themes, and to a screen reader.

One test opens every page, because a browser takes longest to start.
"""

import subprocess
import sys

import pytest
from browser import AXE, ROOT, chromium, require, served

import mvit2_lib as mv

# Of what axe-core finds, all that is serious, and these besides.
NAMED = {"heading-order", "empty-table-header", "landmark-unique"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the built site and its address on this machine."""
    require()
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    with served(folder) as address:
        yield folder, address


def pages(folder):
    """Return all pages but the decks, which tests/test_slides.py opens slide by slide."""
    every = sorted(path.relative_to(folder) for path in folder.rglob("*.html") if "_static" not in path.parts)
    return [path for path in every if path.parts[0] != "slides" or path.name == "index.html"]


def test_every_page_of_the_site(site):
    folder, address = site
    complaints = []
    with chromium() as browser:
        context = browser.new_context(color_scheme="light", viewport={"width": 1280, "height": 900})
        context.route("**/*", lambda route: _only_here(route, address, complaints))
        for name in pages(folder):
            page = context.new_page()
            page.on("pageerror", lambda error, name=name: complaints.append(f"{name}: {error}"))
            page.goto(f"{address}/{name.as_posix()}")
            complaints.extend(f"{name}: {text}" for text in _tried(page))
            page.emulate_media(color_scheme="dark")  # it differs in colours alone
            complaints.extend(f"{name}, dark: {text}" for text in _by_axe(page, "color-contrast"))
            page.close()
        context.close()
        page = browser.new_page()
        page.goto(f"{address}/search.html?q=rank+one")
        page.wait_for_selector("#search-results li")
        if "Separable self-attention" not in page.inner_text("#search-results"):
            complaints.append("the search for 'rank one' does not find notebook 02")
    assert complaints == []


def test_the_pages_lead_to_each_other_and_the_library_is_complete(site):
    folder, _ = site
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    for before, name, after in zip([None, *names], names, [*names[1:], None], strict=False):
        content = (folder / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        assert before is None or f'rel="prev" title="{before[:2]}' in content
        assert after is None or f'rel="next" title="{after[:2]}' in content
    library = (folder / "api.html").read_text(encoding="utf-8")
    assert [name for name in mv.__all__ if f'id="mvit2_lib.{name}"' not in library] == []
    routes = (folder / "map.html").read_text(encoding="utf-8")
    assert all(f"notebooks/{name}.html#" in routes for name in names[:3])


def _only_here(route, address, complaints):
    if route.request.url.startswith((address, "data:")):
        route.continue_()
    else:
        complaints.append(f"asks another host: {route.request.url}")
        route.abort()


def _tried(page):
    """Yield what is wrong with one open page."""
    page.wait_for_function("!window.MathJax || (window.MathJax.startup && MathJax.startup.promise)")
    page.evaluate("window.MathJax ? MathJax.startup.promise : 0")
    raw = page.evaluate("document.body.innerText.match(/\\\\\\(|\\$[^$\\n]+\\$/g)")
    if raw and page.query_selector("mjx-container"):
        yield f"a formula is not set: {raw[:3]}"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            yield f"at {width} pixels the page is {wide} wide"
        inside = page.evaluate("[...document.querySelectorAll('.content')].some(c => c.scrollWidth > c.clientWidth)")
        if inside:  # the theme's column would scroll in place of the page
            yield f"at {width} pixels all of the text scrolls sideways"
    page.set_viewport_size({"width": 1280, "height": 900})
    cut = page.evaluate(
        "[...document.querySelectorAll('.cell_input pre')].filter(p => p.scrollWidth > p.clientWidth).length"
    )
    if cut:
        yield f"{cut} cells of code scroll sideways at 1280 pixels"
    if page.evaluate("[...document.images].some(image => !image.alt)"):
        yield "a picture has no alt text"
    yield from _by_axe(page)


def _by_axe(page, *rules):
    """Yield what axe-core finds, by all rules or by some."""
    page.add_script_tag(path=AXE)
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    for violation in page.evaluate("options => axe.run(document, options)", options)["violations"]:
        if violation["impact"] in ("serious", "critical") or violation["id"] in NAMED:
            yield f"{violation['id']}: {violation['nodes'][0]['html'][:150]} ({len(violation['nodes'])} places)"


@pytest.mark.parametrize(
    ("schema", "name"),
    [("github-workflows", ".github/workflows/course.yml"), ("citation-file-format", "CITATION.cff")],
)
def test_what_other_services_read_fits_their_schema(schema, name):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", name]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
