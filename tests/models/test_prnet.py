import pytest
import torch
from torch import nn

from enhance_cli.models.color_polynomial import (
    evaluate_color_polynomial,
    fit_color_polynomial,
)
from enhance_cli.models.nonlocal_block import NonLocalBlock
from enhance_cli.models.prnet import Deconvolution, OverallResidual, PRNet, ResidualBlock


def with_random_output(net: PRNet) -> PRNet:
    nn.init.normal_(net.to_rgb.weight, std=0.1)
    return net


def count(net: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in net.modules())


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 7), (64, 64), (97, 131)])
def test_the_output_has_the_size_of_the_input(size):
    net = with_random_output(PRNet()).eval()
    with torch.no_grad():
        assert net(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_an_untrained_prnet_predicts_zero():
    assert not PRNet()(torch.rand(2, 3, 20, 20)).any()


def test_the_layers_are_those_of_the_paper():
    net = PRNet()
    strides = [m.stride[0] for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert net.down[0][0].out_channels == 16
    assert [block[0].stride for block in net.down] == [(1, 1), (2, 2), (2, 2)]
    assert strides.count(2) == 2 and count(net, nn.ConvTranspose2d) == 2
    assert isinstance(net.transform[0], NonLocalBlock), "it is the first layer of the second part"
    assert count(net, ResidualBlock) == 3 and net.to_rgb.stride == (1, 1)


def test_pr_has_eighteen_residual_blocks_and_no_non_local_block():
    net = PRNet(residual_blocks=18, non_local=False)
    assert count(net, ResidualBlock) == 18 and count(net, NonLocalBlock) == 0


def test_gradients_reach_the_first_convolution():
    net = with_random_output(PRNet()).train()
    net(torch.rand(2, 3, 16, 16)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    first = net.down[0][0].weight.grad
    assert first is not None and first.abs().sum() > 0


def test_features_of_a_flat_photo_are_flat_up_to_the_edge():
    torch.manual_seed(0)
    net = PRNet().eval()
    with torch.no_grad():
        features = net.transform(net.down(torch.full((1, 3, 40, 56), 0.6)))
    assert features.abs().max() > 1e-3
    torch.testing.assert_close(features, features[..., 4:5, 4:5].expand_as(features))


def test_a_deconvolution_has_no_border_effects():
    grown = Deconvolution(8, 4)(torch.rand(1, 8, 1, 1).expand(1, 8, 5, 6))
    assert grown.shape == (1, 4, 10, 12)
    torch.testing.assert_close(grown, grown[..., 4:6, 4:6].repeat(1, 1, 5, 6))


def test_a_photo_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    net, photos = with_random_output(PRNet()).eval(), torch.rand(3, 3, 33, 21)
    with torch.no_grad():
        torch.testing.assert_close(net(photos)[1:2], net(photos[1:2]), rtol=1e-4, atol=1e-5)


def test_the_residual_of_a_flat_photo_is_flat():
    """The four output pixels of an input pixel have taps of their own, with equal sums."""
    features = torch.rand(2, 8, 1, 1).expand(2, 8, 5, 6)
    grown = Deconvolution(8, 4)(features)
    torch.testing.assert_close(grown, grown[..., :1, :1].expand_as(grown))
    result = with_random_output(PRNet()).eval()(torch.rand(1, 3, 1, 1).expand(1, 3, 21, 34))
    torch.testing.assert_close(result, result[..., :1, :1].expand_as(result))


def test_a_deconvolution_with_balanced_taps_is_pytorchs_own():
    ours = Deconvolution(3, 2)
    with torch.no_grad():  # the four sums of a separable kernel like this are equal
        ours.weight.copy_(torch.rand(3, 2, 1, 1) * torch.tensor([[1.0, 3, 3, 1]]).T * torch.ones(4))
    theirs = nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1, bias=False)
    theirs.load_state_dict(ours.state_dict())
    photo = torch.rand(1, 3, 7, 9)
    torch.testing.assert_close(ours(photo)[..., 2:-2, 2:-2], theirs(photo)[..., 2:-2, 2:-2])


class TestOverallResidual:
    @pytest.fixture
    def net(self):
        torch.manual_seed(0)
        net = OverallResidual().eval()
        nn.init.normal_(net.head[-1].weight, std=0.1)
        return net

    def test_an_untrained_one_changes_nothing(self):
        net = PRNet(statistics=True)
        assert not net(torch.rand(2, 3, 20, 20), torch.rand(2, 3, 20, 20)).any()

    def test_it_can_be_trained_after_it_has_served(self, net):
        photo = torch.rand(1, 3, 8, 8)
        with torch.inference_mode():
            net(photo)
        net(photo).sum().backward()
        assert net.head[-1].weight.grad.any()

    def test_it_is_a_polynomial_of_color(self, net):
        photo = torch.rand(2, 3, 24, 20)
        with torch.no_grad():
            residual = net(photo)
        again = evaluate_color_polynomial(fit_color_polynomial(residual, photo), photo)
        torch.testing.assert_close(again, residual, atol=0.01 * residual.std().item(), rtol=0)
        assert residual.std() > 0.01

    def test_the_same_color_changes_differently_in_another_photo(self, net):
        photo = torch.rand(2, 3, 24, 20)
        photo[1] = photo[1].square()
        photo[..., 0, 0] = 0.5
        with torch.no_grad():
            first, second = net(photo)[..., 0, 0]
        assert not torch.allclose(first, second, atol=1e-3)

    def test_prnet_adds_it(self, net):
        torch.manual_seed(1)
        prnet, coarse, photo = PRNet(statistics=True).eval(), *torch.rand(2, 1, 3, 16, 16)
        with_random_output(prnet)
        with torch.no_grad():
            without = prnet(coarse, photo)
            prnet.overall = net
            torch.testing.assert_close(prnet(coarse, photo), without + net(photo))
