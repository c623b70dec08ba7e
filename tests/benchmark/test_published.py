"""The papers' numbers are whole, each with a listed paper and a mark, and as the papers state them."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from labkit import references, zoo
from labkit.benchmark import published
from labkit.benchmark.published import FILE, Published, on, read, rows

LAYERS = {"LeNet-300-100": ["fc1", "fc2", "fc3"], "LeNet-5": ["conv1", "conv2", "fc1", "fc2"]}


def test_every_row_has_a_listed_paper_and_a_mark():
    found = read()
    assert len(found) > 50
    assert {row.paper for row in found} <= set(references.bibliography())
    assert all(row.shown().endswith(f" [{row.trust}]") and f"[{row.trust}]" in row.cited for row in found)


def test_no_row_is_there_twice():
    told = [(r.paper, r.method, r.network, r.data, r.version, r.protocol, r.layer, r.stage, r.table) for r in read()]
    assert [row for row, count in Counter(told).items() if count > 1] == []


@pytest.mark.parametrize(("network", "table"), [("LeNet-300-100", "2"), ("LeNet-5", "3")])
def test_deep_compression_adds_up(network, table):
    """The sizes of the layers, weighted by their numbers of weights, give the size of the whole network."""
    for stage in ("prune+quantize", "prune+quantize+huffman"):
        parts = rows(paper="han2016", network=network, table=table, stage=stage)
        *layers, whole = parts
        assert [row.layer for row in layers] == LAYERS[network] and whole.layer == ""
        size = sum(row.weights * row.size_percent for row in layers) / sum(row.weights for row in layers)
        if "2.73 %" in whole.note:  # the one total of the paper that its layers do not give
            assert size == pytest.approx(2.73, abs=0.005) and whole.size_percent == 2.55
        else:
            assert size == pytest.approx(whole.size_percent, rel=0.05)
        assert 100 / whole.size_percent == pytest.approx(whole.ratio, rel=0.02)
        kept = sum(row.weights * row.kept_percent for row in layers) / sum(row.weights for row in layers)
        assert kept == pytest.approx(whole.kept_percent, abs=1)
        for row in layers:
            codes_and_gaps = row.kept_percent * (row.weight_bits + row.index_bits) / 32
            assert codes_and_gaps < row.size_percent, "and besides a codebook and a bias"
    # Its layers have as many weights as ours.
    model = zoo.load(network, "MNIST")
    for row in layers:
        assert model.get_submodule(row.layer).weight.shape.numel() == pytest.approx(row.weights, rel=0.07)


def test_deep_compression_as_a_whole():
    for network, before, after in [("LeNet-300-100", 1.64, 1.58), ("LeNet-5", 0.80, 0.74)]:
        (row,) = rows(paper="han2016", table="1", network=network)
        assert (row.baseline_percent, row.error_percent, row.trust) == (before, after, "S")
        assert row.baseline_bytes / row.bytes == pytest.approx(row.ratio, rel=0.02)
        assert row.baseline_bytes == pytest.approx(4 * zoo.parameters(zoo.build(network)), rel=0.01)
        assert row in on(network, "MNIST")


def kept(paper, network):
    """The percents kept in each layer, and of the whole network by the layers' numbers of weights."""
    found = {row.layer: row.kept_percent for row in rows(paper=paper, network=network) if row.layer}
    sizes = {name: zoo.load(network, "MNIST").get_submodule(name).weight.shape.numel() for name in found}
    return found, sum(found[name] * sizes[name] for name in found) / sum(sizes.values())


def test_prune_and_retrain_keeps_what_deep_compression_starts_from():
    for network in LAYERS:
        stated = {row.layer: row.kept_percent for row in rows(paper="han2016", network=network) if row.layer}
        found, whole = kept("han2015", network)
        assert found == stated and list(found) == LAYERS[network]
        assert 100 / whole == pytest.approx(12, abs=0.5)


@pytest.mark.parametrize(
    ("paper", "network", "times"),
    [
        ("guo2016", "LeNet-300-100", 56),
        ("guo2016", "LeNet-5", 108),
        ("molchanov2017", "LeNet-300-100", 68),
        ("molchanov2017", "LeNet-5", 280),
    ],
)
def test_the_layers_give_the_factor_that_the_paper_states(paper, network, times):
    """Their factors are those of the density, and so not of a size: they stand in the note, not under ratio."""
    _, whole = kept(paper, network)
    assert 100 / whole == pytest.approx(times, rel=0.2)
    (stated,) = rows(paper=paper, network=network, layer="")
    assert f"{times} times fewer weights" in stated.note and stated.ratio is None


