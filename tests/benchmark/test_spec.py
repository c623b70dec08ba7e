"""A spec is multiplied out as it says, and every mistake in it is named before anything runs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from labkit.benchmark import spec
from labkit.benchmark.catalogue import method, sections
from labkit.benchmark.run import recipe
from labkit.train import Recipe

RUN = """
[[runs]]
networks = ["LeNet-300-100"]
methods = ["quantization.KMeans"]
values = [2]
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> spec.Spec:
        path = tmp_path / "tiny.toml"
        path.write_text(text)
        return spec.read(path)

    return write


def test_a_run_is_the_product_of_what_it_lists(written):
    text = """
    about = "All combinations."
    [[runs]]
    networks = ["LeNet-5", { name = "LeNet-300-100", data = "MNIST", variant = "plain" }]
    methods = ["quantization.KMeans", { name = "pruning.Magnitude", arguments = { scope = "layer" } }]
    values = [0.5, 1]
    seeds = [0, 7]
    where = ["fc1", "fc2"]
    """
    found = spec.points(written(text.replace("0.5, 1", "1, 2")))
    names = [("LeNet-5", "FashionMNIST", ""), ("LeNet-300-100", "MNIST", "plain")]
    kinds = [("quantization.KMeans", "{}"), ("pruning.Magnitude", "{'scope': 'layer'}")]
    wanted = set(itertools.product(names, kinds, [1, 2], [0, 7], ["fc1", "fc2"]))
    had = [((p.network, p.data, p.variant), (p.method, str(p.arguments)), p.value, p.seed, p.where) for p in found]
    assert len(had) == len(wanted) == 32 and set(had) == wanted


def test_all_values_are_those_of_the_knob_for_that_network(written):
    points = spec.points(written(RUN.replace("[2]", '"all"')))
    assert [point.value for point in points] == list(method("quantization.KMeans").knob.values)
    points = spec.points(written(RUN.replace("quantization.KMeans", "lowrank.SVD").replace("[2]", '"all"')))
    assert points[-1].value == 216, "the break-even rank of 300 x 784"


def test_a_point_that_two_runs_name_is_there_once(written):
    assert len(spec.points(written(RUN + RUN.replace("[2]", "[2.0, 3]")))) == 2


def test_training_starts_from_the_recipe_of_the_method(written):
    (point,) = spec.points(written(RUN + "train = { epochs = 3, batch = 256 }\nloss = 'square_hinge'\nseeds = [5]"))
    expected = method("quantization.KMeans").recipe
    assert recipe(point, point.seed) == replace(expected, epochs=3, batch=256, seed=5)
    assert point.loss == "square_hinge" and "momentum" not in point.train
    assert Recipe(**point.train, seed=5) == recipe(point, point.seed)


def test_an_untrained_network_is_trained(written):
    text = RUN + "start = 'scratch'\ntrain = {}\n" + "keep = [{ name = 'pruning.Magnitude', value = 0.5 }]"
    (point,) = spec.points(written(text))
    assert point.start == "scratch" and point.train is not None
    assert (point.keep[0].method, point.keep[0].value, point.keep[0].arguments) == ("pruning.Magnitude", 0.5, {})


def method_with(name: str, arguments: str) -> str:
    return RUN.replace('"quantization.KMeans"', f"{{ name = '{name}', arguments = {{ {arguments} }} }}")


MISTAKES = {
    "runs": ("about = 'nothing'", "the file lacks runs"),
    "toml": ("[[runs]", "tiny.toml: "),
    "top": ("speed = 1" + RUN, "the unknown key 'speed': it may have about, runs"),
    "key": (RUN + "epochs = 3", "a run has the unknown key 'epochs': it may have networks, methods"),
    "kind": (RUN.replace("[2]", "2"), "a run has values = 2"),
    "empty": (RUN + "seeds = []", "seeds is empty"),
    "values": (RUN.replace("[2]", "'some'"), 'must be "all" or a list'),
    "value": (RUN.replace("[2]", "[9]"), "bits is 9, but must be one of 1, 2, 3"),
    "text": (RUN.replace("[2]", "['2']"), "values has '2', which is no number"),
    "true": (RUN.replace("[2]", "[true]"), "values has True, which is no number"),
    "nan": (RUN.replace("[2]", "[nan]").replace("quantization.KMeans", "lowrank.SVD"), "values has nan"),
    "method": (RUN.replace("KMeans", "KMedians"), "'quantization.KMedians' is unknown: quantization has q"),
    "section": (RUN.replace("quantization.KMeans", "os.system"), f"one of {', '.join(sections())}"),
    "module": (RUN.replace("quantization.KMeans", "quantization.kmeans.KMeans"), "is unknown"),
    "argument": (method_with("quantization.KMeans", "x = 1"), "not take"),
    "scope": (method_with("pruning.Magnitude", "scope = 'x'"), "scope is 'x'"),
    "date": (method_with("quantization.KMeans", "x = 2020-01-01"), "not take"),
    "network": (RUN.replace("LeNet-300-100", "LeNet-6"), "no trained LeNet-6 FashionMNIST: there are LeNet-300-100"),
    "data": (RUN.replace('"LeNet-300-100"', "{ name = 'LeNet-5', data = 'CIFAR10' }"), "no trained LeNet-5 CIFAR10"),
    "variant": (RUN.replace('"LeNet-300-100"', "{ name = 'LeNet-5', varient = 'plain' }"), "the unknown key 'varient'"),
    "layer": (RUN + "where = ['conv1']", "has no layer 'conv1': it has fc1, fc2, fc3"),
    "seed": (RUN + "seeds = [-1]", "seeds has -1"),
    "start": (RUN + "start = 'middle'", "start is 'middle', but must be one of checkpoint, scratch"),
    "scratch": (RUN + "start = 'scratch'", "nothing is trained: add train"),
    "unbuilt": (RUN.replace("LeNet-300-100", "LeNet-6") + "start = 'scratch'\ntrain = {}", "network 'LeNet-6'"),
    "loss": (RUN + "loss = 'hinge'\ntrain = {}", "loss is 'hinge', but must be one of cross_entropy, square_hinge"),
    "recipe": (RUN + "train = { epoch = 3 }", "train has the unknown key 'epoch'"),
    "recipe kind": (RUN + "train = { epochs = 1.5 }", "train has epochs = 1.5"),
    "recipe value": (RUN + "train = { epochs = 0 }", "epochs is 0, but a recipe needs at least 1"),
    "recipe seed": (RUN + "train = { seed = 1 }", "the unknown key 'seed'"),
    "keep": (RUN + "keep = [{ name = 'pruning.Magnitude' }]", "keep lacks value"),
    "keep value": (RUN + "keep = [{ name = 'quantization.KMeans', value = 40 }]", "bits is 40, but must be one of"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_file(mistake, written, tmp_path):
    text, said = MISTAKES[mistake]
    with pytest.raises(ValueError) as caught:
        spec.points(written(text))
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path / 'tiny.toml'}: ") and said in sentence
    assert "\n" not in sentence.strip()


def test_a_spec_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(ValueError, match="nothing.toml cannot be read: .* one of .*quantization"):
        spec.read("nothing")
    with pytest.raises(ValueError, match="may have letters"):
        spec.read(tmp_path / "a b.toml")


@pytest.mark.parametrize("path", sorted(spec.SWEEPS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_specs_are_sound(path):
    found = spec.read(path.stem)
    assert found.path == path and found.name == path.stem
    assert all(run["networks"] for run in found.runs)
