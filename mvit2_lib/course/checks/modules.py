"""The frame of an exercise whose answer is a class: a module with random weights, beside one that is right."""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..referees import randomise
from .exercise import Exercise
from .values import Remark
from .watch import is_empty


@dataclass(frozen=True)
class ModuleExercise(Exercise):
    """The check of a class that the learner writes. `right` is a module like it, and a case `(arguments, x)`.

    A mistake is a class, or a function of the right module and `x`. Both get the same random weights.

    Attributes
    ----------
    linears : tuple of str
        Names of linear layers, each of which may be left out, or lack its bias.
    in_parts : bool
        Whether there is one way only through the parts of the module, so that one can say where an attempt leaves it.
    """

    linears: tuple[str, ...] = ()
    in_parts: bool = False

    def _verdict(self, attempt, printed) -> str:
        if isinstance(attempt, nn.Module):
            return "not yet: hand in the class itself, not a module made from it"
        if not isinstance(attempt, type):
            return f"not yet: hand in your class, not {f'a {type(attempt).__name__}' if attempt else attempt}"
        if not issubclass(attempt, nn.Module):
            return "not yet: the class is no module: derive it from nn.Module"
        if is_empty(attempt):
            return "not done yet"
        if attempt.forward is getattr(nn.Module, "forward", None):
            return "not yet: the class has no `forward`"
        return super()._verdict(attempt, printed)

    def _adapted(self, function: Callable) -> Callable:
        def called(arguments: tuple, x: Tensor):
            model = copy.deepcopy(self._model(arguments))
            if not isinstance(function, type):
                return function(model, x)
            torch.default_generator.manual_seed(0)
            return loaded(function(*arguments), model.state_dict()).eval()(x)

        return called

    def _model(self, arguments: tuple) -> nn.Module:
        """Return the right module with its random weights, which is built once."""
        key = "module", repr(arguments)
        if key not in self.remembered:
            self.remembered[key] = randomise(self.right(*arguments))
        return self.remembered[key]

    def _remark(self, outcomes: list, printed: bool, attempt=None) -> str:
        remark = super()._remark(outcomes, printed, attempt)
        if self.in_parts and isinstance(attempt, type) and _NUMBERS_ONLY.search(remark):
            for index, outcome in enumerate(outcomes):
                if not isinstance(outcome, BaseException) and (where := self._where(attempt, index)):
                    return where
        return remark

    def _where(self, attempt: type, index: int) -> str:
        """Say in which part the way through an attempt first leaves the right one."""
        arguments, x = self._copy(index)
        right, wanted = copy.deepcopy(self._model(arguments)), []
        try:
            torch.default_generator.manual_seed(0)
            own, got = loaded(attempt(*arguments), right.state_dict()).eval(), []
            for module, seen in ((right, wanted), (own, got)):
                for name, part in module.named_modules():
                    if name:
                        part.register_forward_hook(
                            lambda part, given, out, name=name, seen=seen: seen.append((name, given, out, part))
                        )
                with torch.no_grad():
                    module(x.clone())
        except Exception:  # a learner's class may fail in any way
            return ""
        return _first_difference(got, wanted)

    def _names(self) -> list[str]:
        return ["arguments", "x"]

    def _variants(self) -> Iterator[tuple[str, Callable]]:
        for name in self.linears:
            yield f"the bias of {name} is missing", _altered(name, bias=torch.zeros_like)
            yield f"the bias of {name} is added twice", _altered(name, bias=lambda b: 2 * b)
            yield f"{name} is left out", _altered(name, lambda W: torch.eye(*W.shape), torch.zeros_like)
            yield f"the weight of {name} is transposed", _altered(name, lambda W: W.mT if W.shape[0] > 1 else W)
            yield f"{name} is applied twice", _twice(name)
        for one in self.linears:
            for other in self.linears:
                if one < other:
                    yield f"{one} and {other} are exchanged", _exchanged(one, other)
                if one != other:
                    yield f"{other} stands where {one} belongs", _replaced(one, other)


# The remarks after which it is worth to look where the numbers go wrong.
_NUMBERS_ONLY = re.compile(r"off by up to|the result has shape|the right numbers, but")


