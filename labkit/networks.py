"""The lab's networks, untrained, for pictures of any size: small enough to evaluate under a slider."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from labkit.orbits import OrbitPool


class Network(nn.Sequential):
    """A network of the zoo: named layers in a row, and the arguments that build it again."""

    origin: tuple[str, tuple[int, int, int], int] | None = None


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut: y = relu(shortcut(x) + f(x)) (He 2016)."""

    def __init__(self, channels: int, filters: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Identity()
        if stride != 1 or channels != filters:
            projection = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.shortcut = nn.Sequential(OrderedDict(conv=projection, bn=nn.BatchNorm2d(filters)))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.relu1(self.bn1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.bn2(self.conv2(inner)))


def lenet_300_100(shape: tuple[int, int, int], classes: int) -> Network:
    """LeNet-300-100: two hidden layers, 266,610 parameters on 28 x 28 pictures (LeCun 1998)."""
    pixels = shape[0] * shape[1] * shape[2]
    return Network(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(pixels, 300),
            relu1=nn.ReLU(),
            fc2=nn.Linear(300, 100),
            relu2=nn.ReLU(),
            fc3=nn.Linear(100, classes),
        )
    )


def lenet_5(shape: tuple[int, int, int], classes: int) -> Network:
    """LeNet-5 as in Caffe: two convolutions, two matrices, 431,080 parameters on 28 x 28 pictures."""
    height, width = (((side - 4) // 2 - 4) // 2 for side in shape[1:])
    return Network(
        OrderedDict(
            conv1=nn.Conv2d(shape[0], 20, 5),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(20, 50, 5),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(50 * height * width, 500),
            relu1=nn.ReLU(),
            fc2=nn.Linear(500, classes),
        )
    )


def vgg(shape: tuple[int, int, int], classes: int) -> Network:
    """VGG in small: six 3 x 3 convolutions in pairs, 584,618 parameters on 28 x 28 pictures (Simonyan 2015)."""
    return _six_convolutions(shape, classes, (32, 64, 128), 256)


def vgg_wide(shape: tuple[int, int, int], classes: int) -> Network:
    """VGG-wide: VGG with half as many filters and units again, 1,312,378 parameters: a teacher (Simonyan 2015)."""
    return _six_convolutions(shape, classes, (48, 96, 192), 384)


def _six_convolutions(shape: tuple[int, int, int], classes: int, pairs: tuple[int, int, int], hidden: int) -> Network:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = shape[0]
    for index, filters in enumerate((width for width in pairs for _ in range(2)), start=1):
        layers[f"conv{index}"] = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        layers[f"bn{index}"] = nn.BatchNorm2d(filters)
        layers[f"relu{index}"] = nn.ReLU()
        if index % 2 == 0:
            layers[f"pool{index // 2}"] = nn.MaxPool2d(2)
        channels = filters
    layers["flatten"] = nn.Flatten()
    layers["fc1"] = nn.Linear(channels * (shape[1] // 8) * (shape[2] // 8), hidden)
    layers["relu7"] = nn.ReLU()
    layers["fc2"] = nn.Linear(hidden, classes)
    return Network(layers)


def resnet_20(shape: tuple[int, int, int], classes: int) -> Network:
    """ResNet-20: nine residual blocks of 16, 32 and 64 filters (He 2016, section 4.2)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False), bn1=nn.BatchNorm2d(16), relu1=nn.ReLU()
    )
    channels = 16
    for index in range(9):
        filters = (16, 32, 64)[index // 3]
        layers[f"block{index + 1}"] = Residual(channels, filters, 2 if filters != channels else 1)
        channels = filters
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels, classes)
    return Network(layers)


def mlp_3x512(shape: tuple[int, int, int], classes: int) -> Network:
    """MLP-3x512: three hidden layers, each layer normalised, 933,908 parameters on 28 x 28 pictures.

    The network of Hou 2017 with 512 units in the place of 2,048. Since a batch normalisation follows each
    matrix, the scale of the weights does not matter, and no layer needs a bias.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    sides = [shape[0] * shape[1] * shape[2], 512, 512, 512, classes]
    for index, (inputs, outputs) in enumerate(pairwise(sides), start=1):
        layers[f"fc{index}"] = nn.Linear(inputs, outputs, bias=False)
        layers[f"bn{index}"] = nn.BatchNorm1d(outputs)
        layers[f"relu{index}"] = nn.ReLU()
    del layers["relu4"]
    return Network(layers)


def mlp_2x1200(shape: tuple[int, int, int], classes: int) -> Network:
    """MLP-2x1200: two hidden layers with dropout, 2,395,210 parameters on 28 x 28 pictures: a teacher (Hinton 2015).

    While it trains, a fifth of the first and half of the second hidden units are left out at random (Srivastava 2014).
    """
    return _two_hidden_layers(shape, classes, 1200, dropped=(0.2, 0.5))


def mlp_2x800(shape: tuple[int, int, int], classes: int) -> Network:
    """MLP-2x800: two hidden layers, 1,276,810 parameters on 28 x 28 pictures: a student (Hinton 2015)."""
    return _two_hidden_layers(shape, classes, 800)


def _two_hidden_layers(
    shape: tuple[int, int, int], classes: int, hidden: int, dropped: tuple[float, ...] = ()
) -> Network:
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    sides = [shape[0] * shape[1] * shape[2], hidden, hidden, classes]
    for index, (inputs, outputs) in enumerate(pairwise(sides), start=1):
        layers[f"fc{index}"] = nn.Linear(inputs, outputs)
        if index < 3:
            layers[f"relu{index}"] = nn.ReLU()
        if index <= len(dropped):
            layers[f"drop{index}"] = nn.Dropout(dropped[index - 1])
    return Network(layers)


def mlp_1000(shape: tuple[int, int, int], classes: int) -> Network:
    """MLP-1000: one hidden layer, 795,010 parameters on 28 x 28 pictures (the three layers of Chen 2015)."""
    return _one_hidden_layer(shape, classes, 1000)


def mlp_784(shape: tuple[int, int, int], classes: int) -> Network:
    """MLP-784: one hidden layer as wide as a picture, 623,290 parameters on 28 x 28 pictures (Thomas 2018)."""
    return _one_hidden_layer(shape, classes, 784)


def _one_hidden_layer(shape: tuple[int, int, int], classes: int, hidden: int) -> Network:
    pixels = shape[0] * shape[1] * shape[2]
    return Network(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(pixels, hidden),
            relu1=nn.ReLU(),
            fc2=nn.Linear(hidden, classes),
        )
    )


def z2cnn(shape: tuple[int, int, int], classes: int) -> Network:
    """Z2CNN: seven convolutions without padding, of 20 filters, 21,630 parameters on 28 x 28 pictures (Cohen 2016)."""
    return _seven_convolutions(shape, classes, 20)


def p4cnn(shape: tuple[int, int, int], classes: int) -> Network:
    """P4CNN: seven convolutions of ten filters in four orientations; a class has four answers, the largest counts.

    Here the orientations are filters like any other, 40 to a layer. The method P4 makes them copies of ten, and the
    network equivariant to quarter turns, with about as many numbers as Z2CNN has (Cohen 2016).
    """
    return _seven_convolutions(shape, classes, 10, orientations=4)


def p4cnn_pooled(shape: tuple[int, int, int], classes: int) -> Network:
    """P4CNN-pooled: 20 filters in four orientations, of which each layer hands on only the largest (Cohen 2016)."""
    return _seven_convolutions(shape, classes, 20, orientations=4, pooled=True)


def _seven_convolutions(
    shape: tuple[int, int, int], classes: int, filters: int, orientations: int = 1, pooled: bool = False
) -> Network:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, maps = shape[0], filters * orientations
    for index in range(1, 7):
        layers[f"conv{index}"] = nn.Conv2d(channels, maps, 3, bias=False)
        layers[f"bn{index}"] = nn.BatchNorm2d(maps)
        layers[f"relu{index}"] = nn.ReLU()
        channels = maps
        if pooled:
            layers[f"orbit{index}"] = OrbitPool(orientations)
            channels = filters
        if index == 2:
            layers["pool"] = nn.MaxPool2d(2)
    left = tuple((side - 4) // 2 - 8 for side in shape[1:])
    if min(left) < 1:
        raise ValueError(f"pictures of {shape[1]} x {shape[2]} pixels are too small: use at least 22 x 22")
    layers["conv7"] = nn.Conv2d(channels, classes * orientations, left)
    if orientations > 1:
        layers["orbit7"] = OrbitPool(orientations)
    layers["flatten"] = nn.Flatten()
    return Network(layers)


NETWORKS: dict[str, Callable[[tuple[int, int, int], int], Network]] = {
    "LeNet-300-100": lenet_300_100,
    "LeNet-5": lenet_5,
    "VGG": vgg,
    "VGG-wide": vgg_wide,
    "ResNet-20": resnet_20,
    "MLP-3x512": mlp_3x512,
    "MLP-2x1200": mlp_2x1200,
    "MLP-2x800": mlp_2x800,
    "MLP-1000": mlp_1000,
    "MLP-784": mlp_784,
    "Z2CNN": z2cnn,
    "P4CNN": p4cnn,
    "P4CNN-pooled": p4cnn_pooled,
}
