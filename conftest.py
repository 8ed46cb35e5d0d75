"""What every test and every notebook kernel inherits."""

import os
import sys

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
    """Declare the marker of those tests."""
    config.addinivalue_line("markers", "online: downloads published weights or pictures; runs only with --online")


def pytest_collection_modifyitems(config, items):
    """Skip what needs the network unless it was asked for: a test that did not run must not count as passed."""
    if not config.getoption("--online"):
        for item in items:
            if item.get_closest_marker("online"):
                item.add_marker(pytest.mark.skip(reason="needs the network: pytest --online tests/test_online.py"))
