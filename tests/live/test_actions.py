"""What the buttons plan, without a panel."""

from types import SimpleNamespace

import pytest

from labkit import data, zoo
from labkit.live import actions
from labkit.quantization import BinaryScaled, KMeans


@pytest.mark.parametrize(("method", "value"), [(KMeans, 2), (BinaryScaled, 3)])
def test_fine_tuning_follows_the_recipe_of_the_method(method, value):
    images = data.load("MNIST")
    curve = method().prepare(zoo.load("LeNet-300-100", "MNIST"))
    recipe, _ = actions.plan(curve, SimpleNamespace(value=value, device="cpu"), images, 0.5)
    assert recipe.optimiser == ("adam" if method is BinaryScaled else "sgd")
    assert recipe.learning_rate == method.recipe.learning_rate
