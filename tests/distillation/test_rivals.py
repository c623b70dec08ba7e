"""The controls say less than a teacher, and exactly as said: the same entropy, the same numbers, no teacher at all."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from labkit import zoo
from labkit.distillation import LabelsAlone, ShuffledTeacher, SmoothedLabels, SoftTargets
from labkit.distillation.losses import soft_loss, soften
from labkit.distillation.rivals import shuffled, smoothed
from labkit.train import Trainer
from tests.pictures import few


@given(st.integers(0, 10_000), st.integers(2, 12), st.floats(0.1, 20))
def test_smoothed_labels_are_as_unsure_as_the_teacher(seed, classes, heat):
    random = torch.Generator().manual_seed(seed)
    targets = soften(5 * torch.randn(6, classes, generator=random), heat)
    labels = torch.randint(classes, (6,), generator=random)
    found = smoothed(targets, labels)
    assert torch.allclose(found.sum(1), torch.ones(6), atol=1e-5) and bool((found > 0).all())
    entropy = [torch.special.entr(one).sum(1) for one in (found, targets)]
    assert torch.allclose(*entropy, atol=1e-3)
    right = F.one_hot(labels, classes).bool()
    assert torch.equal(found.argmax(1), labels) or bool((found[right] >= found.amax(1) - 1e-3).all())
    others = found[~right].view(6, -1)
    assert torch.allclose(others, others[:, :1].expand_as(others))


@given(st.integers(0, 10_000), st.integers(3, 12))
def test_a_shuffled_teacher_says_the_same_numbers_of_other_classes(seed, classes):
    random = torch.Generator().manual_seed(seed)
    logits, labels = torch.randn(5, classes, generator=random), torch.randint(classes, (5,), generator=random)
    found = shuffled(logits, labels)
    assert torch.equal(found.sort(1).values, logits.sort(1).values)
    right = F.one_hot(labels, classes).bool()
    assert torch.equal(found[right], logits[right]) and not bool((found == logits)[~right].any())


def test_their_losses_are_those_of_soft_targets_with_what_they_say():
    z, v, labels = torch.randn(4, 10), 3 * torch.randn(4, 10), torch.arange(4)
    hard = F.cross_entropy(z, labels)
    told = SmoothedLabels(3, 0.7).taught(z, v, labels, hard, ([], []))
    p, q = smoothed(soften(v, 3), labels), soften(z, 3)
    assert torch.allclose(told, 0.3 * hard + 0.7 * 9 * (p * (p / q).log()).sum(1).mean(), atol=1e-5)
    told = ShuffledTeacher(3, 0.7).taught(z, v, labels, hard, ([], []))
    assert torch.allclose(told, 0.3 * hard + 0.7 * soft_loss(z, shuffled(v, labels), 3))


@pytest.mark.parametrize("width", [0.25, 1.0])
def test_the_plain_student_is_drawn_as_the_taught_one_and_trained_by_the_plain_loop(width):
    data, teacher = few(512, 100), zoo.load("LeNet-300-100")
    torch.manual_seed(0)
    curve = LabelsAlone().prepare(teacher, data)
    torch.manual_seed(0)
    taught = SoftTargets().prepare(teacher, data)
    expected = curve.at(width)
    assert all(torch.equal(one, taught.at(width).state_dict()[name]) for name, one in expected.state_dict().items())
    *_, (_, student) = curve.train(width, data)
    list(Trainer(expected, data, LabelsAlone.recipe).run())
    assert all(torch.equal(one, student.state_dict()[name]) for name, one in expected.state_dict().items())
