"""A table says the same as text and as HTML, and nothing in it is taken for markup."""

from labkit.table import Table

ROW = (("a & b", ""), ("10", "9 to 11"), ("2 %", ""))
TABLE = Table("Sizes <b>", ("network", "bytes", "error"), (ROW,), "Read it so.", ((1,), (2,)))


def test_html_escapes_and_names_its_rows_and_columns():
    html = TABLE._repr_html_()
    assert "<b>" not in html and "a &amp; b" in html and "Sizes &lt;b&gt;" in html
    assert html.count('scope="col"') == 3 and html.count('scope="row"') == 1 and "<caption" in html
    assert "9 to 11" in html and "Read it so." in html


def test_text_repeats_the_names_in_each_block():
    text = repr(TABLE)
    assert text.count("a & b") == 2 and "10 (9 to 11)" in text and text.endswith("Read it so.")
    assert max(map(len, text.splitlines())) < 40
