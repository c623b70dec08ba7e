"""One network kept ready to run: new weights are copied in, and only what they change is computed again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.split_module import split_module

from labkit.folding import CannotFold, Source, fold
from labkit.grid import Grid
from labkit.signature import signature

MEMORY = 64 << 20  # bytes of kept activations
ROUNDING = {torch.float32: 1e-3, torch.bfloat16: 0.1}  # what a whole network may lose, as a share of its largest output


class Skeleton:
    """A folded network into which the weights of others of the same structure are loaded.

    The network is cut into stages, each of which starts with a layer and reads one tensor alone.
    Where a load changes nothing before stage k, later loads will probably not either, so the
    input of stage k is kept for each batch (at most 64 MB in all) and the next run starts there.
    """

    def __init__(self, model: nn.Module, example: Tensor, dtype: torch.dtype = torch.float32):
        self.signature, self.device, self.dtype = signature(model), example.device, dtype
        self._pattern, self._checked = signature(model, widths=False), [self.signature]
        self.version = 0  # rises with each load that changes something
        self.sources: list[tuple[int, Source]] = []
        self.others: dict[str, Tensor] = {}
        self._kept: dict[tuple[int, Hashable], Tensor] = {}
        self._keep_at = 0
        try:
            self.stages = self._folded(model, example)
        except CannotFold:
            self.foldable = False
            self.load(model)

    def _folded(self, model: nn.Module, example: Tensor) -> list[nn.Module]:
        """Fold and cut the network, after making sure that it still computes the same."""
        net, sources = fold(model)
        net = net.to(self.device, memory_format=torch.channels_last)
        if any(isinstance(module, Grid) for module in model.modules()):
            fine = _with_fine_grids(model)
            _check_equal(fold(fine)[0].to(self.device, memory_format=torch.channels_last), fine, example)
        else:
            _check_equal(net, model, example)
        net = net.to(dtype=self.dtype)
        owned = tuple(f"{source.path}." for source in sources)
        self.others = {name: tensor for name, tensor in net.state_dict().items() if not name.startswith(owned)}
        stages, where = cut(net, [source.path for source in sources])
        if not _keeps_inputs(stages, example.to(self.dtype)):
            stages, where = [net], [0] * len(sources)
        self.sources = list(zip(where, sources, strict=True))
        self.foldable = True
        return stages

    def fits(self, model: nn.Module) -> bool:
        """Say whether the weights of this network can be loaded."""
        return signature(model) == self.signature

    @torch.no_grad()
    def refit(self, model: nn.Module, example: Tensor) -> bool:
        """Take over a network of other widths without finding its graph again.

        Returns False, and is then of no more use, where more differs or something else would be computed.
        """
        if not self.foldable or self.others or signature(model, widths=False) != self._pattern:
            return False
        for _, source in self.sources:
            for name, new in zip(("weight", "bias"), source.numbers(model), strict=True):
                setattr(source.layer, name, None if new is None else self._parameter(new))
        self.signature, self._kept, self._keep_at = signature(model), {}, 0
        self.version += 1
        self.load(model)
        if self.signature not in self._checked:
            try:
                _check_equal(lambda x: self.run(None, lambda: x).float(), model, example, ROUNDING[self.dtype])
            except CannotFold:
                return False
            self._checked.append(self.signature)
        return True

    def _parameter(self, numbers: Tensor) -> nn.Parameter:
        layout = torch.channels_last if numbers.ndim == 4 else torch.contiguous_format
        return nn.Parameter(numbers.to(self.device, self.dtype).clone(memory_format=layout), requires_grad=False)

    @torch.no_grad()
    def load(self, model: nn.Module) -> None:
        """Take over the weights of a network that `fits`; its mode and its tensors stay as they are."""
        if not self.foldable:
            self.stages = [copy.deepcopy(model).to(self.device, self.dtype).eval()]
            self.version += 1
            return
        first = len(self.stages)
        for stage, source in self.sources:
            for old, new in zip((source.layer.weight, source.layer.bias), source.numbers(model), strict=True):
                if old is not None and _update(old, new):
                    first = min(first, stage)
            if source.grid is not None and source.grid.numbers != model.get_submodule(source.path).grid.numbers:
                source.grid.set(*model.get_submodule(source.path).grid.numbers)
                first = min(first, stage)
        if self.others:
            state = model.state_dict()
            if sum(_update(old, state[name]) for name, old in self.others.items()):
                first = 0
        if first < len(self.stages):
            self.version += 1
            self._keep_at = first
            self._kept = {key: value for key, value in self._kept.items() if key[0] <= first}

    @torch.inference_mode()
    def run(self, batch: Hashable, images: Callable[[], Tensor]) -> Tensor:
        """Return the outputs for a batch, given its name and a function that returns its images.

        Of a batch whose name is None nothing is kept.
        """
        start = max((stage for stage, name in self._kept if name == batch), default=0)
        x = self._kept[start, batch] if start else images().to(self.dtype)
        for index in range(start, len(self.stages)):
            if index == self._keep_at and index > start and batch is not None:
                self._keep(index, batch, x)
            x = self.stages[index](x)
        return x

    def _keep(self, stage: int, batch: Hashable, x: Tensor) -> None:
        """Keep a stage's input, dropping those of other stages where memory runs out."""
        if not isinstance(x, Tensor):
            return
        for key in list(self._kept):
            if self.kept_bytes + x.nbytes > MEMORY and key[0] != stage:
                del self._kept[key]
        if self.kept_bytes + x.nbytes <= MEMORY:
            self._kept[stage, batch] = x

    @property
    def kept_bytes(self) -> int:
        """How much memory the kept activations take."""
        return sum(x.nbytes for x in self._kept.values())


