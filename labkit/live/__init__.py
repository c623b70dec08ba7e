"""The live panel: the only part of labkit that needs a notebook."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from labkit import hardware, zoo
from labkit.live import cell
from labkit.live.panel import Panel
from labkit.live.result import OWN, Choice
from labkit.live.wish import among
from labkit.lowrank import SVD
from labkit.methods import Method
from labkit.pruning import Magnitude
from labkit.quantization import KMeans


def explore(
    model: nn.Module | str = "LeNet-5",
    methods: Sequence[Method] | Method | None = None,
    data: str = "FashionMNIST",
    split: str = "validation",
    *,
    knob: float | None = None,
    where: str | None = None,
    device: str = "cpu",
    beside: bool = False,
) -> Panel:
    """Open the live panel: a knob compresses a network, and four views show what it does.

    `model` is a name of the zoo or a network of your own, trained on `data`; `methods` are those to
    choose from, the first one chosen (default: k-means codebook, magnitude pruning, truncated SVD).
    With `beside`, all of them whose knob has the same name are shown at its value, beside the chosen one.
    Accuracy is measured on `split`: keep "test" for the number that you hand in. Raises ValueError
    for a name that does not exist.

    >>> panel = explore("LeNet-300-100", knob=4).wait()
    >>> panel.state["method"], panel.state["knob"]
    ('k-means codebook', 4)
    >>> panel.close()
    """
    methods = [methods] if isinstance(methods, Method) else list(methods or (KMeans(), Magnitude(), SVD()))
    if isinstance(model, str):
        trained = [" ".join(filter(None, (name, variant))) for name, on, variant in zoo.available() if on == data]
        network, own = among("network", model, trained), None
    elif isinstance(model, nn.Module):
        network, own = OWN, model
    else:
        raise TypeError(f"model is {type(model).__name__}, but must be a name of the zoo or a torch.nn.Module")
    among("split", split, ["validation", "test", "train"])
    choice = Choice(methods[0].title, network, data, where, str(hardware.device(device)), knob)
    panel = Panel(methods, own, choice, split, beside)
    cell.adopt(panel)
    return panel


__all__ = ["Panel", "explore"]
