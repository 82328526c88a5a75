import pytest
import torch
from torch.nn import functional as F

from enhance_cli.models.replicate_pad import ReplicatePadConv2d, replicate_pad


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("padding", [(3, 3, 3, 3), (0, 3, 0, 1), (2, 0, 1, 0), (0, 0, 0, 0)])
@pytest.mark.parametrize("size", [(5, 7), (1, 4), (1, 1)])
def test_values_and_gradients_are_pytorchs_own(memory_format, padding, size):
    torch.manual_seed(0)
    ours = (
        torch.rand(2, 3, *size, dtype=torch.float64)
        .to(memory_format=memory_format)
        .requires_grad_()
    )
    theirs = ours.detach().clone().requires_grad_()
    padded, expected = replicate_pad(ours, padding), F.pad(theirs, padding, mode="replicate")
    assert torch.equal(padded, expected)
    gradient = torch.rand_like(expected)
    padded.backward(gradient)
    expected.backward(gradient)
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_memory_format_is_kept():
    photo = torch.rand(2, 3, 5, 7).to(memory_format=torch.channels_last)
    assert replicate_pad(photo, (1, 1, 1, 1)).is_contiguous(memory_format=torch.channels_last)
    assert replicate_pad(photo.contiguous(), (1, 1, 1, 1)).is_contiguous()


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_is_pytorchs_own_with_replicated_edges(stride):
    ours = ReplicatePadConv2d(3, 4, 5, stride, padding=2)
    theirs = torch.nn.Conv2d(3, 4, 5, stride, padding=2, padding_mode="replicate")
    theirs.load_state_dict(ours.state_dict())
    photo = torch.rand(2, 3, 9, 11)
    torch.testing.assert_close(ours(photo), theirs(photo))
