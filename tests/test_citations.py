"""Citations and the list at a notebook's end."""

import pytest

from labkit import references

BIB = r"""
@inproceedings{han2015,
  author = {Han, Song and Pool, Jeff and Tran, John and Dally, William J.},
  title = {Learning both Weights and Connections},
  booktitle = {Advances in {Neural} Information
    Processing Systems},
  year = {2015},
  eprint = {1506.02626},
}

@article{cheng2018,
  author = {Yu Cheng and Duo Wang and Pan Zhou and Tao Zhang and Somebody Else},
  title = "{Model} Compression",
  journal = {IEEE SPM},
  pages = {126--136},
  doi = {10.1109/x},
  year = 2018
}

@misc{broken,
  title = {No author},
  year = {2000}
}
"""


@pytest.fixture(autouse=True)
def bib(tmp_path, monkeypatch):
    path = tmp_path / "references.bib"
    path.write_text(BIB)
    entries = references.bibliography(path)
    monkeypatch.setattr(references, "bibliography", lambda: entries)


def test_citations_become_names_and_the_list_links():
    text = references.fill("See [@han2015] and [@cheng2018].\n\n{references}", ["han2015", "cheng2018"])
    assert text.startswith(
        "See (Han 2015) and (Cheng 2018).\n\n- Song Han, Jeff Pool, John Tran, William J. Dally: [Learn"
    )
    assert "](https://arxiv.org/abs/1506.02626). Advances in Neural Information Processing Systems, 2015." in text
    assert "Yu Cheng, Duo Wang, Pan Zhou, Tao Zhang and others: [Model Compression](https://doi.org/10.1109/x)" in text


def test_text_without_citations_stays():
    assert references.fill("An e-mail@x and [a](b) and {x}.", []) == "An e-mail@x and [a](b) and {x}."


@pytest.mark.parametrize(("key", "message"), [("nobody1900", "cite one of han2015"), ("broken", "no author")])
def test_a_reference_that_is_not_there_is_named(key, message):
    with pytest.raises(ValueError, match=message):
        references.fill(f"[@{key}]", [])
