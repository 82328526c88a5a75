import pytest
import torch

from enhance_cli.config.model import TOE, TOE_SLOPE
from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.color_function import ColorFunction

MONOMIALS = [(i, j, k) for i in range(5) for j in range(5 - i) for k in range(5 - i - j)]


@pytest.fixture
def photo():
    torch.manual_seed(0)
    return torch.rand(2, 3, 9, 11)


@pytest.fixture
def function():
    torch.manual_seed(1)
    mapping = ColorMapping(torch.randn(2, 3, 3) * 0.1, torch.randn(2, 3) * 0.05)
    return ColorFunction(mapping, torch.randn(2, 35, 3) * 0.05)


def test_it_is_eq_1_and_3_and_the_polynomial_written_out(photo, function):
    result = function(photo)
    for b, y, x in ((0, 0, 0), (1, 8, 10), (1, 3, 7)):
        p = photo[b, :, y, x].double()
        t = 2 * p - 1
        terms = torch.stack([t[0] ** i * t[1] ** j * t[2] ** k for i, j, k in MONOMIALS])
        mapping = function.mapping
        linear = mapping.matrix[b].double() @ p + mapping.offset[b].double()
        expected = p + linear + function.polynomial[b].double().T @ terms
        torch.testing.assert_close(result[b, :, y, x].double(), expected, atol=1e-6, rtol=0)


def test_without_a_polynomial_it_is_the_coarse_map(photo, function):
    coarse = function._replace(polynomial=None)
    expected = photo + function.mapping.residual(photo)
    torch.testing.assert_close(coarse(photo), expected)
    matrix = coarse._replace(mapping=ColorMapping(*(part[:1] for part in function.mapping)))
    rows = matrix.matrix()
    by_matrix = torch.einsum("ij,jhw->ihw", rows[:, :3], photo[0]) + rows[:, 3, None, None]
    torch.testing.assert_close(by_matrix, expected[0])
    torch.testing.assert_close(ColorFunction(None)(photo), photo)
    torch.testing.assert_close(ColorFunction(None).matrix(), torch.eye(3, 4))


def test_white_is_not_darkened(function):
    white = torch.ones(2, 3, 1, 1)
    darker = function._replace(polynomial=torch.zeros(2, 35, 3).index_fill(1, torch.tensor(0), -1))
    assert (darker(white) < 0.5).all()
    torch.testing.assert_close(darker._replace(highlights=True)(white), white)


def test_no_channel_becomes_black_that_was_not():
    black = torch.zeros(1, 35, 3)
    black[:, 0] = -2
    levels = (torch.arange(256) / 255)[None, None, None].expand(1, 3, 1, 256)
    result = ColorFunction(None, black, shadows=True)(levels)[0, 0, 0]
    assert result[0] == 0 and (result[1:] > 0.5 / 255).all() and (result < TOE).all()
    assert (result.diff() > 0).all()
    assert result[1] < TOE_SLOPE / 255
