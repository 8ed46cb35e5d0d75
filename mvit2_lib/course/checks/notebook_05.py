"""The checks of the exercises of notebook 05."""

import math

import torch
from torch import Tensor, nn

from ...blocks import ConvNormAct, InvertedResidual, MobileViTv2Block
from ...model import MobileViTv2, make_divisible
from .exercise import Exercise
from .modules import ModuleExercise
from .values import Remark, plain, random, same

round_channels = Exercise(
    "5.1 the rounding rule",
    make_divisible,
    ((36.0, 8), (100, 8), (11, 8), (19.2, 8), (3, 8), (20.0, 16), (130, 16), (91, 8), (95, 8))
    + (
        (4, 8),
        (0.5, 8),
        (40, 16),
        (80.0, 8),
        (10, 4),
        (18, 4),
        (1000, 100),
        (108, 8),
        (20, 9),
        (21, 19),
        (43, 8),
        (17.8, 8),
    ),
    {
        "the divisor is 8 whatever is asked; use the one that is handed in": lambda v, d: make_divisible(v, 8),
        "the value is cut to a whole number before it is rounded": lambda v, d: make_divisible(int(v), d),
        "the tenth is lost below: where it loses too much it takes the multiple below, not above": lambda v, d: (
            lambda n: n - d if n < 0.9 * v else n
        )(int(v + d / 2) // d * d),
        "it may lose more than a tenth, except where nothing would be left; then take the next multiple": (
            lambda v, d: max(d, int(v + d / 2) // d * d)
        ),
        "it rounds down; take the nearest multiple": lambda v, d: max(d, int(v // d * d)),
        "it rounds up; take the nearest multiple": lambda v, d: math.ceil(v / d) * d,
        "it may lose more than a tenth; then take the next multiple": lambda v, d: int(v + d / 2) // d * d,
        "it may lose more than a tenth, and Python's round sends halves to the even neighbour": lambda v, d: max(
            d, round(v / d) * d
        ),
        "Python's round sends halves to the even neighbour; here they go up": lambda v, d: (
            lambda n: n + d if n < 0.9 * v else n
        )(max(d, round(v / d) * d)),
        "it only cuts the fraction off, and knows no multiples": lambda v, d: int(v),
        "the limit is on the wrong side: it must not lose a tenth, but may gain one": lambda v, d: (
            lambda n: n - d if n > 1.1 * v else n
        )(max(d, int(v + d / 2) // d * d)),
        "this is the number of multiples; multiply with the divisor": lambda v, d: (
            (lambda n: n + d if n < 0.9 * v else n)(max(d, int(v + d / 2) // d * d)) // d
        ),
        "it rounds down, and takes the next multiple where that loses a tenth; take the nearest first": lambda v, d: (
            lambda n: n + d if n < 0.9 * v else n
        )(int(v // d) * d),
        "exactly a tenth may be lost: the limit is < 0.9 · value, not ≤": lambda v, d: (
            lambda n: n + d if n <= 0.9 * v else n
        )(int(v + d / 2) // d * d),
        "halves go down here; they must go up": lambda v, d: (lambda n: n + d if n < 0.9 * v else n)(
            math.ceil(v / d - 0.5) * d
        ),
        "the tenth is taken of the rounded number, not of value": lambda v, d: (lambda n: n + d if v > 1.1 * n else n)(
            int(v + d / 2) // d * d
        ),
        "a tenth may be lost, not a fifth": lambda v, d: (lambda n: n + d if n < 0.8 * v else n)(
            int(v + d / 2) // d * d
        ),
        "a tenth may be lost, but hardly a twentieth here": lambda v, d: (lambda n: n + d if n < 0.95 * v else n)(
            int(v + d / 2) // d * d
        ),
        "where it loses too much it returns the value itself; take the next multiple": lambda v, d: (
            lambda n: v if n < 0.9 * v else n
        )(int(v + d / 2) // d * d),
        "where it loses too much, the divisor alone is returned": lambda v, d: (lambda n: d if n < 0.9 * v else n)(
            int(v + d / 2) // d * d
        ),
        "it is rounded to a whole number, not to a multiple": lambda v, d: int(v + 0.5),
        "it may not gain more than a tenth, either: this condition is not in the rule": lambda v, d: (
            lambda n: n + d if n < 0.9 * v else n - d if n > 1.1 * v and n > d else n
        )(int(v + d / 2) // d * d),
        "where it loses too much, one is added; add the divisor": lambda v, d: (lambda n: n + 1 if n < 0.9 * v else n)(
            int(v + d / 2) // d * d
        ),
        "`//` binds before the sum: divide value + divisor / 2, in brackets": lambda v, d: (
            lambda n: n + d if n < 0.9 * v else n
        )(int(v + d / 2 // d * d)),
        "the next multiple is always taken": lambda v, d: int(v // d + 1) * d,
    },
)


def _model(stem, stages, num_classes, in_channels=3):
    """Return the parts of the model, under the library's names."""
    parts, channels = nn.Sequential(), stem
    for out_channels, strides, dim, num_layers in stages:
        stage = nn.Sequential()
        for stride in strides:
            stage.append(InvertedResidual(channels, out_channels, stride))
            channels = out_channels
        if dim is not None:
            stage.append(MobileViTv2Block(channels, dim, num_layers))
        parts.append(stage)
    return ConvNormAct(in_channels, stem, kernel_size=3, stride=2), parts, nn.Linear(channels, num_classes)


class _Model(nn.Module):
    """The model from a table, as the library builds it."""

    def __init__(self, stem, stages, num_classes):
        super().__init__()
        self.stem, self.stages, self.classifier = _model(stem, stages, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.stages(self.stem(x)).mean(dim=(-2, -1)))  # [B, num_classes]


def _changed(change):
    """Return a mistake: what becomes of a right model that is changed before it runs."""

    def forward(m, x: Tensor) -> Tensor:
        change(m)
        return m(x)

    return forward


def _strides(m, kind, stride) -> None:
    for part in m.modules():
        if isinstance(part, kind) and part.stride != (1, 1):
            part.stride = (stride, stride)


def _stem_stride(m) -> None:
    m.stem.conv.stride = (1, 1)


def _no_activation(m) -> None:
    m.stem.has_activation = False


def _blocks_left_out(m) -> None:
    for stage in m.stages:
        if isinstance(stage[-1], MobileViTv2Block):
            stage[-1] = nn.Identity()


def _blocks_first(m) -> None:
    """Where the channels fit, the block before the inverted residuals."""
    for i, stage in enumerate(m.stages):
        m.stages[i] = nn.Sequential(*list(stage)[::-1])


def _blocks_twice(m) -> None:
    for stage in m.stages:
        if isinstance(stage[-1], MobileViTv2Block):
            stage.append(stage[-1])


def _one_stage_less(m) -> None:
    m.stages = m.stages[1:]


def _no_residual(m) -> None:
    for part in m.modules():
        if isinstance(part, InvertedResidual):
            part.has_residual = False


def _first_layers(m) -> None:
    for part in m.modules():
        if isinstance(part, MobileViTv2Block):
            part.layers = part.layers[:1]


model_from_table = ModuleExercise(
    "5.2 the model from its table",
    _Model,
    {
        "three stages": (
            (8, [(12, (1,), None, 0), (16, (2, 1), None, 0), (20, (2,), 8, 2)], 5),
            random(2, 3, 32, 64),
        ),
        "two stages with blocks": ((6, [(10, (2,), 6, 1), (14, (2,), 10, 2)], 7), random(1, 3, 64, 32)),
        "a stage of two residuals and a block": (
            (8, [(8, (1, 1), None, 0), (8, (2, 1), 6, 1)], 3),
            random(3, 3, 32, 32),
        ),
    },
    {
        "the stem has a stride of 2, which is missing": _changed(_stem_stride),
        "all strides are 1: hand them to the inverted residuals": _changed(lambda m: _strides(m.stages, nn.Conv2d, 1)),
        "the SiLU of the stem is missing": _changed(_no_activation),
        "the MobileViTv2 blocks are missing": _changed(_blocks_left_out),
        "the block comes before the inverted residuals; it comes after them": _changed(_blocks_first),
        "each block is gone through twice": _changed(_blocks_twice),
        "the first stage is not gone through": _changed(_one_stage_less),
        "the inverted residuals have lost their shortcut": _changed(_no_residual),
        "only one layer in each block is used": _changed(_first_layers),
        "the map is summed over its pixels; take the mean": lambda m, x: m.classifier(
            m.stages(m.stem(x)).sum((-2, -1))
        ),
        "the largest number of each channel is taken; take the mean": lambda m, x: m.classifier(
            m.stages(m.stem(x)).amax((-2, -1))
        ),
        "the mean runs over the width of the map alone": lambda m, x: m.classifier(
            m.stages(m.stem(x)).mean(-1).movedim(1, -1)
        ),
        "the mean runs over the height of the map alone": lambda m, x: m.classifier(
            m.stages(m.stem(x)).mean(-2).movedim(1, -1)
        ),
        "the first pixel alone is classified; take the mean over all": lambda m, x: m.classifier(
            m.stages(m.stem(x))[:, :, 0, 0]
        ),
        "a softmax follows the classifier; the model returns its scores": lambda m, x: m(x).softmax(-1),
        "a ReLU follows the classifier; the model returns its scores": lambda m, x: m(x).relu(),
        "a ReLU comes before the classifier; the mean goes there as it is": lambda m, x: m.classifier(
            m.stages(m.stem(x)).mean((-2, -1)).relu()
        ),
        "a SiLU comes before the classifier; the mean goes there as it is": lambda m, x: m.classifier(
            nn.functional.silu(m.stages(m.stem(x)).mean((-2, -1)))
        ),
        "every pixel is classified: the mean is missing": lambda m, x: m.classifier(m.stages(m.stem(x)).movedim(1, -1)),
    },
    steps={
        "the pooled features: the classifier is missing": lambda m, x: m.stages(m.stem(x)).mean((-2, -1)),
        "the last map: mean and classifier are missing": lambda m, x: m.stages(m.stem(x)),
        "the map that leaves the stem": lambda m, x: m.stem(x),
    },
    axes="B classes",
    in_parts=True,
)


_ALL = (32, 64, 128, 256, 384, 512)


def _table(alpha, stem=lambda c: min(64, max(16, c)), first=16, rounded=make_divisible) -> list[int]:
    rest = (rounded(channels * alpha, 8) for channels in (128, 256, 384, 512))
    return [rounded(stem(32 * alpha), 8), rounded(64 * alpha, first), *rest]


table_of_channels = Exercise(
    "5.3 the table at another width",
    _table,
    ((0.75,), (1.0,), (0.25,), (0.6,), (0.35,), (4.0,)),
    {
        "the channels are cut off to whole numbers; round them to multiples": lambda a: _table(
            a, rounded=lambda v, d: int(v)
        ),
        "the first stage must be a multiple of 16": lambda a: _table(a, first=8),
        "nothing limits 32 · α in the stem: keep it between 16 and 64": lambda a: _table(a, stem=lambda c: c),
        "the stem has no lower limit: keep it at 16 or more": lambda a: _table(a, stem=lambda c: min(64, c)),
        "the stem has no upper limit: keep it at 64 or less": lambda a: _table(a, stem=lambda c: max(16, c)),
        "the nearest multiple may lose more than a tenth; then take the next": lambda a: _table(
            a, rounded=lambda v, d: max(d, int(v + d / 2) // d * d)
        ),
        "the stem is not scaled; it grows with α, within its limits": lambda a: _table(a, stem=lambda c: 32),
        "all six are multiples of 16 here; only the first stage must be": lambda a: [
            make_divisible(min(64, max(16, 32 * a)), 16),
            *(make_divisible(c * a, 16) for c in _ALL[1:]),
        ],
        "all stages are multiples of 16 here, the stem aside; only the first must be": lambda a: [
            *_table(a)[:1],
            *(make_divisible(c * a, 16) for c in _ALL[1:]),
        ],
        "the stem is missing": lambda a: _table(a)[1:],
        "this is the table at α = 1": lambda a: _table(1.0),
        "the first stage is a multiple of 8 here, and the stem of 16; it is the other way round": lambda a: [
            make_divisible(min(64, max(16, 32 * a)), 16),
            make_divisible(64 * a, 8),
            *_table(a)[2:],
        ],
        "stem and first stage are multiples of 16 here; only the first stage must be": lambda a: [
            make_divisible(min(64, max(16, 32 * a)), 16),
            *_table(a)[1:],
        ],
        "all stages are kept between 16 and 64; only the stem is": lambda a: [
            make_divisible(min(64, max(16, c * a)), 16 if c == 64 else 8) for c in (32, 64, 128, 256, 384, 512)
        ],
        "nothing is rounded; take multiples": lambda a: [min(64, max(16, 32 * a)), *(c * a for c in _ALL[1:])],
        "nothing is rounded, and the stem has no limits": lambda a: [c * a for c in _ALL],
        "the numbers grow with α²; channels grow with α": lambda a: _table(a * a),
        "the numbers are divided by α; multiply": lambda a: _table(1 / a),
        "the limits of the stem are exchanged: at least 16, at most 64": lambda a: _table(
            a, stem=lambda c: max(64, min(16, c))
        ),
        "the stem is kept at most at 64 by a maximum, which makes it 64 or more": lambda a: _table(
            a, stem=lambda c: max(64, c)
        ),
        "the stem is made at most 16 by a minimum": lambda a: _table(a, stem=lambda c: min(16, c)),
        "the last stage is missing": lambda a: _table(a)[:-1],
        "it is rounded down to multiples; use the rule of 5.1": lambda a: _table(
            a, rounded=lambda v, d: max(d, int(v // d * d))
        ),
        "it is rounded up to multiples; use the rule of 5.1": lambda a: _table(
            a, rounded=lambda v, d: math.ceil(v / d) * d
        ),
        "α multiplies the rounded numbers of α = 1, and the fraction is cut off": lambda a: [int(c * a) for c in _ALL],
    },
)


def _tokens(pixels, halve=lambda side: -(-side // 2), grow=True, before=2, patch=2) -> list[int]:
    side, counts = pixels, []
    for _ in range(before):
        side = halve(side)
    for _ in range(3):
        side = halve(side)
        side += side % 2 if grow else 0
        counts.append((side // patch) ** 2)
    return counts


token_counts = Exercise(
    "5.4 tokens at any size",
    _tokens,
    ((256,), (224,), (384,), (70,), (100,), (65,), (97,)),
    {
        "the sides are rounded down; a stride of 2 rounds up": lambda p: _tokens(p, halve=lambda side: side // 2),
        "an odd map meets its block without growing, and before a stride that counts not: 7×7 becomes 8×8": lambda p: (
            _tokens(p, grow=False)
        ),
        "odd maps do not grow here, and a part of a patch is counted: 7×7 becomes 8×8 before the block": lambda p: [
            math.ceil(p / 2**n) ** 2 // 4 for n in (3, 4, 5)
        ],
        "these are the pixels of the maps; each group has a quarter of them": lambda p: _tokens(p, patch=1),
        "there are three strides of 2 before the first block: stem, stage 2, stage 3": lambda p: _tokens(p, before=1),
        "there are only three strides of 2 before the first block: stem, stage 2, stage 3": lambda p: _tokens(
            p, before=3
        ),
        "the sides are rounded down, and odd maps do not grow": lambda p: _tokens(
            p, halve=lambda side: side // 2, grow=False
        ),
        "halves are rounded with Python's round; a stride of 2 rounds up": lambda p: _tokens(
            p, halve=lambda side: round(side / 2)
        ),
        "the side is divided by 32 for all three; each stage has its own": lambda p: [_tokens(p)[2]] * 3,
        "these are the sides of the maps; a count of tokens is the square of half of them": lambda p: [
            2 * math.isqrt(k) for k in _tokens(p)
        ],
        "the counts are in reverse order": lambda p: _tokens(p)[::-1],
        "the sum over the three stages; return a list of three": lambda p: sum(_tokens(p)),
        "that is stage 3 alone; return a list of three": lambda p: _tokens(p)[:1],
        "that is stage 5 alone; return a list of three": lambda p: _tokens(p)[2:],
        "these are all five stages; only 3, 4 and 5 have attention": lambda p: [
            math.ceil(p / 2) ** 2 // 4,
            math.ceil(p / 4) ** 2 // 4,
            *_tokens(p),
        ],
        "these are pixels over two: a patch has 2 × 2 of them, divide by four": lambda p: [2 * k for k in _tokens(p)],
        "these are halves of the counts: a patch has 2 × 2 pixels, divide by four": lambda p: [
            k / 2 for k in _tokens(p)
        ],
        "the sides are not rounded at all; a stride of 2 rounds up": lambda p: [(p / 2**n / 2) ** 2 for n in (3, 4, 5)],
        "the sides are not rounded but the counts are; a stride of 2 rounds up": lambda p: [
            int((p / 2**n / 2) ** 2) for n in (3, 4, 5)
        ],
        "these are sides; the number of tokens is a square": lambda p: [math.isqrt(k) for k in _tokens(p)],
    },
)

macs_at = Exercise(
    "5.5 work at another size",
    lambda pixels, macs, classifier: (macs - classifier) * pixels**2 // 256**2 + classifier,
    (
        (384, 1811968000, 512000),
        (128, 464896000, 256000),
        (256, 464896000, 256000),
        (512, 900140000, 300000),
        (320, 464896000, 256000),
    ),
    {
        "the classifier works once, whatever the size": lambda p, m, c: m * p**2 // 256**2,
        "work grows with the number of pixels, so with the square of the side": lambda p, m, c: (m - c) * p // 256 + c,
        "the classifier is missing": lambda p, m, c: (m - c) * p**2 // 256**2,
        "the classifier is added, but was not taken out before": lambda p, m, c: m * p**2 // 256**2 + c,
        "work grows with the number of pixels; this is k², as with multi-head attention": lambda p, m, c: (
            (m - c) * p**4 // 256**4 + c
        ),
        "the ratio of the sizes is upside down": lambda p, m, c: (m - c) * 256**2 // p**2 + c,
        "work is taken to grow with the side; it grows with the pixels, and the classifier works once": (
            lambda p, m, c: m * p // 256
        ),
        "the ratio is cut to a whole number before it multiplies: multiply first": lambda p, m, c: (
            (m - c) * (p // 256) ** 2 + c
        ),
        "the classifier grows, and the rest does not; it is the other way round": lambda p, m, c: (
            (m - c) + c * p**2 // 256**2
        ),
        "the classifier is subtracted in the end; add it": lambda p, m, c: (m - c) * p**2 // 256**2 - c,
        "the classifier is added before the division; take it out": lambda p, m, c: (m + c) * p**2 // 256**2 + c,
        "the classifier is added before, and subtracted in the end; it is the other way round": lambda p, m, c: (
            (m + c) * p**2 // 256**2 - c
        ),
        "the sizes are compared with 224; the model was counted at 256": lambda p, m, c: (m - c) * p**2 / 224**2 + c,
        "the pixels are not divided by those of 256 × 256": lambda p, m, c: (m - c) * p**2 + c,
        "two classifiers are added": lambda p, m, c: (m - c) * p**2 // 256**2 + 2 * c,
        "the number of pixels is divided by 256; divide it by 256 · 256": lambda p, m, c: (m - c) * p**2 // 256 + c,
        "those are millions; return the number itself": lambda p, m, c: ((m - c) * p**2 // 256**2 + c) / 1e6,
        "those are whole millions; return the number itself": lambda p, m, c: ((m - c) * p**2 // 256**2 + c) // 10**6,
        "that is the classifier alone": lambda p, m, c: c,
        "the size of the picture does change the work": lambda p, m, c: m,
    },
)


def _small_model() -> MobileViTv2:
    chance = torch.get_rng_state()
    torch.default_generator.manual_seed(5)  # not that of an attempt, which could build the same model
    model = MobileViTv2(0.25, num_classes=3).eval()
    torch.set_rng_state(chance)
    return model


def _walk(model: nn.Module, pictures: Tensor) -> list[Tensor]:
    x, maps = model.stem(pictures), []
    for stage in model.stages:
        x = stage(x)
        maps.append(x)
    return maps


def _residuals(model: nn.Module, pictures: Tensor) -> list[Tensor]:
    """Return what leaves the inverted residual of stages 3 to 5, before the block."""
    x, maps = model.stem(pictures), []
    for stage in model.stages:
        maps.append(stage[0](x))
        x = stage(x)
    return maps[2:]


def _twice_through(model: nn.Module, pictures: Tensor) -> list[Tensor]:
    maps = _walk(model, pictures)[2:]
    return [stage[-1](y) for stage, y in zip(model.stages[2:], maps, strict=True)]


_MODELS: dict[bool, nn.Module] = {}  # in training and in evaluation mode


def _left_as_it_was(function):
    """Say besides whether the model has kept its weights, its mode and nothing else."""

    def called(training: bool, pictures: Tensor):
        # Copying a model takes longer than using it, so one that was left as it was is used again.
        model = _MODELS.pop(training, None) or _small_model().train(training)
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        modes, parts = [part.training for part in model.modules()], list(map(id, model.modules()))
        held = [set(vars(part)) for part in model.modules()]
        trained = [parameter.requires_grad for parameter in model.parameters()]
        maps = function(model, pictures)
        if maps is None or maps is ...:
            return maps
        if any(part._forward_hooks or part._forward_pre_hooks for part in model.modules()):
            raise Remark("a hook is left behind in the model: remove it when the maps are collected")
        if list(map(id, model.modules())) != parts:
            raise Remark("the model has lost or gained parts: leave it as it was")
        if [part.training for part in model.modules()] != modes:
            was = "training" if modes[0] else "evaluation"
            raise Remark(f"the model came in {was} mode, and not all of it is left so: leave it as it was")
        if [parameter.requires_grad for parameter in model.parameters()] != trained:
            raise Remark("requires_grad of some parameters has changed: leave the model as it was")
        changed = [name for name, weight in model.state_dict().items() if not torch.equal(before.get(name), weight)]
        statistics = [name for name in changed if "running_" in name or "num_batches" in name]
        if changed != statistics:
            raise Remark(f"{next(n for n in changed if n not in statistics)} has changed: leave the model as it was")
        if changed and not modes[0]:
            raise Remark("statistics of a batch norm have changed: the pictures went through it in training mode")
        if changed:
            model.load_state_dict(before)
        if [set(vars(part)) for part in model.modules()] == held:
            _MODELS[training] = model
        if training:  # somebody may have put the model into evaluation mode in between; both maps are right
            evaluated = plain(_walk(model.eval(), pictures)[2:])
            model.train()
            if same(plain(maps), evaluated, (1e-3, 1e-4)):
                maps = _walk(model, pictures)[2:]
                model.load_state_dict(before)
        return maps

    return called


feature_maps = Exercise(
    "5.6 a backbone",
    lambda model, pictures: _walk(model, pictures)[2:],
    {
        "pictures that are wider than high": (False, random(2, 3, 32, 64).sigmoid()),
        "a model in training mode": (True, random(3, 3, 64, 32).sigmoid()),
    },
    {
        "all five stages are in the list; only stages 3, 4 and 5 are wanted": lambda m, x: _walk(m, x),
        "the output of the stem and of all stages is in the list; only stages 3, 4 and 5 are wanted": lambda m, x: [
            m.stem(x),
            *_walk(m, x),
        ],
        "that is the last map alone; collect one for each of stages 3, 4 and 5": lambda m, x: _walk(m, x)[-1:],
        "these are the maps before stages 3, 4 and 5; collect what leaves them": lambda m, x: _walk(m, x)[1:4],
        "these are stages 1, 2 and 3; stages are counted from 1, and 3, 4 and 5 are wanted": lambda m, x: _walk(m, x)[
            :3
        ],
        "the class scores are in the list, too; only the three maps are wanted": lambda m, x: [
            *_walk(m, x)[2:],
            m.classifier(_walk(m, x)[-1].mean((-2, -1))),
        ],
        "the block of each stage is gone through twice": lambda m, x: _twice_through(m, x),
        "stages 3 and 4 alone; stage 5 is missing": lambda m, x: _walk(m, x)[2:4],
        "stages 4 and 5 alone; stage 3 is model.stages[2]": lambda m, x: _walk(m, x)[3:],
        "stages 2 to 5; the first is too many": lambda m, x: _walk(m, x)[1:],
        "the maps are in reverse order": lambda m, x: _walk(m, x)[:1:-1],
        "the maps are averaged; return them whole": lambda m, x: [y.mean(dim=(-2, -1)) for y in _walk(m, x)[2:]],
        "the maps are averaged to one pixel; return them whole": lambda m, x: [
            y.mean(dim=(-2, -1), keepdim=True) for y in _walk(m, x)[2:]
        ],
        "that is a tensor, the last map; return a list of three": lambda m, x: _walk(m, x)[-1],
        "these are the class scores": lambda m, x: m(x),
        "these are taken after the inverted residual; the block of the stage is missing": _residuals,
        "the last map stands there three times": lambda m, x: [_walk(m, x)[-1]] * 3,
        "these are shapes; return the maps": lambda m, x: [y.shape for y in _walk(m, x)[2:]],
        "the channels stand last; leave the maps as they are": lambda m, x: [
            y.permute(0, 2, 3, 1) for y in _walk(m, x)[2:]
        ],
        "these are the maps of the first picture alone": lambda m, x: [y[:1] for y in _walk(m, x)[2:]],
        "these are the maps of the first picture alone, and its axis is gone": lambda m, x: [
            y[0] for y in _walk(m, x)[2:]
        ],
    },
    effect=_left_as_it_was,
    tolerance=(1e-3, 1e-4),  # the smallest maps have few pixels, whose statistics enlarge what was rounded
)
