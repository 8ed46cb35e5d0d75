"""The shape comments in the library are true: `# [B, P, N, d]` is compared with the tensor when the line has run."""

import ast
import dataclasses
import importlib
import inspect
import re
import sys

import numpy as np
import pytest
import torch
from micro import QUICK, trained

import mvit2_lib as mv
from mvit2_lib import attention, blocks, model, patches
from mvit2_lib.course import timing
from mvit2_lib.data import samples, transforms
from mvit2_lib.training import distributed, loop

COMMENT = re.compile(r"#\s*\[([^\]]+)\]\s*$")


def annotated_lines(module):
    """Return, for each line with a shape comment, the name it assigns (None for a return) and the comment's parts."""
    source = inspect.getsource(module)
    comments = {number: COMMENT.search(line) for number, line in enumerate(source.splitlines(), 1)}
    found = {}
    for node in ast.walk(ast.parse(source)):
        comment = comments.get(getattr(node, "end_lineno", None))
        if comment and isinstance(node, (ast.Assign, ast.Return)):
            name = node.targets[0].id if isinstance(node, ast.Assign) else None
            found[node.lineno] = name, [part.strip() for part in comment.group(1).split(",")]
    return found


def mismatch(parts, tensor, sizes):
    """Compare one comment with one tensor. `sizes` holds what each symbol has meant so far in this call."""
    shape = list(tensor.shape)
    if parts[0] == "...":
        parts, shape = parts[1:], shape[-len(parts) + 1 :]
    if len(parts) != len(shape):
        return f"{parts} has another rank than {list(tensor.shape)}"
    for part, size in zip(parts, shape, strict=True):
        numerator, _, divisor = part.partition("/")
        if part.isdigit():
            expected = int(part)
        elif numerator in sizes and divisor.isdigit():
            expected = -(-sizes[numerator] // int(divisor))  # halving a map rounds up
        else:
            expected = sizes.setdefault(part, size)
        if size != expected:
            return f"{part} is {expected} by the comments, but {size} in {list(tensor.shape)}"
    return None


def noise(height, width):
    return np.random.default_rng(0).random((height, width, 3))


class Checker:
    """Follows the library while it runs and compares every annotated line."""

    def __init__(self, *modules):
        self.lines = {inspect.getsourcefile(module): annotated_lines(module) for module in modules}
        self.checked, self.problems = set(), []

    def __call__(self, frame, event, argument):
        lines = self.lines.get(frame.f_code.co_filename)
        if lines is None:
            return None
        # Symbols that the code itself unpacks, as in `B, C, H, W = x.shape`, mean what they mean there.
        state = {"pending": None, "sizes": {}}

        def local(frame, event, argument):
            numbers = {name: n for name, n in frame.f_locals.items() if name in "BCHWPNkdh" and isinstance(n, int)}
            state["sizes"] = numbers | state["sizes"]
            if state["pending"]:
                line, (name, parts) = state["pending"]
                value = argument if name is None else frame.f_locals.get(name)
                if isinstance(value, torch.Tensor):
                    self.checked.add((frame.f_code.co_filename, line))
                    problem = mismatch(parts, value, state["sizes"])
                    if problem:
                        self.problems.append(f"{frame.f_code.co_filename}:{line}: {problem}")
            state["pending"] = (frame.f_lineno, lines[frame.f_lineno]) if frame.f_lineno in lines else None
            return local

        return local

    def follow(self, function, *arguments):
        previous = sys.gettrace()
        sys.settrace(self)
        try:
            function(*arguments)
        finally:
            sys.settrace(previous)


def test_every_shape_comment_in_the_library_is_true(monkeypatch):
    checker = Checker(attention, patches, blocks, model, samples, transforms, distributed, loop, timing)
    x = torch.randn(2, 3, 7, 12)  # every axis another size, so that a mixed-up axis shows
    checker.follow(mv.MultiHeadSelfAttention(12, 4), x)
    checker.follow(mv.FusedMultiHeadSelfAttention(12, 4), x)
    checker.follow(mv.LinformerSelfAttention(12, 4, 7, 5), x)
    checker.follow(mv.SeparableSelfAttention(12), x)
    checker.follow(timing.attentions(d=12, heads=4, p=5)["separable"], 7)
    checker.follow(lambda: mv.fold(mv.unfold(torch.randn(2, 5, 6, 14)), (6, 14)))
    model_in_training = mv.MobileViTv2(0.5, num_classes=7)
    checker.follow(model_in_training, torch.rand(2, 3, 256, 192))
    checker.follow(model_in_training.eval(), torch.rand(2, 3, 256, 192))
    checker.follow(model_in_training.stages[2][1], torch.rand(2, 128, 7, 9))  # odd sides are enlarged
    checker.follow(mv.preprocess, noise(20, 30))
    checker.follow(mv.load_digits, "test")
    checker.follow(transforms.distort, torch.rand(5, 3, 8, 12), torch.rand(5, 5))
    checker.follow(mv.preprocess, noise(20, 30), 64, 1.0, 1)
    checker.follow(mv.Preparation(), noise(20, 30))
    checker.follow(transforms.mix, torch.rand(6, 3, 8, 12), torch.rand(6, 4), 0.2, 0.0, np.random.default_rng(0))
    checker.follow(model_in_training.features, torch.rand(2, 3, 64, 96))
    checker.follow(lambda: trained(dataclasses.replace(QUICK, cutmix=1.0), pictures=16))
    checker.follow(lambda: trained(dataclasses.replace(QUICK, balanced=True), pictures=16))
    monkeypatch.setattr(distributed, "rank_and_size", lambda: (0, 2))  # one process that takes itself for two
    monkeypatch.setattr(distributed, "mean_over_processes", lambda x: x)
    checker.follow(distributed.synchronise(torch.nn.BatchNorm2d(7)), torch.rand(2, 7, 3, 5))
    assert checker.problems == []
    every_line = {(path, line) for path, lines in checker.lines.items() for line in lines}
    assert checker.checked == every_line
    assert len(every_line) > 30


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("[d, k]", "d is 5 by the comments, but 3 in [3, 5]"),
        ("[k, 7]", "7 is 7 by the comments, but 5 in [3, 5]"),
        ("[B, k, d]", "['B', 'k', 'd'] has another rank than [3, 5]"),
    ],
)
def test_a_false_shape_comment_is_noticed(comment, problem, tmp_path, monkeypatch):
    source = f"def twice(x):\n    y = 2 * x  # [k, d]\n    return y + 0  # {comment}\n"
    (tmp_path / "wrongly_commented.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wrongly_commented", raising=False)
    module = importlib.import_module("wrongly_commented")
    checker = Checker(module)
    checker.follow(module.twice, torch.zeros(3, 5))
    (found,) = checker.problems
    assert found.endswith(f"wrongly_commented.py:3: {problem}")
