"""The checks of the exercises accept what is right, name the mistake in what is wrong, and know an empty stub."""

import contextlib
import io
import re
from collections import Counter
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from attempts.measure import attempts_of, judged, verdict
from torch import nn

from mvit2_lib.course import checks
from mvit2_lib.course.checks.exercise import Exercise
from mvit2_lib.course.checks.modules import ModuleExercise
from mvit2_lib.course.checks.values import Remark, choice, random, softmax

HERE = Path(__file__).parent
SOURCES = sorted((HERE.parent / "notebooks" / "source").glob("*.py"))
EXERCISES = {name: check for name, check in vars(checks).items() if isinstance(check, Exercise)}
MODULES = [name for name, exercise in EXERCISES.items() if isinstance(exercise, ModuleExercise)]


def solutions():
    """Return what each exercise cell defines, by the name of its check: run after the notebook's first cell alone."""
    found = {}
    for source in SOURCES:
        cells = [cell for cell in jupytext.read(source).cells if cell.cell_type == "code"]
        for cell in cells:
            if "exercise" in cell.metadata.get("tags", []):
                match = re.fullmatch(r"(.*)\nchecks\.(\w+)\((\w+)\)", cell.source, re.DOTALL)
                namespace = {}
                exec(cells[0].source, namespace)
                exec(match.group(1), namespace)
                found[match.group(2)] = namespace[match.group(3)]
    return found


SOLUTIONS = solutions()
FILES = sorted((HERE / "attempts").glob("*_*.py"))
ATTEMPTS = [attempt for path in FILES if path.stem.startswith("notebook") for attempt in attempts_of(path)]
RIGHT = [(name, attempt) for name, worth, _, attempt in ATTEMPTS if worth == "right"]
WRONG = [(name, word, attempt) for name, worth, word, attempt in ATTEMPTS if worth == "wrong"]


def numbered(table):
    return [pytest.param(*entry, id=f"{entry[0]}-{index}") for index, entry in enumerate(table)]


def test_every_exercise_has_a_solution_and_attempts_of_both_kinds():
    assert SOLUTIONS.keys() == EXERCISES.keys()
    worths = Counter((name, worth) for path in FILES for name, worth, _, _ in attempts_of(path))
    for name in EXERCISES:
        assert worths[name, "right"] >= 3, name
        assert worths[name, "wrong"] >= 4, name


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_of_the_notebook_is_accepted(name):
    assert verdict(name, SOLUTIONS[name]) == "right"


@pytest.mark.parametrize(("name", "attempt"), numbered(RIGHT))
def test_correct_solutions_written_otherwise_are_accepted(name, attempt):
    assert verdict(name, attempt) == "right"


@pytest.mark.parametrize(("name", "word", "attempt"), numbered(WRONG))
def test_mutants_get_a_remark_that_fits(name, word, attempt):
    remark = verdict(name, attempt)
    assert remark.startswith("not yet: ")
    assert word in remark


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in FILES if path.stem.startswith("reader")], ids=lambda path: path.stem)
def test_attempts_of_readers_are_accepted_refused_and_named(path):
    heads = Counter(judged(worth, verdict(name, attempt)) for name, worth, _, attempt in attempts_of(path))
    assert not heads["right ones REFUSED"]
    assert not heads["wrong ones ACCEPTED"]
    assert heads["wrong ones diagnosed"] >= 0.85 * (
        heads["wrong ones diagnosed"] + heads["wrong ones with a number only"]
    )


def stub(*arguments):
    raise NotImplementedError


def passing(*arguments):
    """Do nothing yet."""


class StubModule(nn.Module):
    def __init__(self, *arguments):
        super().__init__()

    forward = stub


class PassingModule(StubModule):
    forward = passing


@pytest.mark.parametrize("name", EXERCISES)
def test_an_empty_stub_is_not_done_yet(name):
    stubs = (StubModule, PassingModule) if name in MODULES else (stub, passing, lambda *a: None, lambda *a: ...)
    for empty in stubs:
        assert verdict(name, empty) == "not done yet"


