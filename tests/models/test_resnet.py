"""Against torchvision's own."""

import subprocess
import sys

import torch
from torchvision.models import resnet50

from enhance_cli.models.resnet import FEATURES, ResNet


@torch.no_grad()
def test_it_is_torchvisions():
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


def test_it_starts_as_theirs_does():
    torch.manual_seed(0)
    ours = dict(ResNet().named_parameters())
    theirs = {name: one for name, one in resnet50().named_parameters() if "fc." not in name}
    assert ours.keys() == theirs.keys()
    for name, parameter in theirs.items():
        torch.testing.assert_close(ours[name].std(), parameter.std(), rtol=0.1, atol=0)


def test_nothing_of_torchvision_is_imported_for_retouching():
    program = "import sys, enhance_cli.batch.runner; print('torchvision' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"
