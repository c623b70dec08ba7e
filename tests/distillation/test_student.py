"""Students learn what they are told: by each method, from the whole network or a compressed one."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from labkit import zoo
from labkit.distillation import AttentionTransfer, DecoupledTargets, Hints, LogitRegression, SoftTargets
from labkit.distillation.attention import attention_loss
from labkit.inside import Watch, last_of_each_size
from labkit.measure import accuracy
from labkit.quantization import KMeans
from labkit.storage import load, save
from tests.pictures import few

RECIPE = replace(SoftTargets.recipe, epochs=4)


@pytest.fixture(scope="module")
def data():
    return few(2048, 500)


def trained(method, data, model=None, value=0.25, recipe=RECIPE):
    torch.manual_seed(0)
    curve = method.prepare(model or zoo.load("LeNet-300-100"), data)
    *_, (_, found) = curve.train(value, data, recipe)
    return found.eval()


@torch.no_grad()
def missed(method, student, data):
    """What a method minimises, on pictures that the student never saw."""
    x, labels = data.normalise(data.validation.images), data.validation.labels
    z = student(x)
    return float(method.taught(z, zoo.load("LeNet-300-100")(x), labels, F.cross_entropy(z, labels), ([], [])))


@pytest.mark.parametrize("method", [LogitRegression, SoftTargets, DecoupledTargets])
def test_a_taught_student_answers_more_as_its_teacher_does_than_one_that_saw_labels_alone(method, data):
    taught, plain = trained(method(), data), trained(SoftTargets(weight=0), data)
    assert missed(method(), taught, data) < 0.9 * missed(method(), plain, data)
    assert accuracy(taught, data).value > 0.6


def test_without_weight_it_is_the_plain_student(data):
    one, other = trained(SoftTargets(weight=0), data), trained(SoftTargets(temperature=20, weight=0), data)
    assert all(torch.equal(one.state_dict()[name], now) for name, now in other.state_dict().items())


def test_the_teacher_stays_as_it_is_and_may_be_compressed(data):
    teacher = zoo.load("LeNet-300-100")
    before = copy.deepcopy(teacher.state_dict())
    trained(SoftTargets(), data, teacher)
    assert all(torch.equal(before[name], now) for name, now in teacher.state_dict().items())
    clustered = KMeans().prepare(teacher).at(3)
    student = trained(LogitRegression(), data, clustered)
    assert accuracy(student, data).value > 0.6 and type(student.fc1.weight).__name__ == "Dense"


def test_a_student_can_be_compressed_and_saved(data, tmp_path):
    student = trained(SoftTargets(), data)
    small = KMeans().prepare(student).at(4)
    save(small, tmp_path / "student.safetensors")
    x = torch.randn(3, 1, 28, 28)
    assert torch.equal(load(tmp_path / "student.safetensors")(x), small(x))


def test_its_width_is_the_knob():
    curve = DecoupledTargets().prepare(zoo.load("VGG"))
    assert [curve.at(width).conv4.weight.shape[0] for width in curve.knob.values] == [4, 8, 16, 32, 64]
    assert curve.picture(0.5, "conv1").kind == "bars"


def test_senseless_settings_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="temperature is 0.0, but must be above 0"):
        SoftTargets(temperature=0)
    with pytest.raises(ValueError, match="weight is 2, but must be from 0 to 1"):
        SoftTargets(weight=2)
    with pytest.raises(ValueError, match="both must be at least 0"):
        DecoupledTargets(beta=-1)
    with pytest.raises(ValueError, match="drawn as a whole"):
        SoftTargets().prepare(zoo.load("VGG"), where="conv1")
    with pytest.raises(ValueError, match="beta is -1, but must be at least 0"):
        AttentionTransfer(beta=-1)
    with pytest.raises(ValueError, match="kind is 'mean'"):
        AttentionTransfer(kind="mean")


def test_attention_makes_a_student_look_where_its_teacher_looks(data):
    """Beside a student that saw the labels alone, on pictures that both never saw."""
    teacher, x = zoo.load("LeNet-5"), data.normalise(data.validation.images[:200])
    paths = last_of_each_size(teacher, data.image_shape)
    found = []
    for beta in (0, 100):
        student = trained(AttentionTransfer(beta), data, teacher, 0.5)
        watches = [Watch(network, paths) for network in (student, teacher)]
        with torch.no_grad():
            student(x), teacher(x)
        found.append(float(attention_loss(*(watch.maps for watch in watches))))
        watches[1].remove()
    assert found[1] < 0.7 * found[0]


def test_a_trained_student_is_watched_no_more(data):
    student = trained(AttentionTransfer(), data, zoo.load("LeNet-5"))
    assert not any(module._forward_hooks for module in student.modules())


def test_a_network_without_maps_has_no_attention(data):
    with pytest.raises(ValueError, match="nowhere to look"):
        trained(AttentionTransfer(), data)


def test_hints_come_first_and_bring_the_middle_nearer(data):
    """After the first stage a linear map of the student's middle is nearer to the teacher's than before it."""
    teacher, recipe = zoo.load("LeNet-5"), replace(Hints.recipe, epochs=2)
    curve = Hints().prepare(teacher, data)
    student = curve.at(0.5)
    _, path = Hints().middle(student, teacher, data.image_shape)
    far = [progress.loss for progress in curve.guide(student, data, recipe)]
    assert far[-1] < 0.8 * far[0] and path == "pool1"
    before, steps = curve.at(0.5), [progress for progress, _ in curve.train(0.5, data, recipe)]
    assert torch.equal(before.fc2.weight(), student.fc2.weight())  # behind the middle nothing was taught yet
    assert not torch.equal(before.conv1.weight(), student.conv1.weight())
    assert steps[-1].step == steps[-1].steps == 2 * 2 * (len(data.train) // recipe.batch)
    assert [one.step for one in steps] == sorted(one.step for one in steps)


def test_a_network_without_maps_has_no_middle(data):
    with pytest.raises(ValueError, match="no hint half way"):
        trained(Hints(), data)
