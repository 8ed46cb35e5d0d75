"""Every picture of the course: one palette, PNG on white, and no picture without a text that says what it shows."""

from .architecture import architecture, block_steps, blocks, stage_costs
from .canvas import PALETTE, STYLE, png, save, show
from .charts import accuracy, confusion, curves, lines, residuals, runs, spread
from .drawings import multi_head_unit, padding_windows, separable_unit
from .maps import attention_map, attention_over_picture, digit_scores, latent_views, learned_maps
from .pictures import index_image, panels, picture, prediction, receptive_fields, split_by_place, taken
from .showpiece import attention_pair, course_picture
from .timings import devices, memory, operators, quadratic_vs_linear, repetitions, speed_ratios, times, waterfall
from .worked import worked_example

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
    "confusion",
    "course_picture",
    "curves",
    "devices",
    "digit_scores",
    "index_image",
    "latent_views",
    "learned_maps",
    "lines",
    "memory",
    "multi_head_unit",
    "operators",
    "padding_windows",
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
    "separable_unit",
    "show",
    "speed_ratios",
    "split_by_place",
    "spread",
    "stage_costs",
    "taken",
    "times",
    "waterfall",
    "worked_example",
]
