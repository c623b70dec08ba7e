"""Published against ours: the verdict by probability, the pairs by what they say of themselves, and a run again."""

import numpy as np
import pytest

from labkit.benchmark import again, compared, results
from labkit.benchmark.compared import BETTER, NOISE, NOT, WORSE, noise, pairs, verdict


@pytest.mark.parametrize("error", [0.8, 1.6, 30.0])
def test_equal_networks_differ_within_noise_in_19_of_20_tests(error):
    """The verdict on 4,000 pairs of tests of networks that are equally good, each on 10,000 pictures of its own."""
    drawn = 100 * np.random.default_rng(0).binomial(10_000, error / 100, (4_000, 2)) / 10_000
    share = np.mean([verdict(a - b, noise(a, 10_000, b, 10_000)) == NOISE for a, b in drawn])
    assert abs(share - 0.95) < 4 * (0.95 * 0.05 / 4_000) ** 0.5 + 0.005  # errors are whole pictures


def test_the_verdict_has_a_side():
    assert [verdict(x, 0.3) for x in (-1, -0.3, 0, 0.3, 1)] == [BETTER, NOISE, NOISE, NOISE, WORSE]


def test_every_pair_says_what_it_is():
    found = pairs()
    assert {pair.notebook for pair in found} == {"01", "02", "03", "04", "05", "06"}
    assert {pair.verdict for pair in found} == {BETTER, NOISE, WORSE, NOT}
    for pair in found:
        point = pair.ours[0].point
        assert point.seed == 0 and len({entry.point.seed for entry in pair.ours}) == len(pair.ours)
        same = pair.theirs.data == point.data and pair.theirs.network.replace("MLP-2x", "MLP-2x") == point.network
        assert same or pair.why, f"{pair.theirs} and {point} differ, but are compared"


def test_the_table_has_a_row_for_each_pair_with_its_mark_and_key():
    table, found = compared.compared(), pairs()
    assert len(table.rows) == len(found)
    for row, pair in zip(table.rows, found, strict=True):
        assert f"[{pair.theirs.trust}]" in row[1][0] and row[5][0] == pair.verdict
        assert again.find(row[6][0]).point == pair.ours[0].point


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[pairs]]\nnotebook = "01"\ntheirs = { paper = "hou2017" }\nours = "c953218540f116f9"', "picks"),
        ('[[pairs]]\nnotebook = "01"\ntheirs = { paper = "wang2018" }\nours = "0"', "key of no point"),
        ('[[pairs]]\nnotebook = "01"\nours = "0"', "lacks theirs"),
        ("[[pairs]", "compared.toml"),
    ],
)
def test_mistakes_in_the_file(tmp_path, text, words):
    file = tmp_path / "compared.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        pairs(file)


def test_a_point_runs_again_as_it_was():
    keys = [e.point.key for e in results.every() if e.point.method == "quantization.KMeans" and not e.point.train][:3]
    for key in keys:
        table = again.again(key)
        assert all(row[1] == row[2] for row in table.rows[:3])


def test_keys_that_are_none(capsys):
    assert again.main(["nothing"]) == 1
    assert "0 points have a key that begins with 'nothing'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="points have a key"):
        again.find("")
