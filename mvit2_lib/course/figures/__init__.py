"""Every picture of the course: one palette, PNG on white, and no picture without a text that says what it shows."""

from .architecture import architecture, block_steps, blocks, index_image, panels, receptive_fields, stage_costs
from .canvas import PALETTE, STYLE, png, save, show
from .charts import accuracy, curves, lines, residuals, runs, spread
from .drawings import multi_head_unit, separable_unit
from .pictures import (
    attention_map,
    attention_over_picture,
    attention_pair,
    course_picture,
    implied_maps,
    latent_views,
    picture,
    prediction,
    scores_over_picture,
)
from .timings import memory, operators, quadratic_vs_linear, repetitions, speed_ratios, times

__all__ = [
    "PALETTE",
    "STYLE",
    "accuracy",
    "architecture",
    "attention_map",
    "attention_over_picture",
    "attention_pair",
    "block_steps",
    "blocks",
    "course_picture",
    "curves",
    "implied_maps",
    "index_image",
    "latent_views",
    "lines",
    "memory",
    "multi_head_unit",
    "operators",
    "panels",
    "picture",
    "png",
    "prediction",
    "quadratic_vs_linear",
    "receptive_fields",
    "repetitions",
    "residuals",
    "runs",
    "save",
    "scores_over_picture",
    "separable_unit",
    "show",
    "speed_ratios",
    "spread",
    "stage_costs",
    "times",
]