@pytest.mark.parametrize("name", EXERCISES)
def test_a_forgotten_return_is_told_from_an_empty_stub(name):
    def forgets(*arguments):
        result = list(arguments)
        result.append(1)

    attempt = type("Forgets", (StubModule,), {"forward": forgets}) if name in MODULES else forgets
    told = "the module has no" if name in MODULES else "it returns None: is a `return` missing?"
    assert told in verdict(name, attempt)


BROKEN = [lambda: 0, lambda *a: 1 / 0, lambda *a: "a string", None, 3, lambda *a: exit(), nn.Linear(2, 2), object]


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("index", range(len(BROKEN)))
def test_a_broken_attempt_is_reported_in_one_line_and_never_raised(name, index):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        EXERCISES[name](BROKEN[index])
    (line,) = printed.getvalue().splitlines()
    assert line.startswith(f"{EXERCISES[name].name}: not yet: ")


@pytest.mark.parametrize("name", EXERCISES)
def test_the_remarks_of_a_check_describe_different_results(name):
    exercise = EXERCISES[name]
    for remark, mistake in exercise.mistakes.items():
        assert exercise._remark(exercise._outcomes(mistake), printed=False) == remark


@pytest.mark.parametrize("name", EXERCISES)
def test_a_check_leaves_the_chance_of_the_notebook_alone_and_says_the_same_twice(name):
    attempt = SOLUTIONS.get(name, EXERCISES[name].right)
    torch.manual_seed(1)
    first = verdict(name, attempt)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn)
    assert verdict(name, attempt) == first


# The frame of all checks, on exercises of its own


def say(attempt, right, *cases, mistakes=None, **options):
    """Return the remark on an attempt in a made-up exercise."""
    cases = cases[0] if isinstance(cases[0], dict) else cases
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        Exercise("a title", right, cases, mistakes or {}, **options)(attempt)
    title, _, remark = printed.getvalue().rstrip("\n").splitlines()[-1].partition(": ")
    assert title == "a title"
    return remark.removeprefix("not yet: ")


def double(x):
    return 2 * x


x, y = random(3, 4), random(2, 5)
shares = random(2, 5, 3).softmax(1), random(4, 6, 2).softmax(1)


def identity(x):
    return x


def moved(x):
    return x + 1.3


@pytest.mark.parametrize(
    "wrapped",
    [float, int, np.float32, np.array, torch.tensor, lambda n: torch.tensor([n]), lambda n: np.array([[n]])],
)
def test_a_number_is_a_number_in_any_dress(wrapped):
    assert say(lambda n: wrapped(2 * n), double, (3,), (4,)) == "right"
    assert say(lambda n: wrapped(2 * n + 1), double, (3,), (4,)).startswith("it is 1 too large")


@pytest.mark.parametrize("wrapped", [list, tuple, np.array, torch.tensor, lambda v: [torch.tensor(n) for n in v]])
def test_a_list_is_a_list_in_any_dress(wrapped):
    assert say(lambda n: wrapped([n, 2.0 * n]), lambda n: [n, 2 * n], (3,), (4,)) == "right"


def test_tensors_may_be_lists_or_double_but_not_of_another_shape():
    for change in (torch.Tensor.double, torch.Tensor.tolist, torch.Tensor.numpy, lambda t: list(t.unbind())):
        assert say(lambda t, change=change: change(2 * t), double, (x,)) == "right"
    assert say(lambda t: 2 * t[None], double, (x,)).startswith("an axis of length one is too many")
    assert say(lambda t: (2 * t).flatten(), double, (x,)).startswith("the numbers are right and in the right order")


def test_truth_values_of_numpy_and_tensors_are_accepted():
    for wrapped in (bool, np.bool_, torch.tensor):
        assert say(lambda n, wrapped=wrapped: wrapped(n > 2), lambda n: n > 2, (1,), (3,)) == "right"


