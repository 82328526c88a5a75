"""What loading the networks reports, whatever runs them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

import enhance_cli
from enhance_cli.errors import WeightsError
from enhance_cli.inference import weights as weights_module
from enhance_cli.inference.networks.load import load_networks
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
