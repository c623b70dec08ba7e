"""A task without a softmax: angles are what they are said to be, and a student is taught them by a teacher."""

from dataclasses import replace

import pytest
import torch

from labkit import data, zoo
from labkit.data import Split
from labkit.distillation import LabelsAlone, LogitRegression
from labkit.distillation.tilt import MOST, RECIPE, degrees_off, square_error, taught_to_tilt, tilted
from labkit.rotated import turned


def test_a_tilted_picture_is_the_picture_turned_by_its_label():
    plain, clothes = data.load(), tilted(data.load(), 300)
    for index in (0, 7, 299):
        angle = float(clothes.train.labels[index])
        expected = turned(plain.train.images[index : index + 1].float(), torch.tensor([angle])).round().clamp(0, 255)
        assert torch.equal(clothes.train.images[index : index + 1], expected.to(torch.uint8))
    assert clothes.validation.labels.unique().tolist() == list(range(-MOST, MOST + 1))
    again = tilted(data.load(), 10)
    assert torch.equal(again.train.images, clothes.train.images[:10])
    assert torch.equal(again.test.labels, clothes.test.labels)  # however many pictures are trained on


def test_the_error_is_that_of_the_angle():
    labels = torch.tensor([0, 45, -9])
    outputs = torch.tensor([[0.0], [0.0], [0.2]])
    assert float(square_error(outputs, labels, labels)) == pytest.approx((0 + 1 + 0.16) / 6)
    clothes = tilted(data.load(), 5)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 1))
    torch.nn.init.zeros_(model[1].weight), torch.nn.init.zeros_(model[1].bias)
    assert degrees_off(model, clothes) == pytest.approx(float(clothes.validation.labels.abs().float().mean()))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_a_teacher_says_of_pictures_without_labels_beats_a_few_labels(seed):
    clothes, recipe = tilted(data.load(), 4_000), replace(RECIPE, seed=seed)
    clothes = replace(clothes, validation=clothes.validation.take(slice(0, 1000)))
    torch.manual_seed(seed)
    teacher = taught_to_tilt(zoo.build("LeNet-5", classes=1), clothes, replace(recipe, epochs=4))
    found = []
    for method, pictures, epochs in ((LabelsAlone(), clothes.few(200), 80), (LogitRegression(), clothes, 4)):
        torch.manual_seed(seed)
        curve = method.prepare(teacher, pictures)
        *_, (_, student) = curve.train(1 / 4, pictures, replace(recipe, epochs=epochs), loss=square_error)
        found.append(degrees_off(student, clothes))
    assert degrees_off(teacher, clothes) < found[1] < found[0] - 1


def test_a_student_of_numbers_never_asks_for_labels():
    """Shuffled labels change nothing, so they may as well be missing."""
    clothes = tilted(data.load(), 512)
    torch.manual_seed(0)
    teacher = taught_to_tilt(zoo.build("LeNet-5", classes=1), clothes, replace(RECIPE, epochs=1))
    wrong = replace(clothes, train=Split(clothes.train.images, clothes.train.labels.flip(0)))
    students = []
    for pictures in (clothes, wrong):
        torch.manual_seed(1)
        *_, (_, student) = LogitRegression().prepare(teacher, pictures).train(1 / 8, pictures, loss=square_error)
        students.append(student.state_dict())
    assert all(torch.equal(numbers, students[1][name]) for name, numbers in students[0].items())
