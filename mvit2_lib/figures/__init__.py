"""Every picture of the course: one palette, PNG on white, and no picture without a text that says what it shows."""

from .canvas import PALETTE, STYLE, png, save, show
from .charts import lines, runs, spread
from .drawings import multi_head_unit, separable_unit
from .pictures import (
    attention_map,
    attention_over_picture,
    attention_pair,
    course_picture,
    implied_maps,
    picture,
    prediction,
    scores_over_picture,
)
from .timings import memory, operators, quadratic_vs_linear, repetitions, speed_ratios, times

__all__ = [
    "PALETTE",
    "STYLE",
    "attention_map",
    "attention_over_picture",
    "attention_pair",
    "course_picture",
    "implied_maps",
    "lines",
    "memory",
    "multi_head_unit",
    "operators",
    "picture",
    "png",
    "prediction",
    "quadratic_vs_linear",
    "repetitions",
    "runs",
    "save",
    "scores_over_picture",
    "separable_unit",
    "show",
    "speed_ratios",
    "spread",
    "times",
]
