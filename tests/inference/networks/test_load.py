"""What loading the networks reports, whatever runs them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import enhance_cli
from enhance_cli.cli.main import app
from enhance_cli.errors import EnhanceError, WeightsError
from enhance_cli.inference import weights as weights_module
from enhance_cli.inference.device import choose_device
from enhance_cli.inference.networks.load import load_networks
from enhance_cli.inference.networks.onnx_runtime import RuntimeException, onnxruntime
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import find_weights


class TestLackOfMemory:
    """It is no damage of the weights, and no fault of enhance."""

    MESSAGE = r"enhance\.safetensors: too little memory"

    def test_onnx_runtime(self, monkeypatch):
        def session(*_args, **_options):
            raise RuntimeException("Exception during initialization: std::bad_alloc")

        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        with pytest.raises(WeightsError, match=self.MESSAGE):
            load_networks(find_weights(None), "cpu")

    @pytest.mark.parametrize("load", [lambda path: load_networks(path, "cpu"), load_weights])
    def test_reading(self, monkeypatch, load):
        def fail(*_):
            raise MemoryError

        monkeypatch.setattr(np, "fromfile", fail)
        with pytest.raises(WeightsError, match=self.MESSAGE):
            load(find_weights(None))

    def test_pytorch(self, monkeypatch):
        def fail(_config):
            raise RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4"
            )

        monkeypatch.setattr(weights_module, "Cascade", fail)
        with pytest.raises(WeightsError, match=self.MESSAGE):
            load_weights(find_weights(None), torch.device("cpu"))


def test_a_package_whose_path_is_not_utf_8(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        shutil.copytree(Path(enhance_cli.__file__).parent, folder / "enhance_cli")
    except OSError:
        pytest.skip("the file system takes no such names")
    code = (
        "import sys; from pathlib import Path; "
        "from enhance_cli.inference.networks.load import load_networks; "
        "print(load_networks(Path(sys.argv[1]), 'cpu'))"
    )
    command = [sys.executable, "-c", code, str(find_weights(None))]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert "OnnxNetworks" in done.stdout, done.stderr


class TestLibrariesThatCannotBeLoaded:
    """Python finds them, and the system cannot load what they need."""

    @pytest.fixture
    def without(self, monkeypatch):
        def hide(*names: str) -> None:
            for name in names:
                monkeypatch.setitem(sys.modules, name, None)  # an import raises ImportError

        return hide

    def test_pytorch_takes_the_place_of_onnx_runtime(self, without):
        without("enhance_cli.inference.networks.onnx_runtime")
        assert type(load_networks(find_weights(None), "cpu")).__name__ == "TorchNetworks"

    def test_without_both_a_line_says_what_to_install(self, without):
        without(
            "enhance_cli.inference.networks.onnx_runtime",
            "enhance_cli.inference.networks.torch_networks",
        )
        with pytest.raises(EnhanceError, match=r"^PyTorch cannot be loaded: .* pip install"):
            load_networks(find_weights(None), "cpu")

    def test_a_run_ends_with_that_line(self, without, tmp_path, write_photo):
        without(
            "enhance_cli.inference.networks.onnx_runtime",
            "enhance_cli.inference.networks.torch_networks",
        )
        write_photo(tmp_path / "p" / "a.jpg")
        write_photo(tmp_path / "p" / "b.jpg")
        words = ["apply", tmp_path / "p", "-o", tmp_path / "out", "--device", "cpu"]
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 1
        assert result.stderr.count("PyTorch cannot be loaded") == 1, result.output
        assert "a bug" not in result.output

    def test_a_gpu_about_which_pytorch_cannot_be_asked(self, without):
        without("torch")
        with pytest.raises(EnhanceError, match=r"^PyTorch cannot be loaded: "):
            choose_device("cuda")


def test_nothing_is_reported_to_the_maker_of_onnx_runtime(tmp_path):
    """What it reports, it first writes into the user's cache, with an identity of the machine."""
    folders = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp"}
    for folder in folders.values():
        folder.mkdir()
    # It reports nothing in tests and on machines of continuous integration.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT"}
    }
    code = (
        "import sys, time; from pathlib import Path; "
        "from enhance_cli.inference.networks.load import load_networks; "
        "print(load_networks(Path(sys.argv[1]), 'cpu')); time.sleep(1)"
    )
    command = [sys.executable, "-c", code, str(find_weights(None))]
    environment = kept | {name: str(folder) for name, folder in folders.items()}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert "OnnxNetworks" in done.stdout
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    own = Path("home/.cache/enhance")
    assert not [path for path in written if own not in path.parents], written
