"""What loading the networks reports, whatever runs them."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

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
