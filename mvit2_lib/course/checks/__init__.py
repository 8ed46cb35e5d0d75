"""The check of every exercise: it prints one line, names the likely mistake, and never raises."""

from .notebook_01 import cross_attention, cross_attention_macs, cycle, multi_head_module, stable_softmax
from .notebook_02 import (
    pooled_context_vector,
    separable_cross_attention,
    separable_module,
    several_questions,
    twice_as_much,
)
from .notebook_03 import benchmark, largest_k, log_log_slope, meeting_point, speedup
from .notebook_04 import block_macs, block_module, fold_patches, group_norm_1, groups_by_position, unfold_patches
from .notebook_05 import feature_maps, macs_at, model_from_table, round_channels, table_of_channels, token_counts
from .notebook_06 import channel_order, name_from_timm, prepare, top_1_and_5, translate
from .notebook_07 import learning_rate, share_of, smoothed, statistics_of_both, train_only_the_head, training_step
from .notebook_08 import (
    best_possible,
    choose_rate,
    class_weights,
    freeze_backbone,
    leaks,
    recall_and_precision,
)
from .notebook_09 import fast_norm, file_error, fold_norm, quantize, stalling, what_went_wrong
from .notebook_10 import attention_in_ops, carry_over, epsilon_of, keras_momentum, padding_of

__all__ = [
    "attention_in_ops",
    "benchmark",
    "best_possible",
    "block_macs",
    "block_module",
    "carry_over",
    "channel_order",
    "choose_rate",
    "class_weights",
    "cross_attention",
    "cross_attention_macs",
    "cycle",
    "epsilon_of",
    "fast_norm",
    "feature_maps",
    "file_error",
    "fold_norm",
    "fold_patches",
    "freeze_backbone",
    "group_norm_1",
    "groups_by_position",
    "keras_momentum",
    "largest_k",
    "leaks",
    "learning_rate",
    "log_log_slope",
    "macs_at",
    "meeting_point",
    "model_from_table",
    "multi_head_module",
    "name_from_timm",
    "padding_of",
    "pooled_context_vector",
    "prepare",
    "quantize",
    "recall_and_precision",
    "round_channels",
    "separable_cross_attention",
    "separable_module",
    "several_questions",
    "share_of",
    "smoothed",
    "speedup",
    "stable_softmax",
    "stalling",
    "statistics_of_both",
    "table_of_channels",
    "token_counts",
    "top_1_and_5",
    "train_only_the_head",
    "training_step",
    "translate",
    "twice_as_much",
    "unfold_patches",
    "what_went_wrong",
]
