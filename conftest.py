"""What every test and every notebook kernel inherits."""

import os
import sys
from collections import Counter

import pytest

# Two threads on a busy core make timings noise; this must be set before PyTorch is imported.
os.environ["OMP_NUM_THREADS"] = "1"
# The tests never download anything, unless asked with --online. To let notebook 00 fetch the ImageNet weights:
# HF_HUB_OFFLINE=0 make test
if "--online" not in sys.argv:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_addoption(parser):
    """Offer --online."""
    parser.addoption("--online", action="store_true", help="also run the tests that download published weights")


def pytest_configure(config):
    """Declare the markers."""
    config.addinivalue_line("markers", "online: downloads published weights or pictures; runs only with --online")
    config.addinivalue_line("markers", "slow: the long form of a test; runs with `make test-long`")


def pytest_collection_modifyitems(config, items):
    """Let long notebooks come first, so that two processes end together; skip what needs the network."""
    items.sort(key=lambda item: item.path.name if item.path.suffix == ".ipynb" else "", reverse=True)
    if not config.getoption("--online"):
        for item in items:
            if item.get_closest_marker("online"):
                item.add_marker(pytest.mark.skip(reason="needs the network: pytest --online tests/test_online.py"))


def pytest_collectstart(collector):
    """Let nbval ignore stderr, where other libraries warn, and HTML, of which a plain text beside it says the same."""
    if type(collector).__name__ == "IPyNbFile":
        collector.skip_compare += ("stderr", "text/html")


def pytest_terminal_summary(terminalreporter):
    """Say how long each file took."""
    seconds = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section("seconds for each file")
    for name, duration in seconds.most_common():
        terminalreporter.write_line(f"{duration:7.1f}  {name}")
