"""Dead units: what pruning single weights leaves of a unit that does nothing any more is removed.

A unit is dead in one of two ways:

    nothing reads it: all its outgoing weights are zero;
    it reads nothing: all its incoming weights are zero. Then it is the same constant c for every picture, such
    as relu(b), and a layer that reads it can have it in its bias: b' = b + w c, w the weights that read it.

A convolution that pads its picture with zeros sees another number at the edge than c, so a unit that it
reads goes only where c = 0. A removed unit takes weights along, which may leave other units dead, so this
is repeated until nothing changes. The answers of the network stay the same but for rounding.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from labkit.channels import Group, columns, groups, remove
from labkit.layers import Layer, Linear
from labkit.methods import numbers


def compact(model: nn.Module, image_shape: tuple[int, int, int]) -> nn.Module:
    """Return a copy without dead units, in evaluation mode: the same answers from fewer numbers.

    Weights stay stored as they are: sparse, shared or thin. One unit of each layer stays in any case.
    Raises ValueError where the network has no graph, or takes other pictures than `image_shape`.

    >>> from labkit import adopt
    >>> model = adopt(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1, bias=False)))
    >>> model[0].weight.values.data = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    >>> model[0].bias.data = torch.tensor([0.0, 3.0])
    >>> model[2].weight.values.data = torch.tensor([[1.0, 2.0]])
    >>> smaller = compact(model, (2,))
    >>> smaller[0].weight().tolist(), smaller[2].weight().tolist(), smaller[2].bias.tolist()
    ([[1.0, 1.0]], [[1.0]], [6.0])
    """
    model = copy.deepcopy(model).eval()
    while True:
        found, kept = groups(model, image_shape), {}
        seen = _inputs(model, found, image_shape)
        for group in found:
            dead = _dead(model, group, seen)
            if dead.all():
                dead[0] = False
            if dead.any():
                kept[group] = torch.nonzero(~dead).flatten()
                _into_biases(model, group, dead, seen)
        if not kept:
            return model
        model = remove(model, kept)


@torch.no_grad()
def _inputs(model: nn.Module, found: list[Group], image_shape: tuple[int, int, int]) -> dict[str, Tensor]:
    """Run an empty picture, and return what each layer reads: of a unit without incoming weights, its constant."""
    seen: dict[str, Tensor] = {}

    def note(path: str, layer: Layer, x: Tensor) -> None:
        x = (x if layer.grid is None else layer.grid(x))[0].clone()
        if path in seen:  # a layer that is used twice must see the same
            x[x != seen[path]] = torch.nan
        seen[path] = x

    paths = {path for group in found for path, _ in group.consumers}
    hooks = [
        model.get_submodule(path).register_forward_pre_hook(lambda layer, args, path=path: note(path, layer, args[0]))
        for path in paths
    ]
    model(torch.zeros(1, *image_shape, device=next(iter(model.state_dict().values())).device))
    for hook in hooks:
        hook.remove()
    return seen


def _dead(model: nn.Module, group: Group, seen: dict[str, Tensor]) -> Tensor:
    """Say of each unit of a group, (width,), whether it can go."""
    written = [numbers(model.get_submodule(path).weight).flatten(1).any(1) for path in group.producers]
    constant = ~torch.stack(written).any(0)
    dead = torch.ones_like(constant)
    for path, _ in group.consumers:
        layer = model.get_submodule(path)
        read = numbers(layer.weight).transpose(0, 1).reshape(group.width, -1).any(1)
        values = seen[path].reshape(group.width, -1)
        if isinstance(layer, Linear):
            movable = values.isfinite().all(1)
        else:
            movable = (values == values[:, :1]).all(1)
            if layer.padding_mode == "zeros" and layer.padding not in ("valid", (0, 0)):
                movable &= values[:, 0] == 0
        dead &= ~read | (constant & movable)
    return dead


@torch.no_grad()
def _into_biases(model: nn.Module, group: Group, dead: Tensor, seen: dict[str, Tensor]) -> None:
    """Add what the layers behind read of dead units to their biases."""
    index = torch.nonzero(dead).flatten()
    for path, spread in group.consumers:
        layer = model.get_submodule(path)
        where = columns(index, spread)
        weight, x = numbers(layer.weight).index_select(1, where), seen[path][where].nan_to_num()
        rise = weight @ x if isinstance(layer, Linear) else weight.sum((2, 3)) @ x[:, 0, 0]
        if rise.any():
            layer.bias = nn.Parameter(rise if layer.bias is None else layer.bias + rise)
