import pytest
import torch

from enhance_cli.errors import DeviceError, UsageError
from enhance_cli.inference.device import effective_precision, pick_device, refuse_unusable_device


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
    ("device", "processor", "expected"),
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
def test_bfloat16_is_not_used_where_it_is_slow(monkeypatch, device, processor, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert effective_precision("bf16", torch.device(device)) == expected
    assert effective_precision("32", torch.device(device)) == "32"


def test_an_older_pytorch_does_not_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert effective_precision("bf16", torch.device("cpu")) == "32"
