"""The exercises of notebook 04, each against its stub, its solution and plausible wrong answers."""

import pytest
import torch

from labkit.course import check


def stub(*arguments):
    raise NotImplementedError


RANKS = [
    (lambda out, inside, d: (out * inside * d - 1) // (out + inside), "right", "216"),
    (stub, "not attempted", ""),
    (lambda out, inside, d: out * inside * d // (out + inside), "not yet", "saves at least one"),  # may be as large
    (lambda out, inside, d: (out * inside - 1) // (out + inside), "not yet", "saves at least one"),  # no kernel
    (lambda out, inside, d: out * inside * d / (out + inside), "not yet", "whole number"),
    (lambda out, inside, d: min(out, inside), "not yet", "saves at least one"),
    (lambda out, inside, d: out.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), RANKS)
def test_break_even_rank(answer, kind, words):
    said = check("break-even rank", answer)
    assert said.kind == kind and words in said.message


def spatial(kernel, rank, axes=(1, 2, 0, 3), balanced=True):
    out, inside, rows, columns = kernel.shape
    matrix = kernel.permute(axes).reshape(inside * rows, out * columns)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    left, right = (s[:rank].sqrt(), s[:rank].sqrt()) if balanced else (s[:rank], torch.ones(rank))
    vertical = (u[:, :rank] * left).T.reshape(rank, inside, rows)
    return vertical, (right[:, None] * v[:rank]).reshape(rank, out, columns).movedim(0, 1)


FACTORS = [
    (spatial, "right", "one SVD"),
    (lambda kernel, rank: spatial(kernel, rank, balanced=False), "right", "one SVD"),  # shared out differently
    (stub, "not attempted", ""),
    (lambda kernel, rank: spatial(kernel, rank, axes=(0, 1, 2, 3)), "not yet", "can be reached"),  # axes not moved
    (lambda kernel, rank: spatial(kernel, rank)[::-1], "not yet", "vertical should be"),
    (lambda kernel, rank: (spatial(kernel, rank)[0], spatial(kernel, rank)[1] * 0.5), "not yet", "can be reached"),
    (lambda kernel, rank: kernel, "not yet", "two tensors"),
    (lambda kernel, rank: kernel.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), FACTORS)
def test_spatial_factors(answer, kind, words):
    said = check("spatial factors", answer)
    assert said.kind == kind and words in said.message


CUTS = [
    (lambda: (("fc1", 16), ("conv1", 6)), "right", "wrong place"),
    (stub, "not attempted", ""),
    (lambda: (("conv1", 6), ("fc1", 16)), "not yet", "first cut"),  # the other way round
    (lambda: (("fc1", 16), ("conv3", 45)), "not yet", "second cut"),  # a small error that harms little
    (lambda: (("fc1", 300), ("conv1", 6)), "not yet", "ranks 1 to 209"),
    (lambda: (("fc9", 3), ("conv1", 6)), "not yet", "fc9"),
    (lambda: "fc1", "not yet", "two cuts"),
    (lambda: {}["fc1"], "your code raised", "KeyError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), CUTS)
def test_error_and_accuracy_disagree(answer, kind, words):
    said = check("error and accuracy disagree", answer)
    assert said.kind == kind and words in said.message


def share(costs, losses, limit):
    ranks = {layer: max(choices) for layer, choices in costs.items()}
    while sum(costs[layer][rank] for layer, rank in ranks.items()) > limit:

        def price(step, ranks=ranks):
            layer, rank = step
            saved = costs[layer][ranks[layer]] - costs[layer][rank]
            return (losses[layer][rank] - losses[layer][ranks[layer]]) / saved

        layer, rank = min(((one, low) for one in costs for low in costs[one] if low < ranks[one]), key=price)
        ranks[layer] = rank
    return ranks


def same_part(costs, losses, limit):
    part = limit / sum(max(choices.values()) for choices in costs.values())
    return {
        layer: max((rank for rank in choices if choices[rank] <= part * max(choices.values())), default=min(choices))
        for layer, choices in costs.items()
    }


def everything(costs, losses, limit):
    return {layer: max(choices) for layer, choices in costs.items()}


SHARES = [
    (share, "right", "conv1"),
    (stub, "not attempted", ""),
    (same_part, "not yet", "can be reached"),  # equal ratio
    (everything, "not yet", "the limit is"),
    (lambda c, v, limit: {layer: min(ranks) for layer, ranks in c.items()}, "not yet", "can be reached"),
    (lambda c, v, limit: share(c, v, limit).values(), "not yet", "in a dict"),
    (lambda c, v, limit: dict.fromkeys(c, 99), "not yet", "gets the rank 99"),
    (lambda c, v, limit: c.nothing, "your code raised", "AttributeError"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), SHARES)
def test_share_out_the_ranks(answer, kind, words):
    said = check("share out the ranks", answer)
    assert said.kind == kind and words in said.message
