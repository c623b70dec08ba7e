"""What a student is asked for: the teacher's soft targets, its logits, or both parts of its answer apart.

Student logits z and teacher logits v are (n, classes); every loss is a mean over pictures, in nats but for the logits'.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Return the soft targets p_i = exp(v_i / T) / sum_j exp(v_j / T), shape (n, classes).

    The higher T, the more is seen of the wrong classes. Raises ValueError for a temperature that is not above 0
    (Hinton 2015).

    >>> [round(share, 2) for share in soften(torch.tensor([[0.0, 4.0]]), 4.0)[0].tolist()]
    [0.27, 0.73]
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, but must be above 0: 1 leaves the answers as they are")
    return (logits / temperature).softmax(1)


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(p || q), p and q the soft targets of teacher and student.

    The gradient for z_i is T (q_i - p_i) / n. Without T^2 it would be T^2 times smaller, and mixed with another loss
    hardly count. For T to infinity it tends to that of `logit_loss` on centred logits, divided by the number of classes
    (Hinton 2015).

    >>> z = torch.tensor([[1.0, 2.0]])
    >>> soft_loss(z, z, 4.0).item()
    0.0
    """
    log_p, log_q = ((logits / temperature).log_softmax(1) for logits in (teacher, student))
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def logit_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Return 1/2 ||z - v||^2: regression on the logits, before a softmax hides what they say (Ba 2014).

    >>> logit_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]])).item()
    2.5
    """
    return (student - teacher).square().sum(1).mean() / 2


def decoupled(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return the two parts of the soft loss for each picture, (n,) each: on the right class, and among the others.

        KL(p || q) = TCKD + (1 - p_t) NCKD,   TCKD = KL between (p_t, 1 - p_t) and (q_t, 1 - q_t),
                                              NCKD = KL between p and q over the classes other than t, each renormalised

    So where the teacher is sure, 1 - p_t nearly switches off what it knows about the other classes (Zhao 2022).

    >>> z = torch.tensor([[1.0, 2.0, 0.0]])
    >>> [part.item() for part in decoupled(z, z, torch.tensor([1]), 4.0)]
    [0.0, 0.0]
    """
    right = F.one_hot(labels, student.shape[1]).bool()
    log_p, log_q = ((logits / temperature).log_softmax(1) for logits in (teacher, student))
    target = [torch.stack((log[right], _log_others(log, right)), 1) for log in (log_p, log_q)]
    others = [logits[~right].view(len(labels), -1).div(temperature).log_softmax(1) for logits in (teacher, student)]
    return tuple((one.exp() * (one - two)).sum(1) for one, two in (target, others))


def _log_others(log: Tensor, right: Tensor) -> Tensor:
    """Return the logarithm of the share of all wrong classes, (n,)."""
    return log.masked_fill(right, -torch.inf).logsumexp(1)
