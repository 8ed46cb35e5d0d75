"""Checks that diagnose and never raise: is this machine ready, and is this exercise right?"""

from .notebook_01 import attention_weights, cross_attention, cross_attention_macs, merge_heads, stable_softmax
from .notebook_02 import (
    context_scores,
    context_vector,
    gate_and_mix,
    pooled_context_vector,
    separable_cross_attention,
    twice_as_much,
)
from .notebook_03 import benchmark, log_log_slope, predicted_seconds, ratio_reached, score_bytes, speedup
from .ready import machine

__all__ = [
    "attention_weights",
    "benchmark",
    "context_scores",
    "context_vector",
    "cross_attention",
    "cross_attention_macs",
    "gate_and_mix",
    "log_log_slope",
    "machine",
    "merge_heads",
    "pooled_context_vector",
    "predicted_seconds",
    "ratio_reached",
    "score_bytes",
    "separable_cross_attention",
    "speedup",
    "stable_softmax",
    "twice_as_much",
]
