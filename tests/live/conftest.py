"""One panel for many tests, since opening a network takes seconds."""

import pytest

from labkit.live import explore


@pytest.fixture(scope="module")
def shared():
    panel = explore("LeNet-300-100").wait()
    yield panel
    panel.close()


@pytest.fixture
def panel(shared):
    shared.set(method="k-means codebook", where="whole network").wait().press("reset").wait()
    return shared
