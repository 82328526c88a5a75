import pytest
import torch
from torch import nn

from enhance_cli.config.model import VARIANTS, ModelConfig
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.fuse_batch_norm import fuse_batch_norm


def with_random_parameters(variant) -> Cascade:
    """A cascade whose batch norms have statistics and whose last layers are not zero."""
    torch.manual_seed(0)
    model = Cascade(ModelConfig(variant, input_side=32, fit="squash", nonlocal_pool=2))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, 0, 0.01)
    return model.eval()


@pytest.mark.parametrize("variant", VARIANTS)
@torch.inference_mode()
def test_the_output_is_that_of_the_model(variant):
    model = with_random_parameters(variant)
    photo = torch.rand(2, 3, 45, 62)
    before = model(photo).enhanced
    after = fuse_batch_norm(model)(photo).enhanced
    assert (before - photo).abs().max() > 0.01
    torch.testing.assert_close(after, before, atol=2e-4, rtol=1e-4)


def test_no_batch_norm_remains_and_the_model_is_not_copied():
    model = with_random_parameters("ce+prnl")
    assert fuse_batch_norm(model) is model
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