def test_the_panel_shows_only_what_was_published_as_a_size():
    marks = {network: sorted(row.cited for row in on(network, "MNIST")) for network in LAYERS}
    assert marks == {
        "LeNet-300-100": ["Deep Compression (Han 2016) [S]", "Soft weight-sharing (Ullrich 2017) [S]"],
        "LeNet-5": [
            "Bayesian compression, BC-GHS (Louizos 2017) [S]",
            "Bayesian compression, BC-GNJ (Louizos 2017) [S]",
            "Deep Compression (Han 2016) [S]",
            "Soft weight-sharing (Ullrich 2017) [S]",
            "Tucker (Wang 2018) [S]",
        ],
    }


def test_hashing_is_set_against_its_rivals_at_two_rates():
    for ratio, order in [(8, "HashNet DK, HashNet, NN, DK, LRD, RER"), (64, "HashNet DK, HashNet, NN, DK, RER, LRD")]:
        found = [row for row in rows(paper="chen2015", network="MLP-1000") if row.ratio == ratio]
        assert {row.trust for row in found} == {"M-M"}
        assert [row.method.split(" (")[0] for row in sorted(found, key=lambda row: row.error_percent)] == order.split(
            ", "
        )


def test_the_surveys_table_says_other_than_the_text_below_it():
    """The text calls the spatial scheme slightly faster and CP slightly smaller; the table has CP ahead in both."""
    found = {(row.network, row.method): row for row in rows(paper="cheng2018", table="II")}
    assert {row.protocol for row in found.values()} == {"top-5"} and len(found) == 6
    for network in ("AlexNet", "VGG-16", "GoogLeNet"):
        spatial, cp = found[network, "BN low-rank"], found[network, "CP low-rank"]
        assert spatial.baseline_percent == cp.baseline_percent
        assert cp.speedup > spatial.speedup > 1 and cp.ratio > spatial.ratio
        assert spatial.error_percent < cp.error_percent, "the spatial scheme is the more accurate"
    assert found["VGG-16", "CP low-rank"].shown("speedup") == "2.05 times the speed [S]"
    assert 100 - found["AlexNet", "BN low-rank"].error_percent == pytest.approx(80.56)


def test_the_two_versions_of_the_loss_aware_table_are_told_apart():
    checked, recalled = (rows(paper="hou2017", version=version) for version in ("arXiv v1", "ICLR"))
    assert [row.method for row in checked] == [row.method for row in recalled]
    assert {row.trust for row in checked} == {"S"} and {row.trust for row in recalled} == {"M-M"}
    (lab,) = (row for row in checked if row.method == "LAB")
    assert lab.shown() == "1.17 % [S]" and lab.shown("baseline_percent") == "1.19 % [S]"
    changed = {a.method for a, b in zip(checked, recalled, strict=True) if a.error_percent != b.error_percent}
    assert changed == {"BWN", "LAB", "XNOR"}


def test_binaryconnect_shows_its_spread():
    (row,) = rows(paper="courbariaux2015", method="BinaryConnect, deterministic")
    assert row.shown() == "1.29 ± 0.08 % [S]"


def test_numbers_read_as_people_write_them():
    row = Published("han2016", "x", "y", "z", "M-L", ratio=40, bytes=27_000, kept_percent=8)
    assert row.shown() == "40× [M-L]"
    assert row.shown("bytes") == "27,000 bytes [M-L]" and row.shown("kept_percent") == "8 % of the weights [M-L]"
    with pytest.raises(ValueError, match="states no 'error_percent': it states ratio, kept_percent, bytes"):
        row.shown("error_percent")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("trust", "sure", "trust is 'sure', but must be one of S, S2, M-H, M-M, M-L"),
        ("trust", "", "trust is ''"),
        ("paper", "nobody1999", "reference 'nobody1999' is not in references.bib"),
        ("error_percent", "about 1", "could not convert"),
        ("error_percent", "-1", "error_percent is -1.0, but must be a number from 0 on"),
        ("ratio", "nan", "ratio is nan"),
        ("method", "", "method, network and data must be given"),
    ],
)
def test_a_mistake_is_named_with_its_line(column, value, said, tmp_path):
    with open(FILE, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        found, columns = list(reader), reader.fieldnames
    found[1][column] = value
    file = tmp_path / "published.csv"
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    with pytest.raises(ValueError, match="published.csv, line 3: ") as caught:
        read(file)
    assert said in str(caught.value)


def test_a_file_of_another_shape_is_refused(tmp_path):
    file = tmp_path / "published.csv"
    header, first = FILE.read_text(encoding="utf-8").splitlines()[:2]
    wrong = {"a,b\n1,2\n": "columns", f"{header}\n{first},more\n": "line 2: it has more or fewer", "": "line 0"}
    for text, said in wrong.items():
        file.write_text(text)
        published._read.cache_clear()  # two writes may have one time
        with pytest.raises(ValueError, match=said):
            read(file)


def test_a_column_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no column 'papers'"):
        rows(papers="han2016")
