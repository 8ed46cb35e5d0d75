"""Helpers for all tests: one thread, a fixed seed, and weights that hide nothing."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)
