"""What lies inside a network while it runs: the maps that some of its modules put out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labkit.weights import Weight


class Watch:
    """Keeps what some modules (paths) of a network put out last, until it is taken away again.

    >>> watch = Watch(model := nn.Sequential(nn.ReLU()), ["0"])
    >>> _ = model(torch.tensor([-1.0, 2.0]))
    >>> watch.maps[0].tolist()
    [0.0, 2.0]
    """

    def __init__(self, model: nn.Module, paths: Sequence[str]):
        self._places = [model.get_submodule(path) for path in paths]
        self._seen: dict[int, Tensor] = {}
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self.add()

    @property
    def maps(self) -> list[Tensor]:
        """What each module put out when the network ran last, in the order of the paths."""
        return [self._seen[index] for index in range(len(self._places))]

    def add(self) -> None:
        """Begin to look."""
        for index, place in enumerate(self._places):
            self._hooks.append(place.register_forward_hook(lambda _, x, y, index=index: self._seen.update({index: y})))

    def remove(self) -> None:
        """Stop looking, and leave the network as it was."""
        while self._hooks:
            self._hooks.pop().remove()
        self._seen.clear()


@torch.no_grad()
def maps(model: nn.Module, paths: Sequence[str], images: Tensor) -> list[Tensor]:
    """Return what some modules (paths) put out for normalised pictures, in evaluation mode; the network stays as it is.

    >>> from labkit import zoo
    >>> [one.shape[1] for one in maps(zoo.load("VGG"), ["relu2", "pool2"], torch.zeros(1, 1, 28, 28))]
    [32, 64]
    """
    watch, training = Watch(model, paths), model.training
    try:
        model.eval()(images)
        return watch.maps
    finally:
        watch.remove()
        model.train(training)


def last_of_each_size(model: nn.Module, image_shape: tuple[int, int, int]) -> list[str]:
    """List the modules that put out the last maps of each height and width, from the picture on.

    >>> from labkit import zoo
    >>> last_of_each_size(zoo.load("VGG"), (1, 28, 28))
    ['relu2', 'relu4', 'relu6', 'pool3']
    """
    return list(_by_size(model, image_shape).values())


def last_of_same_size(
    one: nn.Module, other: nn.Module, image_shape: tuple[int, int, int]
) -> tuple[list[str], list[str]]:
    """List the modules of two networks that put out the last maps of each height and width that both have.

    >>> from labkit import zoo
    >>> last_of_same_size(zoo.build("VGG"), zoo.build("ResNet-20"), (1, 28, 28))
    (['relu2', 'relu4', 'relu6'], ['block3', 'block6', 'block9'])
    """
    found, beside = (_by_size(model, image_shape) for model in (one, other))
    common = [size for size in found if size in beside]
    return [found[size] for size in common], [beside[size] for size in common]


@torch.no_grad()
def _by_size(model: nn.Module, image_shape: tuple[int, int, int]) -> dict[tuple[int, int], str]:
    """Map each height and width to the module (path) that puts out the last maps of it."""
    last: dict[tuple[int, int], str] = {}
    hooks = []
    for path, module in model.named_modules():
        if path and not isinstance(module, Weight):

            def note(_, x, y, path=path):
                if isinstance(y, Tensor) and y.ndim == 4 and min(y.shape[2:]) > 1:
                    last.pop(tuple(y.shape[2:]), None)
                    last[tuple(y.shape[2:])] = path

            hooks.append(module.register_forward_hook(note))
    training = model.training
    try:
        model.eval()(torch.zeros(1, *image_shape))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return last
