"""tensorly's backend is one for all threads unless care is taken."""

import threading

import pytest
import tensorly

from labkit.lowrank.backend import torch_backend


def test_another_thread_keeps_its_backend_during_the_block_and_after_it():
    seen = []
    inside, after = threading.Event(), threading.Event()

    def watch():
        for event in (inside, after):
            assert event.wait(10)
            seen.append(tensorly.get_backend())
            noted.release()

    noted = threading.Semaphore(0)
    thread = threading.Thread(target=watch)
    thread.start()
    with torch_backend():
        inside.set()
        assert noted.acquire(timeout=10)
    after.set()
    thread.join(10)
    assert seen == ["numpy", "numpy"]


def test_the_backend_comes_back_when_the_block_fails():
    with pytest.raises(KeyError), torch_backend():
        raise KeyError
    assert tensorly.get_backend() == "numpy"
