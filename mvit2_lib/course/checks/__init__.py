"""The check of every exercise: it prints one line, names the likely mistake, and never raises."""

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
from .notebook_04 import block_macs, extra_macs, fold_patches, group_norm_1, groups_by_position, unfold_patches
from .notebook_05 import (
    feature_maps,
    macs_at,
    parameters_with_classes,
    round_channels,
    table_of_channels,
    token_counts,
)
from .notebook_06 import channel_order, crop_box, name_from_timm, split_projections, top_1_and_5
from .notebook_07 import learning_rate, moving_average, share_of, smoothed, statistics_of_both, train_only_the_head

__all__ = [
    "attention_weights",
    "benchmark",
    "block_macs",
    "channel_order",
    "context_scores",
    "context_vector",
    "crop_box",
    "cross_attention",
    "cross_attention_macs",
    "extra_macs",
    "feature_maps",
    "fold_patches",
    "gate_and_mix",
    "group_norm_1",
    "groups_by_position",
    "learning_rate",
    "log_log_slope",
    "macs_at",
    "merge_heads",
    "moving_average",
    "name_from_timm",
    "parameters_with_classes",
    "pooled_context_vector",
    "predicted_seconds",
    "ratio_reached",
    "round_channels",
    "score_bytes",
    "separable_cross_attention",
    "share_of",
    "smoothed",
    "speedup",
    "split_projections",
    "stable_softmax",
    "statistics_of_both",
    "table_of_channels",
    "token_counts",
    "top_1_and_5",
    "train_only_the_head",
    "twice_as_much",
    "unfold_patches",
]
