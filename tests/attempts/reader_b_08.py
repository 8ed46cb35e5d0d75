"""Attempts of a second reader at notebook 08: written from the stubs alone, before any check was run."""

import copy
from collections import Counter, defaultdict
from fractions import Fraction
from statistics import fmean, median

import numpy as np
import torch
from torch import nn

# 8.1 find the leak


def leaks_any(training, validation):
    return [
        (p, r, c)
        for p, r, c in validation
        if any(p == q and -64 < r - s < 64 and -64 < c - d < 64 for q, s, d in training)
    ]


def leaks_pixels(training, validation):
    seen = {(p, r + i, c + j) for p, r, c in training for i in range(64) for j in range(64)}
    return [t for t in validation if any((t[0], t[1] + i, t[2] + j) in seen for i in (0, 63) for j in (0, 63))]


def leaks_intervals(training, validation):
    by_photo = defaultdict(list)
    for photo, row, column in training:
        by_photo[photo].append((row, column))

    def overlap(a, b):
        return max(a, b) < min(a, b) + 64

    return list(filter(lambda t: any(overlap(t[1], r) and overlap(t[2], c) for r, c in by_photo[t[0]]), validation))


def leaks_touching(training, validation):
    return [
        t
        for t in validation
        if any(t[0] == o[0] and abs(t[1] - o[1]) <= 64 and abs(t[2] - o[2]) <= 64 for o in training)
    ]


def leaks_no_photo(training, validation):
    return [t for t in validation if any(abs(t[1] - o[1]) < 64 and abs(t[2] - o[2]) < 64 for o in training)]


def leaks_or(training, validation):
    return [
        t
        for t in validation
        if any(t[0] == o[0] and (abs(t[1] - o[1]) < 64 or abs(t[2] - o[2]) < 64) for o in training)
    ]


def leaks_one_sided(training, validation):
    return [
        t for t in validation if any(t[0] == o[0] and 0 <= t[1] - o[1] < 64 and 0 <= t[2] - o[2] < 64 for o in training)
    ]


def leaks_without_break(training, validation):
    found = []
    for p, r, c in validation:
        for q, s, d in training:
            if p == q and abs(r - s) < 64 and abs(c - d) < 64:
                found.append((p, r, c))
    return found


def leaks_same_tile(training, validation):
    return [t for t in validation if t in training]


def leaks_of_training(training, validation):
    return leaks_any(validation, training)


def leaks_set(training, validation):
    return sorted(set(leaks_any(training, validation)))


def leaks_half(training, validation):
    return [
        t for t in validation if any(t[0] == o[0] and abs(t[1] - o[1]) < 32 and abs(t[2] - o[2]) < 32 for o in training)
    ]


def leaks_clean(training, validation):
    bad = leaks_any(training, validation)
    return [t for t in validation if t not in bad]


def leaks_loop_broken(training, validation):
    found = []
    for t in validation:
        for o in training:
            if t[0] == o[0] and abs(t[1] - o[1]) < 64 and abs(t[2] - o[2]) < 64:
                found.append(t)
            break
    return found


def leaks_outer_loop_training(training, validation):
    found = []
    for o in training:
        for t in validation:
            near = o[0] == t[0] and abs(t[1] - o[1]) < 64 and abs(t[2] - o[2]) < 64
            if near and t not in found:
                found.append(t)
    return found


def leaks_corner_columns_63(training, validation):
    return [
        t for t in validation if any(t[0] == o[0] and abs(t[1] - o[1]) < 63 and abs(t[2] - o[2]) < 63 for o in training)
    ]


# 8.2 freeze, and prove it


def freeze_by_names(model):
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith("classifier.")
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not name.startswith("classifier"):
            module.eval()
            module.train = lambda mode=True, module=module: module
    return model


def freeze_parts_train(model):
    for part in (model.stem, model.stages):
        part.eval()
        part.requires_grad_(False)
        part.train = lambda mode=True, part=part: part
    return model


