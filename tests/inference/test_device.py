import ctypes
import sys
from pathlib import Path

import pytest
import torch

from enhance_cli.errors import DeviceError, UsageError
from enhance_cli.inference import device
from enhance_cli.inference.device import (
    choose_device,
    effective_precision,
    pick_device,
    refuse_unusable_device,
)


@pytest.fixture
def driver(monkeypatch):
    """Stand in for a GPU's driver."""
    monkeypatch.setattr(device, "_may_have_gpu", lambda: True)


def test_without_a_driver_auto_is_the_cpu_and_pytorch_is_not_asked(monkeypatch):
    monkeypatch.setattr(device, "_may_have_gpu", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("PyTorch was asked"))
    assert choose_device("auto") == choose_device("cpu") == "cpu"


@pytest.mark.skipif(sys.platform != "linux", reason="a library of Linux")
def test_a_driver_is_found_by_its_library(monkeypatch, tmp_path):
    libraries = ctypes.CDLL
    monkeypatch.setattr(
        ctypes, "CDLL", lambda name: libraries(None if name == "libcuda.so.1" else name)
    )
    assert device._may_have_gpu()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: libraries(tmp_path / name))
    assert device._may_have_gpu() == Path("/dev/kfd").exists()


@pytest.mark.usefixtures("driver")
def test_auto_prefers_cuda_where_it_is_available(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("cuda")


def test_cuda_without_a_device_is_an_error_and_never_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="--device cpu"):
        pick_device("cuda")


def test_apples_gpu_is_used_only_if_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("mps") == torch.device("mps")
    assert pick_device("auto") == torch.device("cpu"), "nobody has tested it"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"no Apple GPU .* use --device cpu"):
        pick_device("mps")
    with pytest.raises(DeviceError, match="no Apple GPU"):
        refuse_unusable_device("mps")


def test_a_device_number_that_does_not_exist(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(DeviceError, match="2 CUDA devices"):
        pick_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "CPU ", "mps:1"])
def test_an_unknown_name(name):
    with pytest.raises(UsageError, match="auto, cpu, cuda"):
        pick_device(name)


@pytest.mark.parametrize(
    ("name", "processor", "expected"),
    [
        ("cpu", {"avx2": True}, "32"),
        ("cpu", {"avx512_f": True, "avx512_vnni": True, "avx512_bf16": False}, "32"),
        ("cpu", {"avx512_f": True, "avx512_bf16": True}, "bf16"),
        ("cpu", {"amx_bf16": True}, "bf16"),
        ("cpu", {"neon": True, "bf16": True}, "bf16"),  # ARM
        ("cuda", {"avx2": True}, "bf16"),
        ("mps", {"bf16": True}, "32"),
    ],
)
def test_bfloat16_is_not_used_where_it_is_slow(monkeypatch, name, processor, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert effective_precision("bf16", torch.device(name)) == expected
    assert effective_precision("32", torch.device(name)) == "32"


def test_an_older_pytorch_does_not_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert effective_precision("bf16", torch.device("cpu")) == "32"
