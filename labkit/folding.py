"""A network as it would be deployed: plain layers, batch normalisation folded into the convolutions.

In evaluation mode a batch normalisation is one multiplication and one addition for each channel, so

    s (W * x + b - m) + t = (s W) * x + (s (b - m) + t),   s = gamma / sqrt(var + eps),

and the convolution before it can do both. The graph of the network is found by torch.fx.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from labkit.grid import Grid
from labkit.kernels import HalvingPool, halves
from labkit.layers import Conv2d, Layer, Linear
from labkit.orbits import OrbitBias, OrbitNorm
from labkit.weights import Weight

PLAIN = (nn.Linear, nn.Conv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
FOLDED = (*NORMS, OrbitNorm)


class CannotFold(ValueError):
    """The network's graph cannot be found, so it can only be run as it is."""


@dataclass(frozen=True, eq=False)
class Source:
    """Where one plain layer of a folded network takes its numbers from."""

    path: str  # of the layer in the original network
    norm: str | None  # path of the batch normalisation folded into it
    layer: nn.Module
    grid: Grid | None = None  # what rounds the layer's input

    def numbers(self, model: nn.Module) -> tuple[Tensor, Tensor | None]:
        """Compute the weight and bias of this layer from a network of the same structure."""
        origin = model.get_submodule(self.path)
        return folded(dense(origin), origin.bias, model.get_submodule(self.norm) if self.norm else None)


def dense(layer: nn.Module) -> Tensor:
    """Return the dense weight of a plain layer, or of one that holds a Weight."""
    return layer.weight() if isinstance(layer.weight, Weight) else layer.weight


def behind(grid: Grid | None, layer: nn.Module) -> nn.Module:
    """Put a layer behind the grid that rounds its input, where there is one."""
    return layer if grid is None else nn.Sequential(grid, layer)


@torch.no_grad()
def folded(weight: Tensor, bias: Tensor | None, norm: nn.Module | None) -> tuple[Tensor, Tensor | None]:
    """Fold a batch normalisation into the weight (out, ...) and bias (out,) before it.

    >>> norm = nn.BatchNorm1d(1, eps=0)
    >>> norm.running_mean, norm.running_var = torch.tensor([1.0]), torch.tensor([4.0])
    >>> [part.tolist() for part in folded(torch.tensor([[6.0]]), None, norm)]
    [[[3.0]], [-0.5]]
    """
    if norm is None:
        return weight.detach(), None if bias is None else bias.detach()
    fuse = fuse_linear_bn_weights if weight.ndim == 2 else fuse_conv_bn_weights
    weight, bias = fuse(weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    return weight.detach(), bias.detach()


def fold(model: nn.Module) -> tuple[fx.GraphModule, list[Source]]:
    """Return a copy with plain, dense, folded layers in evaluation mode, and where each takes its numbers from.

    Raises CannotFold for a network whose path depends on its input, or that has hooks.

    >>> from labkit import zoo
    >>> net, sources = fold(zoo.build("VGG"))
    >>> sources[0].path, sources[0].norm
    ('conv1', 'bn1')
    """
    model = copy.deepcopy(model).eval()
    net, sources = trace(model), []
    modules = dict(model.named_modules())
    calls = [node.target for node in net.graph.nodes if node.op == "call_module"]
    for node in list(net.graph.nodes):
        layer = modules.get(node.target) if node.op == "call_module" else None
        if halves(layer):
            net.set_submodule(node.target, HalvingPool())
        if type(layer) not in (*PLAIN, Linear, Conv2d):
            continue
        alone = calls.count(node.target) == 1 and sum(other is layer for other in modules.values()) == 1
        after = _norm_after(node, modules, calls) if alone else None
        weight, bias = folded(dense(layer), layer.bias, modules[after.target] if after else None)
        plain, grid = plain_layer(layer, weight, bias), copy.deepcopy(getattr(layer, "grid", None))
        if after is not None:
            after.replace_all_uses_with(node)
            net.graph.erase_node(after)
        net.set_submodule(node.target, behind(grid, plain))
        sources.append(Source(node.target, after.target if after else None, plain, grid))
    _relu_in_place(net, modules, {source.path for source in sources})
    net.graph.lint()
    net.recompile()
    net.delete_all_unused_submodules()
    return net.requires_grad_(False), sources


def trace(model: nn.Module) -> fx.GraphModule:
    """Find the graph of a network, down to torch's own modules and the layers that hold Weights."""
    if any(module._forward_hooks or module._forward_pre_hooks for module in model.modules()):
        raise CannotFold("the network has hooks, which a graph would not run")
    if isinstance(model, (*PLAIN, Linear, Conv2d)):
        raise CannotFold("a single layer is no network")
    try:
        with _TRACING:
            return fx.GraphModule(model, _Tracer().trace(model))
    except Exception as error:  # tracing runs the network's own code, which may raise anything
        raise CannotFold(f"the network's graph cannot be found: {error}") from error


_TRACING = threading.Lock()  # two tracers at once would undo each other's changes in the wrong order


class _Tracer(fx.Tracer):
    """Traces in its own thread: torch.fx changes what calling any module means, for all threads."""

    def __init__(self):
        super().__init__()
        self.thread = threading.get_ident()

    def call_module(self, m: nn.Module, forward, args, kwargs):
        if threading.get_ident() != self.thread:  # another thread runs another network meanwhile
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        return isinstance(module, (Layer, Grid, OrbitNorm, OrbitBias)) or super().is_leaf_module(module, path)


def _norm_after(node: fx.Node, modules: dict[str, nn.Module], calls: list[str]) -> fx.Node | None:
    """Return the batch normalisation that alone reads this node's output, if there is one."""
    users = list(node.users)
    if len(users) != 1 or users[0].op != "call_module" or calls.count(users[0].target) != 1:
        return None
    norm = modules[users[0].target]
    return users[0] if type(norm) in FOLDED and norm.running_mean is not None else None


def plain_layer(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """Make the torch layer that computes the same with this dense weight."""
    out, inside = weight.shape[:2]
    if isinstance(layer, (Linear, nn.Linear)):
        plain: nn.Module = nn.Linear(inside, out, bias is not None)
    else:
        shape = (inside * layer.groups, out, tuple(weight.shape[2:]), layer.stride, layer.padding, layer.dilation)
        plain = nn.Conv2d(*shape, layer.groups, bias is not None, layer.padding_mode)
    plain.weight = nn.Parameter(weight.clone(), requires_grad=False)
    if bias is not None:
        plain.bias = nn.Parameter(bias.clone(), requires_grad=False)
    return plain.eval()


def _relu_in_place(net: fx.GraphModule, modules: dict[str, nn.Module], layers: set[str]) -> None:
    """Let a ReLU overwrite the output of a layer, where nothing else reads it: no second tensor to fill."""
    for node in net.graph.nodes:
        relu = node.op == "call_module" and type(modules.get(node.target)) is nn.ReLU
        if not relu or len(node.args) != 1 or node.kwargs:
            continue
        before = node.args[0]
        if before.op == "call_module" and before.target in layers and len(before.users) == 1:
            node.op, node.target, node.kwargs = "call_function", F.relu, {"inplace": True}