def test_an_attempt_that_works_in_place_is_right_and_spoils_no_later_case():
    ones = torch.ones(2)
    assert say(lambda t: t.mul_(2), double, (ones,), (ones,)) == "right"
    assert torch.equal(ones, torch.ones(2))


def test_rounding_errors_are_forgiven_and_whole_numbers_are_exact():
    assert say(lambda t: 2 * t * (1 + 1e-6), double, (x,)) == "right"
    assert say(lambda n: 2 * n + 1, double, (10**12,), (3 * 10**12,)) != "right"
    assert say(lambda n: 2 * n * (1 + 1e-8), double, (50.0,)) == "right"


# From a right result to what a mistake makes of it, and the word by which it is told
KINDS = {
    "times 3": lambda w: 3 * w,
    "times 1/2": lambda w: w / 2,
    "the sign is wrong": torch.neg,
    "0.5 too large": lambda w: w + 0.5,
    "it is transposed": lambda w: w.mT,
    "upside down": torch.reciprocal,
    "reverse order along axis 0": lambda w: w.flip(0),
    "reverse order along axis 1": lambda w: w.flip(1),
    "shifted by one along axis 1": lambda w: w.roll(1, 1),
    "square of what is wanted": torch.square,
    "a hundred times": lambda w: 100 * w,
    "times ln 10": lambda w: w * np.log(10),
    "the last entry along axis 1 is missing": lambda w: w[:, :-1],
    "right but for the last entry along axis 0": lambda w: torch.cat([w[:-1], 7 + w[-1:] ** 3]),
    "right but for the first entry along axis 1": lambda w: torch.cat([w[:, :1] ** 3 + 7, w[:, 1:]], 1),
    "only the first entry along axis 0 is right": lambda w: torch.cat([w[:1], w[1:] ** 3 + 7]),
    "all entries along axis 0 are like the first": lambda w: w[:1].expand_as(w),
    "in wrong places": lambda w: w.mT.reshape(w.shape),
    "summed up along axis 1": lambda w: w.sum(1),
    "averaged along axis 0": lambda w: w.mean(0),
    "rounded to two digits": lambda w: w.round(decimals=2),
    "the fraction is cut off": torch.trunc,
    "holds NaN": lambda w: w * torch.nan,
    "all numbers of the result are the same": lambda w: torch.full_like(w, 3.0),
    "off by up to": lambda w: w**3 + w,
}


@pytest.mark.parametrize("word", KINDS)
def test_kinds_are_recognised_where_they_explain_everything(word):
    assert word in say(lambda t: KINDS[word](moved(t)), moved, (4 * x,), (4 * y,))


@pytest.mark.parametrize("word", [word for word in KINDS if word not in ("off by up to", "holds NaN")])
def test_a_kind_is_not_claimed_where_it_explains_one_case_of_two(word):
    """The second case is wrong in another way, so nothing that is true of the first may be said of both."""

    def attempt(t):
        return KINDS[word](moved(t)) if t.shape[0] == 3 else t**3 + t

    assert word not in say(attempt, moved, (4 * x,), (4 * y,))


def test_axes_that_are_exchanged_are_named():
    cases = (random(2, 3, 4, 5),), (random(3, 2, 5, 4),)
    assert say(lambda t: t.transpose(1, 3), identity, *cases) == "axes 1 and 3 are exchanged"
    assert say(lambda t: t.permute(0, 2, 3, 1), identity, *cases) == "its axes are in the order (0, 2, 3, 1)"


def test_a_factor_has_the_name_of_a_size():
    sizes = {"x": "k d"}
    for factor, name in ((lambda t: len(t), "times k"), (lambda t: t.shape[1] ** -0.5, "divided by √d")):
        remark = say(lambda t, f=factor: t * f(t), lambda x: x, (x,), (y,), sizes=sizes)
        assert remark == f"this is what is wanted {name}"


