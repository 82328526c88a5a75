import numpy as np
import torch
from torch import nn
from torchvision.models import ResNet50_Weights, resnet50

from enhance_cli.models.cenet import CENet, ColorMapping
from enhance_cli.models.photo_statistics import STATISTICS

RESNET50_PARAMETERS = 25_557_032  # He et al. 2016, as torchvision publishes it
RESNET50_CLASSIFIER = 2048 * 1000 + 1000


def test_the_map_is_eq_3_at_every_pixel():
    torch.manual_seed(0)
    mapping = ColorMapping(torch.randn(2, 3, 3), torch.randn(2, 3))
    photo = torch.rand(2, 3, 4, 5)
    residual = mapping.residual(photo).numpy()
    for b in range(2):
        for y in range(4):
            for x in range(5):
                p = photo[b, :, y, x].numpy()
                expected = mapping.matrix[b].numpy() @ p + mapping.offset[b].numpy()
                np.testing.assert_allclose(residual[b, :, y, x], expected, rtol=1e-5, atol=1e-6)


def test_the_fully_connected_layers_may_see_statistics_of_the_photo_as_well():
    torch.manual_seed(0)
    net = CENet(statistics=True).eval()
    assert net.head[0].in_features == 2048 + STATISTICS
    nn.init.normal_(net.head[-1].weight)
    nn.init.zeros_(net.head[0].weight[:, :2048])  # the statistics alone
    photo = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(net(photo).matrix, net(photo.square()).matrix, atol=1e-3)
        nn.init.zeros_(net.head[0].weight)
        assert torch.equal(net(photo).matrix, net(photo.square()).matrix)


def test_it_is_resnet50_without_its_classifier_and_three_fully_connected_layers():
    net = CENet()
    backbone = sum(parameter.numel() for parameter in net.backbone.parameters())
    assert backbone == RESNET50_PARAMETERS - RESNET50_CLASSIFIER
    assert [type(m) for m in net.head].count(nn.Linear) == 3
    assert net.head[-1].out_features == 12


def test_an_untrained_cenet_changes_nothing():
    mapping = CENet().eval()(torch.rand(2, 3, 64, 64))
    assert mapping.matrix.shape == (2, 3, 3) and mapping.offset.shape == (2, 3)
    assert not mapping.matrix.any() and not mapping.offset.any()


def test_gradients_reach_the_first_convolution():
    net = CENet()
    nn.init.normal_(net.head[-1].weight)
    mapping = net(torch.rand(2, 3, 64, 64))
    (mapping.matrix.square().sum() + mapping.offset.square().sum()).backward()
    first = net.backbone.conv1.weight.grad
    assert first is not None and torch.isfinite(first).all() and first.abs().sum() > 0


def test_a_photo_does_not_depend_on_its_batch():
    net = CENet().eval()
    nn.init.normal_(net.head[-1].weight)
    photos = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            net(photos).matrix[1], net(photos[1:2]).matrix[0], rtol=1e-4, atol=1e-5
        )


def test_published_weights_load_into_the_backbone(monkeypatch):
    published = resnet50().state_dict()
    options_used = {}

    def published_state(_, **options):
        options_used.update(options)
        return published

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", published_state)
    net = CENet()
    net.load_pretrained()
    assert options_used["check_hash"] and options_used["weights_only"]
    assert torch.equal(net.backbone.layer4[2].conv3.weight, published["layer4.2.conv3.weight"])
    photo = torch.rand(1, 3, 64, 64)
    assert torch.equal(net.eval()(photo).matrix, torch.zeros(1, 3, 3)), "the head is not loaded"