def _first_difference(got: list, wanted: list) -> str:
    """Compare what went through two modules of the same names, the parts in the order in which they were called."""

    def alike(one, other) -> bool:
        one, other = (v[0] if isinstance(v, tuple) and v else v for v in (one, other))
        if not isinstance(one, Tensor) or not isinstance(other, Tensor):
            return False
        return one.shape == other.shape and torch.allclose(one, other, 1e-4, 1e-5)

    names, before = {name for name, *_ in got}, ""
    if not names & {name for name, *_ in wanted}:
        return ""
    leaves = [name for name, *_ in wanted if not any(n.startswith(f"{name}.") for n, *_ in wanted)]
    for name, given, out, part in wanted:
        if not any(True for _ in part.parameters()):  # dropout and the like: nobody needs to have them
            continue
        if name not in names:
            if name in leaves and not any(n.startswith(f"{name.rpartition('.')[0]}.") for n in names if "." in name):
                return f"{name} is never called" + (f"; {before} is right" if before else "")
            continue
        calls = [call for call in got if call[0] == name]
        _, mine, result, own = calls[0]
        if name not in leaves:
            continue
        if not alike(mine, given):
            shape = [list(v[0].shape) for v in (mine, given) if v and isinstance(v[0], Tensor)]
            shapes = (
                f": its shape is {shape[0]}, but {shape[1]} is wanted"
                if len(shape) == 2 and shape[0] != shape[1]
                else ""
            )
            return f"something else than it should goes into {name}{shapes}" + (
                f"; up to {before} all is right" if before else ""
            )
        if not alike(result, out):
            settings = f": it is {own}, but {part} is wanted" if str(own) != str(part) else ""
            return f"{name} gets what it should, but returns something else{' '.join(settings.split(chr(10)))}"
        if len(calls) > sum(call[0] == name for call in wanted):
            return f"{name} is called {len(calls)} times"
        before = name
    return f"all parts up to {before} return what they should; what follows it is wrong" if before else ""


def loaded(module: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """Put weights into a learner's module, by their names, or in their order where only the names are different."""
    own = module.state_dict()
    if not all(name in own and own[name].shape == weight.shape for name, weight in weights.items()):
        if [weight.shape for weight in own.values()] != [weight.shape for weight in weights.values()]:
            raise Remark(_unlike(own, weights) + _in_a_list(module))
        weights = dict(zip(own, weights.values(), strict=True))
    module.load_state_dict({**own, **weights})
    return module


def _unlike(own: dict[str, Tensor], weights: dict[str, Tensor]) -> str:
    """Say which weights a module lacks, or which of them have another shape."""
    for name, weight in weights.items():
        if name in own and own[name].shape != weight.shape:
            return f"{name} has shape {list(own[name].shape)}, but {list(weight.shape)} is wanted"
    missing = [name for name in weights if name not in own]
    several = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    surplus = [name for name in own if name not in weights]
    instead = f"; it has {surplus[0]}, which is not expected" if surplus else ""
    return f"the module has no {missing[0]}{several}{instead}"


def _in_a_list(module: nn.Module) -> str:
    for name, value in vars(module).items():
        if isinstance(value, (list, tuple, dict)) and name[:1] != "_":
            parts = value.values() if isinstance(value, dict) else value
            if any(isinstance(part, (nn.Module, list, tuple)) for part in parts):
                return f". {name} is a Python {type(value).__name__}, whose parts a module does not see"
    return ""


def _altered(name: str, weight: Callable = lambda W: W, bias: Callable = lambda b: b) -> Callable:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        layer = model.get_submodule(name)
        layer.weight.data, layer.bias.data = weight(layer.weight.data), bias(layer.bias.data)
        return model(x)

    return forward


def _twice(name: str) -> Callable:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        layer = model.get_submodule(name)
        setattr(model, name, nn.Sequential(layer, layer))
        return model(x)

    return forward


def _exchanged(one: str, other: str) -> Callable:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        first, second = model.get_submodule(one), model.get_submodule(other)
        setattr(model, one, second)
        setattr(model, other, first)
        return model(x)

    return forward


def _replaced(one: str, other: str) -> Callable:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        setattr(model, one, model.get_submodule(other))
        return model(x)

    return forward
