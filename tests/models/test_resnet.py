"""Comparison with torchvision's ResNet50."""

import subprocess
import sys

import torch
from torchvision.models import resnet50

from enhance_cli.models.resnet import FEATURES, ResNet


@torch.no_grad()
def test_the_output_is_that_of_torchvision():
    torch.manual_seed(0)
    published = resnet50()
    for name, buffer in published.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    published.fc = torch.nn.Identity()
    ours = ResNet()
    ours.load_state_dict(published.state_dict())
    for mode in (False, True):
        photos = torch.randn(2, 3, 70, 64)
        expected = published.train(mode)(photos)
        assert expected.shape == (2, FEATURES)
        torch.testing.assert_close(ours.train(mode)(photos), expected)


def test_the_initialisation_is_that_of_torchvision():
    torch.manual_seed(0)
    ours = dict(ResNet().named_parameters())
    theirs = {name: value for name, value in resnet50().named_parameters() if "fc." not in name}
    assert ours.keys() == theirs.keys()
    for name, parameter in theirs.items():
        torch.testing.assert_close(ours[name].std(), parameter.std(), rtol=0.1, atol=0)


def test_retouching_does_not_import_torchvision():
    program = "import sys, enhance_cli.batch.runner; print('torchvision' in sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "False"
