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
from .ready import machine

__all__ = [
    "attention_weights",
    "context_scores",
    "context_vector",
    "cross_attention",
    "cross_attention_macs",
    "gate_and_mix",
    "machine",
    "merge_heads",
    "pooled_context_vector",
    "separable_cross_attention",
    "stable_softmax",
    "twice_as_much",
]
