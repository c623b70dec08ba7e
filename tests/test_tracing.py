"""The graph of a network is found in one thread while another thread, a cell or a panel, runs networks."""

import threading

import torch
from torch import nn

from labkit.folding import fold
from labkit.layers import adopt


class Meanwhile(nn.Module):
    """A network during whose forward pass, and so during its tracing, a second thread does something."""

    def __init__(self, other):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.other = other

    def forward(self, x):
        thread = threading.Thread(target=self.other)
        thread.start()
        thread.join(timeout=20)
        return self.fc(x)


def test_a_network_runs_while_another_is_traced():
    network, x, results = adopt(nn.Sequential(nn.Linear(3, 2), nn.ReLU())), torch.ones(1, 3), []
    expected = network(x)
    fold(Meanwhile(lambda: results.append(network(x))))
    assert len(results) == 1 and torch.equal(results[0], expected)


def test_many_traces_at_once_leave_torch_as_it_was():
    before = nn.Module.__call__, nn.Module.__getattr__
    networks = [nn.Sequential(nn.Linear(3, 2), nn.ReLU()) for _ in range(8)]
    threads = [threading.Thread(target=fold, args=(network,)) for network in networks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (nn.Module.__call__, nn.Module.__getattr__) == before
