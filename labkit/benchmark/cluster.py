"""The machines that a sweep runs on: this one, or those behind a Dask scheduler."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labkit import memory

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

CONNECT_S = 20
JOIN_S = 60
# Dask's workers return every small piece of freed memory to the system, and training would fault it in again: 200,000
# page faults a second, a third of the time. They keep as much as `labkit.memory` does.
ENVIRONMENT = {
    f"distributed.nanny.pre-spawn-environ.{name}": value
    for name, value in {"MALLOC_TRIM_THRESHOLD_": memory.KEPT, "MALLOC_MMAP_THRESHOLD_": memory.LARGEST}.items()
}
# Ctrl-C reaches every process of a terminal; only the one with the bar is to act on it.
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"


@contextlib.contextmanager
def connect(workers: int, scheduler: str | None) -> Iterator[Client]:
    """Connect to a scheduler, or to a cluster of this machine's own that is gone without a trace afterwards."""
    import dask
    from distributed import Client

    if scheduler is not None:
        with _connected(scheduler) as client:
            yield client
        return
    with (
        tempfile.TemporaryDirectory() as scratch,
        dask.config.set({"temporary-directory": scratch} | ENVIRONMENT),
        _cluster(workers) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _cluster(workers: int) -> LocalCluster:
    """Start processes that listen on 127.0.0.1 only, on ports that are free."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        # Dask opens its small web server even without a dashboard, and on a fixed port unless it is told otherwise.
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        memory_limit=0,  # at a limit Dask would pause a worker for ever: it waits for memory that no other point frees
        preload=[DEAF],
        silence_logs=logging.CRITICAL,
    )


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    """Connect to a scheduler that has at least one worker."""
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(f"no scheduler answers at {scheduler}: start one with `dask scheduler`") from error
    with _quiet("distributed.client"), client:
        try:
            client.wait_for_workers(1, timeout=JOIN_S)
        except TimeoutError as error:
            raise ConnectionError(
                f"no worker has joined {scheduler} in {JOIN_S} s: start one with `dask worker {scheduler} --nthreads 1`"
            ) from error
        yield client


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep Dask from printing tracebacks of what an exception says as well."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
