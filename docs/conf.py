"""Sphinx makes the web site: `make site`. Nothing is executed; the pages show what the notebooks have stored."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import live_page
import pages
import slides

EXTRA = Path(__file__).parents[1] / "build" / "extra"  # what lies beside Sphinx' own pages
pages.write()
live_page.build(EXTRA / "live")
slides.build(EXTRA / "slides")

project = "MobileViTv2, from one dot product to the complete model"
html_title = "MobileViTv2"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["node_modules", "live", "slides", "exam.md"]  # the answers are for teachers
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_heading_slug_func = "pages.slug"
default_role = "code"  # docstrings write `x`
autodoc_typehints = "none"  # they stand in the docstrings
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_default_options = {"members": True, "exclude-members": "forward, call, build, compute_output_shape, get_config"}

html_theme = "furo"
templates_path = ["_templates"]
_parts = ["brand", "search", "scroll-start", "navigation", "more", "scroll-end"]
html_sidebars = {"**": [f"sidebar/{part}.html" for part in _parts]}
html_static_path = ["_static", "node_modules/mathjax/es5/tex-svg.js"]
html_css_files = ["site.css"]
html_extra_path = ["../build/extra"]
html_js_files = ["site.js"]
mathjax_path = "tex-svg.js"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False


def setup(app):
    app.connect("source-read", pages.link_sections)
    app.connect("autodoc-process-docstring", pages.keep_equations, priority=400)  # before napoleon
