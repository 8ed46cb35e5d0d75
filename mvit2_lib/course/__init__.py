"""The apparatus of the course: measurements, published numbers, figures, checks. Nothing outside it imports it."""

import logging

# Matplotlib warns where it cannot write its cache, or takes long to make it: no fault of a notebook.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
