"""The second view, the shipped lines and the published marks: what they say is what was measured and printed."""

from types import SimpleNamespace

import numpy as np
import pytest

from labkit import storage, zoo
from labkit.benchmark import results
from labkit.codes import code_table
from labkit.latency import Ratio
from labkit.live.result import Choice
from labkit.live.views import tiles
from labkit.live.views.codes import draw
from labkit.live.views.picture import picture
from labkit.live.views.shipped import shipped
from labkit.quantization import KMeans

TITLES = ("k-means codebook", "Uniform quantization")


def test_the_second_view_shows_code_lengths_and_says_where_there_are_none(panel):
    state = panel.look("code lengths").set(knob=3).wait().state
    shown = panel._stage.parts["picture"]
    assert (state["picture"], shown["kind"]) == ("codes", "codes")
    table = code_table(KMeans().prepare(zoo.load("LeNet-300-100")).at(3).fc1.weight)
    assert f"{table.average:.2f} bits on average, entropy {table.entropy:.2f}" in shown["title"]
    assert sorted(set(shown["marks"])) == sorted({int(bits) for bits in table.lengths if bits})
    assert panel.set(method="Truncated SVD").wait().state["picture"] == "none"
    assert "no codes here" in panel._stage.parts["picture"]["text"]
    assert panel.set(method="k-means codebook").look("what the method did").wait().state["picture"] == "histogram"
    with pytest.raises(ValueError, match="view 'nothing' is not here"):
        panel.look("nothing")


def test_many_codes_are_thinned_to_what_a_plot_needs():
    table = code_table(KMeans().prepare(zoo.load("LeNet-300-100")).at(8).fc1.weight)
    shown = picture(draw(table, "fc1"))
    assert 2 < len(shown["values"]) == len(shown["marks"]) <= 65
    assert shown["values"] == sorted(shown["values"]) and max(shown["values"]) == pytest.approx(
        max(table.counts) / sum(table.counts), rel=1e-3
    )


def test_a_shipped_line_is_what_the_sweep_found():
    choice = Choice("k-means codebook", "LeNet-300-100", "FashionMNIST")
    found = shipped(choice, TITLES, "validation", 1_000_000)
    untrained = next(line for line in found["lines"] if line["name"] == "k-means codebook")
    model = KMeans().prepare(zoo.load("LeNet-300-100")).at(4)
    assert storage.size(model).total in [size for size, _ in untrained["points"]]
    assert {line["method"] for line in found["lines"]} <= set(TITLES) and found["papers"] == []
    assert "k-means codebook: 8 points" in found["text"]
    split = shipped(choice, TITLES, "test", 1_000_000)
    assert split["lines"] != found["lines"]
    assert shipped(choice, (), "validation", 1)["lines"] == []


def test_published_marks_carry_their_trust_and_scale_to_our_original():
    found = shipped(Choice("x", "LeNet-5", "MNIST"), TITLES, "validation", 390_000)
    paper = next(mark for mark in found["papers"] if "Han" in mark["name"])
    assert "[S]" in paper["name"] and paper["point"] == [10_000, pytest.approx(100 - 0.74)]
    assert paper["name"] in found["text"]


def test_own_networks_and_the_training_split_have_no_lines():
    assert shipped(Choice("x", "your network", "MNIST"), TITLES, "validation", 1)["lines"] == []
    assert shipped(Choice("x", "LeNet-300-100", "FashionMNIST"), TITLES, "train", 1)["lines"] == []


def test_shipped_results_can_be_read_and_none_has_failed():
    names = sorted(file.stem for file in results.RESULTS.glob("*.jsonl"))
    assert {"quantization", "quantization_trained", "loss_aware", "deep_compression"} <= set(names)
    for name in names:
        entries = results.read(name)
        assert entries and [entry.error for entry in entries if entry.error] == []
        assert all(np.isfinite(entry.result["bytes"]) for entry in entries)


@pytest.mark.parametrize(
    ("macs", "times", "said"),
    [
        (50, Ratio(1.01, 0.97, 1.05, 1.0, 0.97, 1.03, 9), ("2.00× fewer, on paper", "no faster, measured")),
        (50, Ratio(1.5, 1.4, 1.6, 1.0, 0.97, 1.03, 9), ("2.00× fewer, on paper", "1.50× faster, measured")),
        (50, Ratio(0.5, 0.4, 0.6, 1.0, 0.97, 1.03, 9), ("2.00× fewer, on paper", "2.00× slower, measured")),
        (100, Ratio(1.01, 0.97, 1.05, 1.0, 0.97, 1.03, 9), ("as the original", "no real difference")),
    ],
)
def test_what_is_counted_on_paper_stands_beside_what_is_measured(macs, times, said):
    result = SimpleNamespace(macs=macs, seconds=0.001, faster=times)
    subject = SimpleNamespace(macs=100)
    assert (tiles.multiplications(subject, result)["note"], tiles.time(subject, result)["note"]) == said
