"""The comparison states what was measured, and shows it as a table with proper headings."""

import dataclasses
import sys
import time
from html.parser import HTMLParser

import pytest
import torch

import labkit
from labkit import zoo
from labkit.latency import Latency, Ratio
from labkit.measure import Accuracy, accuracy
from labkit.quantization import KMeans
from labkit.runtime import Comparison, Row, Session, compare, export
from labkit.runtime.compare import INT8, ONNX, PYTORCH, SIMULATED
from tests.networks import SHAPE, fashion

module = sys.modules[compare.__module__]  # the package's `compare` is the function


@pytest.fixture(scope="module")
def found() -> Comparison:
    model = zoo.load("LeNet-300-100")
    return compare(model, fashion(), simulated=KMeans().prepare(model).at(8), rounds=3)


def test_four_rows_with_true_bytes_and_accuracies(found, tmp_path):
    model = zoo.load("LeNet-300-100")
    assert [row.name for row in found.rows] == [PYTORCH, SIMULATED, ONNX, INT8]
    assert found.row(PYTORCH).bytes == labkit.size(model).total
    assert found.row(SIMULATED).bytes == labkit.size(KMeans().prepare(model).at(8)).total
    assert found.row(ONNX).bytes == export(model, SHAPE, tmp_path / "net.onnx")
    assert 3.5 < found.row(ONNX).bytes / found.row(INT8).bytes < 4
    assert found.row(PYTORCH).accuracy == accuracy(model, fashion())
    for row in found.rows:
        assert row.accuracy.images == 600
        assert abs(row.accuracy.value - found.row(PYTORCH).accuracy.value) < 0.02
    with pytest.raises(ValueError, match="choose one of PyTorch, float32; "):
        found.row("TensorRT")


def test_both_batches_are_timed_against_both_baselines(found):
    for row in found.rows:
        for batch in (1, 256):
            passed = row.latency[batch]
            assert 0 < passed.q1 <= passed.median <= passed.q3
            assert (passed.batch, passed.repeats) == (batch, 3)
            assert passed.threads == found.rows[0].latency[batch].threads
            for ratio in (row.against_pytorch[batch], row.against_onnx[batch]):
                assert ratio.low <= ratio.value <= ratio.high and ratio.rounds == 3
    for batch in (1, 256):
        controls = [found.row(PYTORCH).against_pytorch[batch], found.row(ONNX).against_onnx[batch]]
        assert all(ratio.value == ratio.control and not ratio.real for ratio in controls)
        for row in found.rows:  # all rows share the one control of each baseline
            assert row.against_pytorch[batch].control == controls[0].control
            assert row.against_onnx[batch].control == controls[1].control


def test_without_a_simulation_there_are_three_rows_and_nothing_is_left(scratch, capfd):
    model = zoo.load("LeNet-300-100")
    found = compare(model, fashion(), split="test", batches=(2,), rounds=3)
    assert [row.name for row in found.rows] == [PYTORCH, ONNX, INT8]
    assert found.split == "test" and list(found.rows[0].latency) == [2]
    assert list(scratch.iterdir()) == [] and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("faster", [1, 2])
def test_both_runtimes_get_the_threads_that_pay_and_pytorch_keeps_its_own(faster, monkeypatch):
    asked, before, real = [], torch.get_num_threads(), module.forward

    def slowed(*arguments):
        run = real(*arguments)
        return lambda: (run(), time.sleep(0.0 if torch.get_num_threads() == faster else 0.02))

    def noted(session: Session, batch: int):
        asked.append(session.threads)
        return work(session, batch)

    work = Session.work
    monkeypatch.setattr(module, "forward", slowed)
    monkeypatch.setattr(Session, "work", noted)
    torch.set_num_threads(2)
    try:
        found = compare(zoo.load("LeNet-300-100"), fashion(), batches=(1,), rounds=3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert asked == [faster, faster] and found.rows[0].latency[1].threads == faster
    assert f"threads in both: {faster} for a batch of 1" in repr(found)


def test_fewer_training_pictures_than_are_asked_for_are_enough():
    data = dataclasses.replace(fashion(), train=fashion().train.take(slice(0, 10)))
    assert compare(zoo.load("LeNet-300-100"), data, batches=(1,), rounds=3).rows


def test_mistakes_are_named():
    model = zoo.load("LeNet-300-100")
    with pytest.raises(ValueError, match=r"batches are \(0,\) and rounds 15, but must be at least 1, and 3"):
        compare(model, fashion(), batches=(0,))
    with pytest.raises(ValueError, match="rounds 2, but must be"):
        compare(model, fashion(), rounds=2)
    with pytest.raises(ValueError, match="choose train, validation or test"):
        compare(model, fashion(), "holdout")


class Table(HTMLParser):
    """Collects tags and texts."""

    def __init__(self, content: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "tr" in self.open:
            self.rows[-1][-1] += data + " "


def test_the_table_has_a_caption_and_headings_for_rows_and_columns(found):
    table = Table(found._repr_html_())
    assert table.open == [] and [tag for tag, _ in table.tags].count("caption") == 1
    scopes = [attributes.get("scope") for tag, attributes in table.tags if tag == "th"]
    assert scopes == ["col"] * 9 + ["row"] * 4
    assert [len(row) for row in table.rows] == [9] * 5 and len(set(table.rows[0])) == 9
    assert not {"script", "style", "link", "img"} & {tag for tag, _ in table.tags}


def made(name: str, value: float, control: float) -> Row:
    ratio = Ratio(value, 0.9 * value, 1.1 * value, control, 0.9 * control, 1.1 * control, 9)
    return Row(name, 12345, Accuracy(9, 10), {1: Latency(0.002, 0.001, 0.003, 1, 9, 2, "cpu")}, {1: ratio}, {1: ratio})


def test_text_and_html_say_the_same():
    rows = (made("<base>", 1, 1), made("fast", 4, 1), made("same", 1.05, 1))
    found = Comparison(rows, "Pictures", "test", {"PyTorch": "1", "ONNX Runtime": "2"})
    text, table = repr(found), Table(found._repr_html_())
    for words in ("12,345 bytes", "90.00 %", "2 ms", "1 to 3", "× 4.00", "3.60 to 4.40", "Pictures, test pictures"):
        assert words in text and words in found._repr_html_()
    first, fast, same = table.rows[1:]
    assert first[0].strip() == "<base>" and "control" in first[4] and "real" not in fast[4] and "not real" in same[4]
    assert all(len(line) <= 120 for line in text.splitlines())