def test_amounts_are_named_only_if_three_cases_agree():
    cases = (3, 4), (5, 2), (7, 11)
    assert say(lambda a, b: a + 3 * a * b, lambda a, b: a + b * a, *cases) == "it is too large by 2 · a · b"
    assert "too large by" not in say(lambda a, b: a + 3 * a * b + b**3, lambda a, b: a + b * a, *cases)


def test_weights_are_told_by_where_they_add_up_to_one():
    cases = [(t,) for t in shares]
    logits = [(random(2, 5, 3),), (random(4, 6, 2),)]
    other = say(lambda t: t.softmax(2), lambda t: t.softmax(1), *logits)
    assert other == "the weights add up to one along axis 2, but they must along axis 1"
    assert say(lambda t: t.softmax(1), identity, *cases) == "a softmax too many was taken along axis 1"
    assert say(lambda t: t.log(), lambda t: t, *cases) == "this is the logarithm of what is wanted"
    assert "divide by" in say(lambda t: t * random(len(t), 1, t.shape[2]).exp(), identity, *cases)
    assert say(identity, lambda t: t.softmax(1), *logits) == "the softmax along axis 1 is missing"


def test_arguments_that_are_mixed_up_are_named():
    def project(x, memory, W, b_K):
        return x @ W - memory + b_K

    cases = [(random(2, d), random(3, d)[:2], random(d, d), random(d)) for d in (4, 5)]
    for attempt, word in (
        (lambda x, m, W, b: project(m, x, W, b), "x and memory are exchanged"),
        (lambda x, m, W, b: project(x, x, W, b), "x stands where memory belongs"),
        (lambda x, m, W, b: project(x, m, W.mT, b), "W is transposed"),
        (lambda x, m, W, b: project(x, m, W, 0 * b), "the bias (b_K) is missing"),
        (lambda x, m, W, b: project(x, m, W, 2 * b), "the bias (b_K) is added twice"),
        (lambda x, m, W, b: project(x, m, torch.eye(len(W)), b), "W is left out"),
    ):
        assert word in say(attempt, project, *cases)


def test_a_case_that_alone_is_right_is_named():
    cases = {"a square": (random(3, 3),), "a map that is not square": (x,), "another": (y,)}
    square_only = {True: lambda t: t, False: lambda t: t**3 + t}
    remark = say(lambda t: square_only[t.shape in [(3, 3)]](t), identity, cases)
    assert remark.startswith("right for a square, but for a map that is not square the shape is right, but")
    remark = say(lambda t: t if t.shape in [(3, 3)] else (t[:9] / 0 @ t).exp() + t.exp(), identity, cases)
    assert remark.startswith(
        "right for a square, but for a map that is not square in `t[:9] / 0 @ t`, where t is [3, 4]"
    )
    assert say([0, 0, 2, 9].__getitem__, identity, (2,), (3,)) == (
        "right for n = 2, but for n = 3 it returned 9, but 3 is wanted"
    ).replace("n =", "x =")


def test_steps_and_mistakes_come_before_kinds():
    steps, mistakes = {"the half": lambda x: x / 2}, {"you forgot to double": lambda x: 1 * x}
    assert say(lambda t: t / 2, double, (x,), steps=steps) == "that is the half: go on from there"
    assert say(lambda t: t, double, (x,), (y,), mistakes=mistakes) == "you forgot to double"
    assert say(lambda t: t if len(t) == 3 else 0 * t, double, (x,), (y,), mistakes=mistakes) != "you forgot to double"


def test_none_and_what_is_printed():
    def prints(n):
        print(2 * n)

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        Exercise("a title", double, ((1,), (2,)))(prints)
    assert (
        printed.getvalue() == "2\n4\na title: not yet: for x = 1 it prints its result, and returns None: `return` it\n"
    )
    assert say(lambda n: 2 * n if n == 1 else None, double, (1,), (2,)).endswith("is a `return` missing?")


