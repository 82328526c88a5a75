from numba.core.caching import CacheImpl

from enhance_cli.imaging.jit import jit


def add(one, other):
    return one + other


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert jit()(add)(2, 3) == 5


def test_it_runs_beside_other_threads_and_divides_as_numpy_does():
    options = jit()(add).targetoptions
    assert options["nogil"] and options["error_model"] == "numpy"
