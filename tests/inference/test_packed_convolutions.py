import copy
import platform

import pytest
import torch
from torch import nn

from enhance_cli.inference.packed_convolutions import PackedConvolution, pack_convolutions
from enhance_cli.models.resnet import ResNet

on_x86 = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"} or not torch.backends.mkldnn.is_available(),
    reason="packed on x86 only",
)


def resnet() -> ResNet:
    torch.manual_seed(0)
    return ResNet((1, 2, 1, 1)).eval()


def kinds_of(network: nn.Module) -> set[type]:
    return {type(module) for module in network.modules()}


@on_x86
def test_all_convolutions_are_packed():
    network = resnet()
    pack_convolutions(network, torch.zeros(1, 3, 64, 64))
    assert PackedConvolution in kinds_of(network)
    assert nn.Conv2d not in kinds_of(network)


@on_x86
@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 3, 32, 32), (3, 3, 65, 97), (1, 3, 9, 200)])
@torch.inference_mode()
def test_the_output_stays_the_same_for_photos_of_any_size(shape):
    network, photo = resnet(), torch.rand(shape)
    packed = copy.deepcopy(network)
    pack_convolutions(packed, torch.zeros(1, 3, 64, 64))
    torch.testing.assert_close(packed(photo), network(photo), atol=1e-5, rtol=1e-5)


@on_x86
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("groups", "dilation", "stride"), [(1, 1, 1), (2, 1, 2), (1, 2, 1)])
@torch.inference_mode()
def test_a_convolution_keeps_its_options(bias, groups, dilation, stride):
    torch.manual_seed(0)
    convolution = nn.Conv2d(
        8, 16, 3, stride, padding=2, dilation=dilation, groups=groups, bias=bias
    )
    features = torch.rand(2, 8, 17, 23)
    packed = PackedConvolution(convolution, features.shape)
    torch.testing.assert_close(packed(features), convolution(features), atol=1e-5, rtol=1e-5)


@on_x86
@torch.inference_mode()
def test_two_calls_give_the_same_bytes():
    network, photo = resnet(), torch.rand(1, 3, 64, 64)
    pack_convolutions(network, photo)
    assert torch.equal(network(photo), network(photo))


def test_other_processors_keep_the_network(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    network = resnet()
    pack_convolutions(network, torch.zeros(1, 3, 64, 64))
    assert PackedConvolution not in kinds_of(network)


def test_a_pytorch_without_the_operators_keeps_the_network(monkeypatch):
    monkeypatch.delattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
    network = resnet()
    pack_convolutions(network, torch.zeros(1, 3, 64, 64))
    assert PackedConvolution not in kinds_of(network)