def test_an_error_is_never_right_and_is_reported_by_the_first_line_of_its_message():
    assert say(lambda n: [][n], lambda x: [][0], (1,)) == (
        "for x = 1 in `[][n]`, it raised IndexError: list index out of range"
    )

    def two_lines(n):
        raise RuntimeError("first\nsecond")

    told = 'for x = 1 in `raise RuntimeError("first\\nsecond")`, it raised RuntimeError: first'
    assert say(two_lines, double, (1,)) == told
    # A mistake that fails, too, is not the same mistake.
    assert "other" not in say(two_lines, double, (1,), mistakes={"other": lambda n: torch.ones(2) @ torch.ones(3)})


def test_work_is_counted_however_it_is_written():
    x, W = random(30, 8), random(8, 8)
    for product in (
        lambda x, W: x @ W,
        lambda x, W: torch.einsum("kd,de->ke", x, W),
        lambda x, W: (x[..., None] * W).sum(1),
        lambda x, W: torch.nn.functional.linear(x, W.T),
        lambda x, W: torch.addmm(torch.zeros(8), x, W),
        lambda x, W: torch.stack([row @ W for row in x]),
        lambda x, W: torch.bmm(x[None], W[None])[0],
    ):
        assert say(product, lambda x, W: x @ W, (x, W), budget=lambda x, W: 1920) == "right"
        assert "1920 multiplications" in say(product, lambda x, W: x @ W, (x, W), budget=lambda x, W: 1919)


def test_forbidden_calls_are_seen_in_any_dress():
    forbidden = {"softmax": "no softmax", "log_softmax": "no log_softmax", "logsumexp": "no logsumexp"}
    for attempt in (
        lambda s: s.softmax(-1),
        lambda s: torch.softmax(s, -1),
        lambda s: torch.special.softmax(s, -1),
        nn.Softmax(dim=-1),
        lambda s: s.log_softmax(-1).exp(),
        lambda s: (s - s.logsumexp(-1, keepdim=True)).exp(),
    ):
        assert say(attempt, softmax, (x,), forbidden=forbidden).startswith("no ")
    assert say(lambda s: s.exp() / s.exp().sum(-1, True), softmax, (x,), forbidden=forbidden) == "right"


def test_attempts_run_with_gradients_whatever_they_return_and_leave_their_mode_behind():
    seen = []
    say(lambda n: seen.append(torch.is_grad_enabled()), double, (1,))
    leaf = torch.ones(2, requires_grad=True)
    assert say(lambda t: 2 * t * leaf, double, (torch.ones(2),)) == "right"
    with torch.no_grad():
        say(lambda n: seen.append(torch.is_grad_enabled()), double, (1,))
        say(lambda n: torch.set_grad_enabled(True), double, (1,))
        assert not torch.is_grad_enabled()
    assert all(seen)

    def trains(t):
        W = torch.zeros_like(t, requires_grad=True)
        ((W - 2 * t) ** 2).sum().backward()
        return -W.grad / 2

    assert say(trains, double, (torch.ones(2),)) == "right"


def test_truth_values_are_told_by_the_cases_and_no_arithmetic_is_claimed():
    cases = {"two": (2,), "three": (3,), "four": (4,)}
    right = lambda n: n > 2  # noqa: E731
    assert say(lambda n: n != 4, right, cases) == (
        "right for 1 of 3; but it returns True for two, and it returns False for four"
    )
    assert say(lambda n: n <= 2, right, cases).startswith("right for 0 of 3; but it returns True for two")
    assert "without quotes" in say(lambda n: str(n > 2), right, cases)


def test_a_list_of_tensors_is_told_to_be_put_together():
    assert say(lambda t: list(t.unbind(1)), identity, (x,), (y,)) == (
        "this is a list of tensors: put them together, with torch.stack along axis 1"
    )


def test_what_is_not_finite_is_told_by_the_function_that_made_it_and_matches_no_mistake():
    wrong = lambda t: (t.log() * t.cos()).exp()  # noqa: E731
    remark = say(wrong, moved, (x - 9,), (y - 9,), mistakes={"never": lambda t: t * torch.nan})
    assert "never" not in remark
    assert remark == "the result holds NaN; `log` is the first to return NaN: numbers below zero go in"


