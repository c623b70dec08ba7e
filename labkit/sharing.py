"""Numbers that many weights share take smaller steps in training."""

from __future__ import annotations

from torch import nn

from labkit.weights import Weight


def by_sharing(model: nn.Module, weights: list[nn.Parameter]) -> list[dict]:
    """Group the parameters by how many weights use each of their numbers, for the optimiser.

    The gradient of a number that n weights share is a sum of n, whose noise is sqrt(n) times that of
    one weight; a rate smaller by sqrt(n) keeps its steps as small, and the training from diverging.
    Of a codebook inside a Weight the counts multiply; of one that several layers share, they add up.
    """
    uses: dict[nn.Parameter, float] = {}
    for module in model.modules():
        if not isinstance(module, Weight):
            for part in module._modules.values():  # named_children would pass over a second use
                _count(part, 1.0, uses)
    _count(model, 1.0, uses)
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in weights:
        groups.setdefault(uses.get(parameter, 1.0), []).append(parameter)
    return [{"params": members, "sharing": count} for count, members in groups.items()]


def _count(part: nn.Module | None, times: float, uses: dict[nn.Parameter, float]) -> None:
    """Walk into a Weight that is used so many times, and add up the uses of what it stores."""
    if not isinstance(part, Weight):
        return
    for parameter in part.parameters(recurse=False):
        uses[parameter] = uses.get(parameter, 0.0) + times * part.sharing
    for inner in part._modules.values():
        _count(inner, times * part.sharing, uses)
