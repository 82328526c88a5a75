import subprocess
import sys

import pytest
import torch

from enhance_cli.models.nonlocal_block import NonLocalBlock


def with_random_output(block: NonLocalBlock) -> NonLocalBlock:
    torch.nn.init.normal_(block.out.weight, std=0.5)
    torch.nn.init.normal_(block.out.bias, std=0.5)
    return block


@pytest.mark.parametrize("shape", [(1, 8, 1, 1), (2, 8, 5, 7), (3, 64, 12, 9)])
def test_agrees_with_the_formula_written_out(shape):
    torch.manual_seed(0)
    block, x = with_random_output(NonLocalBlock(shape[1])), torch.randn(shape)
    expected = torch.empty_like(x)
    for b in range(shape[0]):
        theta, phi, g = (
            torch.einsum("oc,chw->ohw", conv.weight[:, :, 0, 0], x[b]).flatten(1)
            + conv.bias[:, None]
            for conv in (block.theta, block.phi, block.g)
        )
        similarity = torch.exp(theta.T @ phi)  # f(x_i, x_j) = exp(theta(x_i)^T phi(x_j))
        y = g @ (similarity / similarity.sum(1, keepdim=True)).T
        z = block.out.weight[:, :, 0, 0] @ y + block.out.bias[:, None]
        expected[b] = x[b] + z.reshape(shape[1:])
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pool", [2, 4])
def test_with_pooling_it_attends_to_the_means_of_squares(pool):
    """The same formula, over squares; those at the edges may be smaller."""
    torch.manual_seed(0)
    block, x = with_random_output(NonLocalBlock(8, pool)), torch.randn(1, 8, 9, 14)
    theta, phi, g = block.theta(x)[0].flatten(1), block.phi(x)[0], block.g(x)[0]
    corners = [(y, z) for y in range(0, 9, pool) for z in range(0, 14, pool)]
    means = [
        torch.stack([
            features[:, y : y + pool, z : z + pool].mean((1, 2)) for y, z in corners
        ])
        for features in (phi, g)
    ]  # fmt: skip
    weights = torch.softmax(theta.T @ means[0].T, dim=1)
    y = (weights @ means[1]).T.reshape(1, 4, 9, 14)
    torch.testing.assert_close(block(x), x + block.out(y), rtol=1e-4, atol=1e-5)


def test_an_untrained_block_is_the_identity():
    x = torch.randn(2, 16, 6, 5)
    assert torch.equal(NonLocalBlock(16)(x), x)


def test_the_output_depends_on_every_position():
    block, x = with_random_output(NonLocalBlock(8)), torch.randn(1, 8, 10, 10)
    changed = x.clone()
    changed[..., 9, 9] += 3
    assert not torch.allclose(block(x)[..., 0, 0], block(changed)[..., 0, 0])


def test_gradients_reach_all_parameters():
    block = with_random_output(NonLocalBlock(8))
    block(torch.randn(2, 8, 4, 4)).square().sum().backward()
    for name, parameter in block.named_parameters():
        # A constant added to every phi cancels in the softmax.
        if name != "phi.bias":
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_the_matrix_of_all_positions_is_never_built():
    """At 500 px there are 15,625 positions: the matrix alone would take a gigabyte."""
    code = """
import resource, torch
from enhance_cli.models.nonlocal_block import NonLocalBlock
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
block = NonLocalBlock(64)
with torch.no_grad():
    block(torch.rand(1, 64, 8, 8))
    before = peak()
    block(torch.rand(1, 64, 125, 125))
print(peak() - before)
"""
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert float(finished.stdout) < 300
