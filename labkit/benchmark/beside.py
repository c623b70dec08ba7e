"""The papers' numbers on quantization beside ours: the same experiment, as far as two processor cores allow."""

from __future__ import annotations

from collections.abc import Sequence

from labkit import layers, storage, zoo
from labkit.benchmark import published, results
from labkit.benchmark.cells import NOT_STATED, error
from labkit.benchmark.report import NOTHING, TEST, half_interval
from labkit.measure import Accuracy
from labkit.table import Cell, Table

VERSIONS = ("arXiv v1", "ICLR")
STAGES = ("prune+quantize", "prune+quantize+huffman")
TABLES = {"LeNet-300-100": "2", "LeNet-5": "3"}
# For each row of the loss-aware paper, the point of data/sweeps/loss_aware.toml that repeats it: method, binary layers.
LOSS_AWARE = {
    "full precision": ("quantization.BinaryScaled", 0),
    "BinaryConnect": ("quantization.BinaryConnect", 4),
    "BWN": ("quantization.BinaryScaled", 4),
    "LAB": ("quantization.LossAware", 4),
}


def loss_aware() -> Table:
    """Set the weight-only rows of the loss-aware paper (Hou 2017, table 1) beside ours, as test errors on MNIST."""
    ours = {
        (found.method, mark.value): mark
        for found in results.curves("MLP-3x512", "MNIST", split="test")
        for mark in found.marks
    }
    rows = []
    for method, key in LOSS_AWARE.items():
        stated = {row.version: row for row in published.rows(paper="hou2017", method=method)}
        versions = [(stated[version].shown(), "") if version in stated else NOT_STATED for version in VERSIONS]
        rows.append(((method, ""), *versions, error(ours[key]) if key in ours else NOTHING))
    note = (
        "Theirs: 3 x 2048 neurons, 50 epochs. Ours: 3 x 512 neurons, 15 epochs, a cosine schedule. In brackets the "
        f"range of the seeds; {TEST:,} pictures alone leave {half_interval(0.985):.2f} points of doubt. "
        "[S]: read in the paper; [M-M]: recalled, not checked."
    )
    columns = ("weights", *(f"published, {version}" for version in VERSIONS), "ours")
    return Table("Test error on MNIST with binary weights: the loss-aware paper and ours", columns, rows, note)


def deep_compression(network: str = "LeNet-300-100") -> Table:
    """Set the size of each layer in Deep Compression (Han 2016, tables 2 and 3) beside ours, pruned as densely.

    Theirs counts codebooks and positions, ours all bytes of the layer's streams in the file, its biases too.
    """
    found = [entry for entry in results.read("deep_compression") if entry.result and entry.point.network == network]
    dense = storage.size(zoo.build(network)).parts
    rows = []
    for layer in layers.layers(layers.adopt(zoo.build(network))):
        stated = {row.stage: row for row in published.rows(paper="han2016", network=network, layer=layer)}
        shares = sorted(100 * entry.result["parts"][layer] / dense[layer] for entry in found)
        rows.append(((layer, ""), *(_share(stated.get(stage)) for stage in STAGES), _shares(shares)))
    totals = {
        row.stage: row for row in published.rows(paper="han2016", network=network, layer="", table=TABLES[network])
    }
    shares = sorted(100 * entry.result["bytes"] / sum(dense.values()) for entry in found)
    rows.append((("whole file", ""), *(_share(totals.get(stage)) for stage in STAGES), _shares(shares)))
    errors = [100 * (1 - Accuracy(*entry.result["accuracy"]["test"]).value) for entry in found]
    said = f"{min(errors):.2f} to {max(errors):.2f} %" if errors else "not run"
    note = (
        f"Percent of the layer's float32 bytes; ours is the range of {len(found)} seeds, test error {said}. "
        "The densities are the nearest of our slider's to the paper's."
    )
    columns = ("layer", "published, pruned and quantized", "published, with Huffman too", "ours, the file")
    return Table(f"Deep Compression of {network} on MNIST, layer by layer", columns, rows, note)


def _share(row: published.Published | None) -> Cell:
    return NOT_STATED if row is None else (row.shown("size_percent").replace(" of the size", ""), "")


def _shares(shares: Sequence[float]) -> Cell:
    if not shares:
        return NOTHING
    return f"{sum(shares) / len(shares):.2f} %", f"{min(shares):.2f} to {max(shares):.2f}"
