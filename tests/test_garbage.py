import gc

import pytest

from enhance_cli.garbage import garbage_left_alone


@pytest.fixture(autouse=True)
def as_before():
    before = gc.isenabled()
    yield
    (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was(enabled):
    (gc.enable if enabled else gc.disable)()
    with pytest.raises(ImportError), garbage_left_alone():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() is enabled
