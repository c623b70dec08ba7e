"""Numbers that many weights share take smaller steps in training."""

from __future__ import annotations

from torch import nn

from labkit.weights import Weight


def by_sharing(model: nn.Module, weights: list[nn.Parameter]) -> list[dict]:
    """Group the parameters by how many weights use each of their numbers, for the optimiser.

    The gradient of a number that n weights share is a sum of n, whose noise is sqrt(n) times that of
    one weight; a rate smaller by sqrt(n) keeps its steps as small, and the training from diverging.
    """
    sharing = dict.fromkeys(weights, 1.0)
    for module in model.modules():
        for parameter in module.parameters() if isinstance(module, Weight) else ():
            if parameter in sharing:
                sharing[parameter] *= module.sharing
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter, count in sharing.items():
        groups.setdefault(count, []).append(parameter)
    return [{"params": members, "sharing": count} for count, members in groups.items()]
