"""What the tests of files share."""

import time

import pytest
from hypothesis import settings

from labkit.storage import FileError, load, save
from tests.storage.attack import small_network

settings.register_profile("unhurried", deadline=None)  # a busy machine makes no code wrong
settings.load_profile("unhurried")

SECONDS = 10  # for one file: a hang, not a slow machine, is what this finds


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "model"
    save(small_network(), path)
    return path.read_bytes()


@pytest.fixture
def refused(tmp_path):
    """Load some bytes and demand a FileError of one sentence, soon."""

    def check(data):
        path = tmp_path / "hostile"
        path.write_bytes(data)
        start = time.process_time()
        with pytest.raises(FileError) as caught:
            load(path)
        message = str(caught.value)
        assert message.startswith(f"{path} cannot be loaded: ") and "\n" not in message and len(message) < 400
        assert time.process_time() - start < SECONDS
        return message

    return check


@pytest.fixture
def survived(tmp_path):
    """Load some bytes: a network or a FileError, nothing else, soon."""

    def check(data):
        path = tmp_path / "hostile"
        path.write_bytes(data)
        start = time.process_time()
        try:
            model = load(path)
        except FileError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            model = None
        assert time.process_time() - start < SECONDS
        return model

    return check
