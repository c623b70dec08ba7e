"""What the tests of the tables share."""

import pytest

from labkit.benchmark import results


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write results into a folder of their own, which is empty at first."""
    read = results.read
    monkeypatch.setattr(results, "read", lambda name: read(name, tmp_path))
    return lambda sweep, *entries: [results.append(sweep, one, tmp_path) for one in entries]
