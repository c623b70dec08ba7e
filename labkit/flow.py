"""Follows the channels of a network through its graph: who makes them, who scales them, who reads them.

What a node of the graph computes carries channels in its second dimension. A node that passes them on
carries the same ones, an addition joins those of its two inputs, and a layer reads some and makes
others. Where a node does something else, what it reads and what it makes is fixed: nothing may be
removed there. So a graph that is not understood loses nothing, and never anything wrong.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from labkit.folding import NORMS
from labkit.layers import Layer, Linear

# what computes each channel of its output from the same channel of its input
PASSING_MODULES = (
    *(nn.Identity, nn.Dropout, nn.Dropout2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh),
    *(nn.Sigmoid, nn.Tanh),
)
PASSING_CALLS = {
    *(F.relu, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardtanh, torch.relu, torch.sigmoid, torch.tanh, F.dropout),
    *(F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
    *("relu", "sigmoid", "tanh", "contiguous"),
}
JOINING = {operator.add, operator.iadd, operator.sub, operator.mul, operator.imul, torch.add, torch.mul, "add", "mul"}


class Channels:
    """Some channels of a network, as far as is known; `fixed` ones cannot be removed."""

    def __init__(self, width: int, fixed: bool = False):
        self.width, self.fixed = width, fixed
        self._joined: Channels | None = None

    def root(self) -> Channels:
        """Return what stands for these channels and all that were joined with them."""
        return self if self._joined is None else self._joined.root()

    def join(self, other: Channels) -> None:
        """Note that these channels and the others can only be removed together."""
        mine, its = self.root(), other.root()
        if mine is not its:
            its._joined = mine
            mine.fixed |= its.fixed

    def fix(self) -> None:
        """Note that these channels cannot be removed."""
        self.root().fixed = True


class Flow(NamedTuple):
    """What a node computes, shape (n, channels * spread, ...)."""

    channels: Channels
    spread: int = 1


def walk(net: fx.GraphModule, images: Tensor) -> tuple[dict[str, Channels], dict[str, Flow]]:
    """Follow the channels; `images` are at least two pictures, of any content.

    Returns by path the channels that each layer makes and each batch normalisation scales, and the flow
    that each layer reads. Raises ValueError where the network does not take the pictures.

    >>> from labkit.folding import trace
    >>> from labkit.layers import adopt
    >>> model = adopt(nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 2)))
    >>> owned, read = walk(trace(model), torch.zeros(2, 1, 4, 4))
    >>> read["2"].channels is owned["0"], read["2"].spread, owned["2"].fixed
    (True, 4, True)
    """
    try:
        with torch.no_grad():
            _Shapes(net).run(images)
    except RuntimeError as error:
        shape = tuple(images.shape[1:])
        raise ValueError(f"the network does not take pictures of shape {shape}: give data.image_shape") from error
    steps = _Walk(dict(net.named_modules()))
    for node in net.graph.nodes:
        steps.visit(node)
    return steps.owned, steps.read


class _Shapes(fx.Interpreter):
    """Runs the graph and notes at each node the shape of what it computes; None for what is no tensor."""

    def run_node(self, node: fx.Node) -> object:
        found = super().run_node(node)
        node.meta["shape"] = found.shape if isinstance(found, Tensor) else None
        return found


class _Walk:
    """Finds the flow of each node, given the flows of its inputs."""

    def __init__(self, modules: dict[str, nn.Module]):
        self.modules = modules
        self.flows: dict[fx.Node, Flow] = {}
        self.owned: dict[str, Channels] = {}
        self.read: dict[str, Flow] = {}

    def visit(self, node: fx.Node) -> None:
        flow = self._flow(node)
        if flow is None:
            counts_pictures = node.op == "call_method" and node.target == "size" and node.args[1:] == (0,)
            for before in [] if counts_pictures else node.all_input_nodes:
                self.flows[before].channels.fix()
            flow = Flow(Channels(0, fixed=True))
        self.flows[node] = flow

    def _flow(self, node: fx.Node) -> Flow | None:
        """Return what flows out of a node; None where it is not understood."""
        before = [self.flows[other] for other in node.all_input_nodes]
        if not before or node.meta["shape"] is None:
            return None
        if node.op == "call_module":
            return self._through_module(node, self.modules[node.target], before[0])
        if node.target in (torch.flatten, "flatten") or _views_flat(node):
            return _flattened(node, before[0])
        if node.op not in ("call_function", "call_method"):
            return None
        if node.target in JOINING and len(before) == 2:
            return self._joined(*node.all_input_nodes)
        return before[0] if node.target in PASSING_CALLS | JOINING and len(before) == 1 else None

    def _through_module(self, node: fx.Node, module: nn.Module, flow: Flow) -> Flow | None:
        if isinstance(module, Layer):
            return self._through_layer(node, module, flow)
        if type(module) is nn.Flatten:
            return _flattened(node, flow)
        if type(module) in NORMS:
            scaled = self.owned.setdefault(node.target, Channels(module.num_features))
            if flow.spread > 1:
                return scaled.fix()
            scaled.join(flow.channels)
        return flow if type(module) in (*NORMS, *PASSING_MODULES) else None

    def _through_layer(self, node: fx.Node, layer: Layer, flow: Flow) -> Flow | None:
        rows = layer.weight.shape[0]
        made = self.owned.setdefault(node.target, Channels(rows))
        groups = getattr(layer, "groups", 1)
        if groups > 1 and groups == rows == node.all_input_nodes[0].meta["shape"][1]:  # one filter for each channel
            made.join(flow.channels)
            return flow
        if groups > 1 or len(node.meta["shape"]) != (2 if isinstance(layer, Linear) else 4):
            return made.fix()
        before = self.read.setdefault(node.target, flow)  # of an earlier use of the same layer
        before.channels.join(flow.channels)
        if before.spread != flow.spread:
            flow.channels.fix()
        return Flow(made)

    def _joined(self, one: fx.Node, other: fx.Node) -> Flow | None:
        flows, shapes = (self.flows[one], self.flows[other]), (one.meta["shape"], other.meta["shape"])
        if None in shapes or len(shapes[0]) != len(shapes[1]) or shapes[0][1] != shapes[1][1]:
            return None
        if flows[0].spread != flows[1].spread:
            return None
        flows[0].channels.join(flows[1].channels)
        return flows[0]


def _flattened(node: fx.Node, flow: Flow) -> Flow | None:
    """Spread each channel over the columns of its pixels."""
    before, after = node.all_input_nodes[0].meta["shape"], node.meta["shape"]
    if len(after) != 2 or after[0] != before[0]:
        return None
    return Flow(flow.channels, flow.spread * after[1] // before[1])


def _views_flat(node: fx.Node) -> bool:
    """Say whether a node is x.view(x.size(0), -1); a number in the place of -1 would not fit fewer channels."""
    flat = node.target in ("view", "reshape") and len(node.args) == 3
    return flat and isinstance(node.args[1], fx.Node) and node.args[2] == -1