def test_an_argument_that_is_not_used_and_a_result_that_never_changes_are_told():
    cases = (3, 4), (5, 2), (7, 11)
    remark = say(lambda a, b: a * 2, lambda a, b: a * b, *cases)
    assert remark == "the result does not depend on b: it is right only for b = 2"
    assert (
        say(lambda a, b: [7, 1], lambda a, b: [a + b, a * b], *cases)
        == "the result is [7, 1] whatever the arguments are"
    )


def test_two_amounts_are_named_only_if_five_cases_agree():
    cases = (3, 4), (5, 2), (7, 11), (2, 9), (6, 5)
    wrong = lambda a, b: a * b + 3 * a * a - 2 * b  # noqa: E731
    assert say(wrong, lambda a, b: a * b, *cases) == "it is too large by 3 · a², and too small by 2 · b"
    assert "too small by" not in say(wrong, lambda a, b: a * b, *cases[:4])


def test_texts_are_compared_part_by_part():
    cases = ("a.b.c",), ("d.e.f",)
    assert "part 2 is 'x' and must be 'b'" in say(lambda s: s[0] + ".x" + s[3:], lambda s: s, *cases)
    assert "the beginning of the text is lost" in say(lambda s: s[2:], lambda s: s, *cases)


def test_a_remark_that_is_raised_is_told_as_it_is():
    def refuses(n):
        raise Remark("this and that")

    assert say(refuses, double, {"a case": (1,)}) == "this and that"


class Small(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one, self.two = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return self.two(self.one(x).relu())


class OtherNames(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])

    def forward(self, x):
        return self.parts[1](self.parts[0](x).relu())


class Bent(nn.Linear):
    def forward(self, x):
        return super().forward(x.sin()).exp().log1p()


class WithAnother(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one, self.two = nn.Linear(width, width), Bent(width, width)

    forward = Small.forward


def test_modules_are_compared_with_the_same_random_weights():
    check = ModuleExercise(
        "a title", Small, {"one": ((4,), random(2, 4)), "two": ((3,), x.T)}, linears=("one", "two"), in_parts=True
    )

    def said(attempt):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            check(attempt)
        return printed.getvalue().strip().removeprefix("a title: ").removeprefix("not yet: ")

    def with_forward(forward):
        return type("Attempt", (Small,), {"forward": forward})

    assert said(Small) == said(OtherNames) == "right"
    assert said(with_forward(lambda s, x: s.two((x @ s.one.weight.T).relu()))) == "the bias of one is missing"
    assert said(with_forward(lambda s, x: s.one(s.two(x).relu()))) == "one and two are exchanged"
    assert said(with_forward(lambda s, x: s.two(x.relu()))) == "one is left out"
    assert said(with_forward(lambda s, x: s.two(s.one(x).sin().exp().log1p()))) == (
        "something else than it should goes into two; up to one all is right"
    )
    assert said(with_forward(lambda s, x: s.two(s.one(x).relu()).sin().exp())) == (
        "all parts up to two return what they should; what follows it is wrong"
    )
    assert said(with_forward(lambda s, x: s.one(x).sin().exp() - s.one(x).cos())) == "one is called 2 times"
    assert said(WithAnother) == (
        "two gets what it should, but returns something else: it is Bent(in_features=4, out_features=4, bias=True), "
        "but Linear(in_features=4, out_features=4, bias=True) is wanted"
    )
    assert said(Small(4)) == "hand in the class itself, not a module made from it"
    assert said(StubModule) == "not done yet"


def test_the_numbers_of_the_checks_are_the_same_every_time_and_a_choice_is_the_largest_score():
    assert torch.equal(random(3, 4), random(3, 4))
    assert random(3, 4).unique().numel() == 12
    scores = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 4.0]])
    assert choice(scores).tolist() == [[0, 1, 0], [1, 0, 0]]
    torch.testing.assert_close(softmax(scores, dim=0).sum(dim=0), torch.ones(3))
