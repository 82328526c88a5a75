import shutil
import subprocess

import pytest

from enhance_cli import available_memory as module
from enhance_cli.available_memory import available_memory


@pytest.mark.skipif(not shutil.which("free"), reason="procps is not installed")
def test_the_memory_that_is_free_is_what_the_system_says():
    """As the program `free` does."""
    said = subprocess.run(["free", "-b"], capture_output=True, text=True, check=True).stdout
    assert 0 < available_memory() < 1.1 * int(said.splitlines()[1].split()[6])


def test_the_memory_of_a_container_counts(tmp_path, monkeypatch):
    files = [tmp_path / name for name in ("memory.max", "memory.current", "memory.stat")]
    monkeypatch.setattr(module, "_CONTROL_GROUPS", (files,))
    for path, content in zip(files, ("3000", "2000", "anon 500\ninactive_file 700\n"), strict=True):
        path.write_text(content)
    assert available_memory() == 1700
    files[0].write_text("max\n")
    assert available_memory() > 1700