def freeze_model_train(model):
    for p in model.parameters():
        p.requires_grad_(False)
    for p in model.classifier.parameters():
        p.requires_grad_(True)
    original = model.train

    def train(mode=True):
        original(mode)
        model.stem.eval()
        model.stages.eval()
        return model

    model.train = train
    model.train()
    return model


def freeze_hooks(model):
    def stay(module, inputs):
        module.training = False

    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_pre_hook(stay)
    return model


def freeze_momentum_zero(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.0
                module.num_batches_tracked = None
    return model


def freeze_gradients_only(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
    return model


def freeze_eval_once(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        part.eval()
    return model


def freeze_norms_only(model):
    for part in (model.stem, model.stages):
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)
                module.eval()
                module.train = lambda mode=True: None
    return model


def freeze_everything(model):
    model.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.train = lambda mode=True: None
    return model


def freeze_no_stem(model):
    model.stages.requires_grad_(False)
    for module in model.stages.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.train = lambda mode=True: None
    return model


def freeze_no_eval(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train = lambda mode=True: None
    return model


def freeze_returns_none(model):
    freeze_by_names(model)


def freeze_copy(model):
    return freeze_by_names(copy.deepcopy(model))


def freeze_no_tracking(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.track_running_stats = False
    return model


def freeze_replaced_by_identity(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        for module in part.modules():
            for name, child in module.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, nn.Identity())
    return model


def freeze_whole_train_disabled(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
    model.eval()
    model.train = lambda mode=True: model
    return model


def freeze_attribute(model):
    for part in (model.stem, model.stages):
        part.requires_grad = False
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
                module.train = lambda mode=True: None
    return model


def freeze_no_grad(model):
    with torch.no_grad():
        model.stem.eval()
        model.stages.eval()
    return model


def freeze_train_without_mode(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        for module in part.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
                module.train = lambda: None
    return model


def freeze_train_is_eval_of_last(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        part.eval()
        part.train = lambda mode=True: part.eval()  # noqa: B023
    return model


def freeze_train_is_eval(model):
    for part in (model.stem, model.stages):
        part.requires_grad_(False)
        part.eval()
        part.train = part.eval
    return model


# 8.3 recall and precision


def rp_numpy(matrix):
    m = np.array(matrix)
    d = np.diag(m)
    return list(zip((d / m.sum(axis=1)).tolist(), (d / m.sum(axis=0)).tolist(), strict=True))


def rp_torch(matrix):
    m = torch.tensor(matrix, dtype=torch.float64)
    return torch.stack([m.diag() / m.sum(1), m.diag() / m.sum(0)], dim=1).tolist()


def rp_fraction(matrix):
    columns = list(zip(*matrix, strict=True))
    return [(Fraction(int(r[i]), int(sum(r))), Fraction(int(r[i]), int(sum(columns[i])))) for i, r in enumerate(matrix)]


def rp_exchanged(matrix):
    return [(p, r) for r, p in rp_numpy(matrix)]


def rp_two_lists(matrix):
    pairs = rp_numpy(matrix)
    return [r for r, _ in pairs], [p for _, p in pairs]


def rp_total(matrix):
    total = sum(map(sum, matrix))
    return [(row[i] / total, row[i] / total) for i, row in enumerate(matrix)]


def rp_recall_twice(matrix):
    return [(row[i] / sum(row), row[i] / sum(row)) for i, row in enumerate(matrix)]


def rp_floor(matrix):
    columns = list(zip(*matrix, strict=True))
    return [(r[i] // sum(r), r[i] // sum(columns[i])) for i, r in enumerate(matrix)]


def rp_percent(matrix):
    return [(100 * r, 100 * p) for r, p in rp_numpy(matrix)]


def rp_errors_below(matrix):
    columns = list(zip(*matrix, strict=True))
    return [(r[i] / max(1, sum(r) - r[i]), r[i] / max(1, sum(columns[i]) - r[i])) for i, r in enumerate(matrix)]


def rp_mean(matrix):
    pairs = rp_numpy(matrix)
    return fmean(r for r, _ in pairs), fmean(p for _, p in pairs)


def rp_first_only(matrix):
    pairs = rp_numpy(matrix)
    return pairs[:1]


def rp_false_rates(matrix):
    return [(1 - r, 1 - p) for r, p in rp_numpy(matrix)]


def rp_accuracy_like(matrix):
    total = sum(map(sum, matrix))
    columns = list(zip(*matrix, strict=True))
    return [
        ((total - sum(r) - sum(columns[i]) + 2 * r[i]) / total, r[i] / sum(columns[i])) for i, r in enumerate(matrix)
    ]


# 8.4 choose a learning rate


def rate_numpy(results):
    means = {rate: np.mean(pairs, axis=0) for rate, pairs in results.items()}
    best = max(means, key=lambda rate: means[rate][0])
    return best, float(means[best][1])


def rate_loop(results):
    best, best_validation, report = None, -1.0, None
    for rate in results:
        validation = fmean(v for v, _ in results[rate])
        if validation > best_validation:
            best, best_validation = rate, validation
            report = fmean(t for _, t in results[rate])
    return [best, report]


def rate_sorted(results):
    ranked = sorted((fmean(v for v, _ in p), rate) for rate, p in results.items())
    rate = ranked[-1][1]
    return rate, torch.tensor(results[rate], dtype=torch.float64)[:, 1].mean()


def rate_by_test(results):
    best = max(results, key=lambda rate: fmean(t for _, t in results[rate]))
    return best, fmean(t for _, t in results[best])


def rate_lucky(results):
    best = max(results, key=lambda rate: max(v for v, _ in results[rate]))
    return best, fmean(t for _, t in results[best])


def rate_reports_validation(results):
    best = rate_numpy(results)[0]
    return best, fmean(v for v, _ in results[best])


def rate_best_test_seed(results):
    best = rate_numpy(results)[0]
    return best, max(t for _, t in results[best])


def rate_test_of_best_validation_seed(results):
    best = rate_numpy(results)[0]
    return best, max(results[best])[1]


def rate_by_both(results):
    best = max(results, key=lambda rate: fmean(v + t for v, t in results[rate]))
    return best, fmean(t for _, t in results[best])


def rate_sum(results):
    best = max(results, key=lambda rate: sum(v for v, _ in results[rate]))
    return best, sum(t for _, t in results[best])


def rate_median(results):
    best = max(results, key=lambda rate: median(v for v, _ in results[rate]))
    return best, fmean(t for _, t in results[best])


def rate_first_seed(results):
    best = max(results, key=lambda rate: results[rate][0][0])
    return best, results[best][0][1]


def rate_max_dict(results):
    best = max(results)
    return best, fmean(t for _, t in results[best])


def rate_only(results):
    return rate_numpy(results)[0]


def rate_by_worst(results):
    best = max(results, key=lambda rate: min(v for v, _ in results[rate]))
    return best, fmean(t for _, t in results[best])


def rate_by_pairs(results):
    best = max(results, key=lambda rate: results[rate])
    return best, fmean(t for _, t in results[best])


def rate_by_sum(results):
    best = max(results, key=lambda rate: sum(v for v, _ in results[rate]))
    return best, fmean(t for _, t in results[best])


# 8.5 class weights


def cw_counter(labels, classes):
    counts = Counter(labels)
    return [len(labels) / classes / counts[i] for i in range(classes)]


def cw_normalised(labels, classes):
    raw = [1 / labels.count(i) for i in range(classes)]
    scale = len(labels) / sum(raw[label] for label in labels)
    return [scale * w for w in raw]


def cw_bincount(labels, classes):
    counts = torch.bincount(torch.tensor(labels), minlength=classes).double()
    return (counts.mean() / counts).tolist()


def cw_inverse(labels, classes):
    return [1 / labels.count(i) for i in range(classes)]


def cw_sum_one(labels, classes):
    raw = cw_inverse(labels, classes)
    return [w / sum(raw) for w in raw]


def cw_class_mean_one(labels, classes):
    raw = cw_inverse(labels, classes)
    return [classes * w / sum(raw) for w in raw]


def cw_no_classes(labels, classes):
    return [len(labels) / labels.count(i) for i in range(classes)]


def cw_share(labels, classes):
    return [labels.count(i) / len(labels) for i in range(classes)]


def cw_upside_down(labels, classes):
    return [classes * labels.count(i) / len(labels) for i in range(classes)]


def cw_max(labels, classes):
    return [max(labels.count(j) for j in range(classes)) / labels.count(i) for i in range(classes)]


def cw_per_picture(labels, classes):
    w = cw_counter(labels, classes)
    return [w[label] for label in labels]


def cw_appearance(labels, classes):
    return [len(labels) / (classes * n) for n in Counter(labels).values()]


def cw_floor(labels, classes):
    return [len(labels) // (classes * labels.count(i)) for i in range(classes)]


def cw_root(labels, classes):
    return [w**0.5 for w in cw_counter(labels, classes)]


def cw_one_minus(labels, classes):
    return [1 - labels.count(i) / len(labels) for i in range(classes)]


def cw_ones(labels, classes):
    return [1.0] * classes


def cw_off_by_one(labels, classes):
    return [len(labels) / (classes * max(1, labels.count(i))) for i in range(1, classes + 1)]


# 8.6 a class nobody can learn


def bp_losses(counts, groups):
    lost = sum(sum(counts[i] for i in g) - max(counts[i] for i in g) for g in groups)
    return 1 - lost / sum(counts)


def bp_singles(counts, groups):
    taken = {i for g in groups for i in g}
    everything = [*groups, *([i] for i in range(len(counts)) if i not in taken)]
    return float(Fraction(int(sum(max(counts[i] for i in g) for g in everything)), int(sum(counts))))


def bp_sorted(counts, groups):
    right = list(counts)
    for g in groups:
        for i in sorted(g, key=lambda i: counts[i])[:-1]:
            right[i] = 0
    return torch.tensor(right).double().sum() / sum(counts)


def bp_equal_guess(counts, groups):
    lost = sum(sum(counts[i] for i in g) * (1 - 1 / len(g)) for g in groups)
    return 1 - lost / sum(counts)


def bp_matching(counts, groups):
    right = sum(counts)
    for g in groups:
        n = sum(counts[i] for i in g)
        right += sum(counts[i] ** 2 for i in g) / n - n
    return right / sum(counts)


def bp_min(counts, groups):
    lost = sum(sum(counts[i] for i in g) - min(counts[i] for i in g) for g in groups)
    return 1 - lost / sum(counts)


def bp_all_lost(counts, groups):
    return 1 - sum(counts[i] for g in groups for i in g) / sum(counts)


def bp_merged(counts, groups):
    return 1.0


def bp_no_rest(counts, groups):
    return sum(max(counts[i] for i in g) for g in groups) / sum(counts)


def bp_classes(counts, groups):
    return (len(counts) - sum(len(g) - 1 for g in groups)) / len(counts)


def bp_first_of_group(counts, groups):
    return 1 - sum(counts[i] for g in groups for i in g[1:]) / sum(counts)


def bp_one_group(counts, groups):
    if not groups:
        return 1.0
    g = groups[0]
    return 1 - (sum(counts[i] for i in g) - max(counts[i] for i in g)) / sum(counts)


def bp_index_max(counts, groups):
    return 1 - sum(sum(counts[i] for i in g) - counts[max(g)] for g in groups) / sum(counts)


def bp_pairs_only(counts, groups):
    return 1 - sum(min(counts[i] for i in g) for g in groups) / sum(counts)


def bp_flattened(counts, groups):
    taken = [i for g in groups for i in g]
    if not taken:
        return 1.0
    return 1 - (sum(counts[i] for i in taken) - max(counts[i] for i in taken)) / sum(counts)


def bp_number(counts, groups):
    return bp_losses(counts, groups) * sum(counts)


def bp_balanced(counts, groups):
    right = [1.0] * len(counts)
    for g in groups:
        best = max(g, key=lambda i: counts[i])
        for i in g:
            right[i] = float(i == best)
    return sum(right) / len(right)


ATTEMPTS = [
    ("leaks", "right", "any in a comprehension", leaks_any),
    ("leaks", "right", "set of all pixels, corners asked", leaks_pixels),
    ("leaks", "right", "intervals, by photo", leaks_intervals),
    ("leaks", "wrong", "<= 64: tiles that only touch", leaks_touching),
    ("leaks", "wrong", "forgets the photo", leaks_no_photo),
    ("leaks", "wrong", "or instead of and", leaks_or),
    ("leaks", "wrong", "only right of and below the training tile", leaks_one_sided),
    ("leaks", "wrong", "no break: one tile several times", leaks_without_break),
    ("leaks", "wrong", "only identical tiles", leaks_same_tile),
    ("leaks", "wrong", "returns tiles of training", leaks_of_training),
    ("leaks", "wrong", "a sorted set: order lost", leaks_set),
    ("leaks", "wrong", "less than half a tile apart", leaks_half),
    ("leaks", "wrong", "returns the clean ones", leaks_clean),
    ("leaks", "wrong", "break outside the if: only the first training tile", leaks_loop_broken),
    ("leaks", "wrong", "outer loop over training: order of training", leaks_outer_loop_training),
    ("leaks", "wrong", "< 63: one shared row or column is missed", leaks_corner_columns_63),
    ("freeze_backbone", "right", "by names, all batch norms", freeze_by_names),
    ("freeze_backbone", "right", "train of the two parts", freeze_parts_train),
    ("freeze_backbone", "right", "wraps train of the model", freeze_model_train),
    ("freeze_backbone", "right", "a pre-hook sets training to False", freeze_hooks),
    ("freeze_backbone", "wrong", "train replaced by eval, which takes no mode", freeze_train_is_eval),
    ("freeze_backbone", "wrong", "momentum 0, no counter: norms use the batch's statistics", freeze_momentum_zero),
    ("freeze_backbone", "wrong", "gradients only", freeze_gradients_only),
    ("freeze_backbone", "wrong", "eval once, undone by train", freeze_eval_once),
    ("freeze_backbone", "wrong", "only the norms", freeze_norms_only),
    ("freeze_backbone", "wrong", "freezes the classifier, too", freeze_everything),
    ("freeze_backbone", "wrong", "forgets the stem", freeze_no_stem),
    ("freeze_backbone", "wrong", "train disabled but never eval", freeze_no_eval),
    ("freeze_backbone", "wrong", "returns nothing", freeze_returns_none),
    ("freeze_backbone", "right", "a frozen copy is returned", freeze_copy),
    ("freeze_backbone", "wrong", "track_running_stats off", freeze_no_tracking),
    ("freeze_backbone", "wrong", "norms replaced by identities", freeze_replaced_by_identity),
    (
        "freeze_backbone",
        "right",
        "train of the whole model disabled, classifier in eval, too",
        freeze_whole_train_disabled,
    ),
    ("freeze_backbone", "wrong", "requires_grad set as attribute of the module", freeze_attribute),
    ("freeze_backbone", "wrong", "no_grad around eval", freeze_no_grad),
    ("freeze_backbone", "wrong", "new train takes no mode", freeze_train_without_mode),
    ("freeze_backbone", "wrong", "late binding: the stem's train calls stages.eval", freeze_train_is_eval_of_last),
    ("recall_and_precision", "right", "NumPy diag and sums", rp_numpy),
    ("recall_and_precision", "right", "PyTorch, lists as pairs", rp_torch),
    ("recall_and_precision", "right", "fractions", rp_fraction),
    ("recall_and_precision", "wrong", "precision first", rp_exchanged),
    ("recall_and_precision", "wrong", "two lists instead of pairs", rp_two_lists),
    ("recall_and_precision", "wrong", "divides by all pictures", rp_total),
    ("recall_and_precision", "wrong", "row twice", rp_recall_twice),
    ("recall_and_precision", "wrong", "// instead of /", rp_floor),
    ("recall_and_precision", "wrong", "percent", rp_percent),
    ("recall_and_precision", "wrong", "divides by the errors", rp_errors_below),
    ("recall_and_precision", "wrong", "means over the classes", rp_mean),
    ("recall_and_precision", "wrong", "first class only", rp_first_only),
    ("recall_and_precision", "wrong", "shares of errors", rp_false_rates),
    ("recall_and_precision", "wrong", "one-against-rest accuracy for recall", rp_accuracy_like),
    ("choose_rate", "right", "NumPy means", rate_numpy),
    ("choose_rate", "right", "a loop, returns a list", rate_loop),
    ("choose_rate", "right", "sorted, a tensor as accuracy", rate_sorted),
    ("choose_rate", "right", "chooses by the sum, same number of seeds", rate_by_sum),
    ("choose_rate", "wrong", "chooses by test", rate_by_test),
    ("choose_rate", "wrong", "chooses by the luckiest seed", rate_lucky),
    ("choose_rate", "wrong", "reports validation", rate_reports_validation),
    ("choose_rate", "wrong", "reports the best test seed", rate_best_test_seed),
    ("choose_rate", "wrong", "reports test of the best validation seed", rate_test_of_best_validation_seed),
    ("choose_rate", "wrong", "chooses by both", rate_by_both),
    ("choose_rate", "wrong", "reports the sum", rate_sum),
    ("choose_rate", "wrong", "first seed only", rate_first_seed),
    ("choose_rate", "wrong", "highest rate", rate_max_dict),
    ("choose_rate", "wrong", "returns the rate only", rate_only),
    ("choose_rate", "wrong", "chooses by the worst seed", rate_by_worst),
    ("choose_rate", "wrong", "compares lists of pairs", rate_by_pairs),
    ("choose_rate", "wrong", "chooses by the median", rate_median),
    ("class_weights", "right", "Counter", cw_counter),
    ("class_weights", "right", "inverse, then scaled by the pictures", cw_normalised),
    ("class_weights", "right", "bincount, mean count over count", cw_bincount),
    ("class_weights", "wrong", "inverse counts, not scaled", cw_inverse),
    ("class_weights", "wrong", "weights sum to 1", cw_sum_one),
    ("class_weights", "wrong", "mean over classes is 1", cw_class_mean_one),
    ("class_weights", "wrong", "forgets the number of classes", cw_no_classes),
    ("class_weights", "wrong", "share of the class", cw_share),
    ("class_weights", "wrong", "upside down", cw_upside_down),
    ("class_weights", "wrong", "largest class weighs 1", cw_max),
    ("class_weights", "wrong", "one weight for each picture", cw_per_picture),
    ("class_weights", "wrong", "classes in the order of appearance", cw_appearance),
    ("class_weights", "wrong", "// instead of /", cw_floor),
    ("class_weights", "wrong", "square root", cw_root),
    ("class_weights", "wrong", "one minus the share", cw_one_minus),
    ("class_weights", "wrong", "all ones", cw_ones),
    ("class_weights", "wrong", "classes from 1", cw_off_by_one),
    ("best_possible", "right", "one minus what is lost", bp_losses),
    ("best_possible", "right", "other classes as groups of one", bp_singles),
    ("best_possible", "right", "all but the largest set to 0; a tensor", bp_sorted),
    ("best_possible", "wrong", "guesses evenly in the group", bp_equal_guess),
    ("best_possible", "wrong", "guesses in proportion to the counts", bp_matching),
    ("best_possible", "wrong", "smallest instead of largest", bp_min),
    ("best_possible", "wrong", "all of a group is lost", bp_all_lost),
    ("best_possible", "wrong", "ignores the groups", bp_merged),
    ("best_possible", "wrong", "forgets the other classes", bp_no_rest),
    ("best_possible", "wrong", "counts classes, not pictures", bp_classes),
    ("best_possible", "wrong", "always answers the first of the group", bp_first_of_group),
    ("best_possible", "wrong", "only the first group", bp_one_group),
    ("best_possible", "wrong", "largest index instead of largest count", bp_index_max),
    ("best_possible", "wrong", "only the smallest of a group is lost", bp_pairs_only),
    ("best_possible", "wrong", "all groups as one", bp_flattened),
    ("best_possible", "wrong", "a number of pictures, not a share", bp_number),
    ("best_possible", "wrong", "mean of the recalls", bp_balanced),
]
