from numba.core.caching import CacheImpl

from enhance_cli.imaging.jit import jit


def add(a, b):
    return a + b


def test_it_compiles_even_if_no_folder_can_hold_a_cache(monkeypatch):
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert jit()(add)(2, 3) == 5


def test_it_releases_the_gil_and_divides_as_numpy_does():
    options = jit()(add).targetoptions
    assert options["nogil"] and options["error_model"] == "numpy"
