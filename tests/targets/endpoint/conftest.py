from collections.abc import Iterator

import pytest

from . import fault_server


@pytest.fixture
def server() -> Iterator[fault_server.Server]:
    with fault_server.running() as running:
        yield running