def cut(net: fx.GraphModule, layers: list[str]) -> tuple[list[nn.Module], list[int]]:
    """Cut a network before each of the layers (paths) where one tensor alone is alive; say which part each is in."""
    nodes = [node for node in net.graph.nodes if node.op != "get_attr"]
    place = {node: index for index, node in enumerate(nodes)}
    last = [max((place[user] for user in node.users), default=place[node]) for node in nodes]
    part, parts, seen, where = 0, {}, False, {}
    for index, node in enumerate(nodes):
        if node.op == "call_module" and node.target in layers:
            alive = sum(end >= index for end in last[:index])
            part += seen and alive == 1
            seen = True
            where.setdefault(node.target, part)
        parts[node] = part
    if part == 0:
        return [net], [0] * len(layers)
    whole = split_module(net, net, lambda node: parts.get(node, 0))
    return [whole.get_submodule(f"submod_{index}") for index in range(part + 1)], [where[path] for path in layers]


def _update(old: Tensor, new: Tensor) -> bool:
    """Copy the new numbers over the old ones, and say whether they differ."""
    new = new.to(old.device, old.dtype)
    if torch.equal(old, new):
        return False
    old.copy_(new)
    return True


def _with_fine_grids(model: nn.Module) -> nn.Module:
    """Return a copy whose grids are fine: on a coarse one, another order of summation may give the next point."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, Grid):
            module.set(*module.refined().numbers)
    return model


@torch.inference_mode()
def _check_equal(net: Callable[[Tensor], Tensor], model: nn.Module, example: Tensor, share: float = 1e-3) -> None:
    """Raise CannotFold unless both compute the same for the example, but for rounding."""
    expected = copy.deepcopy(model).to(example.device).eval()(example)
    try:
        rounding = share * float(expected.abs().max())
        torch.testing.assert_close(net(example), expected, rtol=share, atol=rounding, equal_nan=True)
    except Exception as error:
        raise CannotFold(f"the folded network computes something else: {error}") from error


@torch.inference_mode()
def _keeps_inputs(stages: list[nn.Module], x: Tensor) -> bool:
    """Say whether no stage overwrites the tensor that it reads."""
    for stage in stages:
        before = x.clone() if isinstance(x, Tensor) else None
        after = stage(x)
        if before is None or not torch.allclose(before, x, rtol=0, atol=0, equal_nan=True):
            return False
        x = after
    return True
