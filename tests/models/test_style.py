import pytest
import torch

from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.color_polynomial import evaluate_color_polynomial, fit_color_polynomial
from enhance_cli.models.style import EDGE, FEATURES, Style, style_features


@pytest.fixture
def photo():
    torch.manual_seed(0)
    return torch.rand(2, 3, EDGE, 48)


@pytest.fixture
def brighter():
    """The function ``p -> 0.8 p + 0.1``, with protected highlights."""
    matrix = (-0.2 * torch.eye(3)).expand(2, 3, 3)
    return ColorFunction(ColorMapping(matrix, torch.full((2, 3), 0.1)), highlights=True)


def polynomial_of(change):
    """The polynomial that is equal to ``change(color)``, ``(35, 3)``."""
    colors = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return fit_color_polynomial(change(colors), colors)[0]


def test_an_unfitted_style_changes_nothing(photo, brighter):
    assert Style()(brighter, photo)(photo).equal(brighter(photo))


def test_the_correction_follows_the_result(photo, brighter):
    """``c -> 0.7 c + 0.2 c^2`` after ``p -> 0.8 p + 0.1``, as worked out by hand."""
    brighter = brighter._replace(highlights=False)
    style = Style()
    style.constant = polynomial_of(lambda c: -0.3 * c + 0.2 * c**2)
    result = 0.8 * photo + 0.1
    expected = 0.7 * result + 0.2 * result**2
    torch.testing.assert_close(style(brighter, photo)(photo), expected, rtol=0, atol=0.01)


def test_colors_that_a_photo_lacks_are_corrected_too():
    grey = torch.full((1, 3, 40, 40), 0.5)
    style = Style()
    style.constant = polynomial_of(lambda c: -0.3 * c)
    corrected = style(ColorFunction(None), grey)
    colors = torch.tensor([[1.0, 0.1, 0.1], [0.1, 0.2, 0.9], [1, 1, 1]]).T[None, :, None]
    torch.testing.assert_close(corrected(colors), 0.7 * colors, rtol=0, atol=0.03)


@pytest.mark.parametrize(("slope", "kept"), [(-0.3, False), (-0.02, True)])
def test_highlights_are_protected_unless_the_style_darkens_white(photo, slope, kept):
    style = Style()
    style.constant = polynomial_of(lambda c: slope * c)
    identity = ColorFunction(None, highlights=True)
    styled = style(identity, photo)
    white = styled(torch.ones(1, 3, 1, 1).expand(2, -1, -1, -1))
    assert style.keeps_white == styled.highlights == kept
    torch.testing.assert_close(
        white, torch.full_like(white, 1 if kept else 1 + slope), rtol=0, atol=0.03
    )


def test_features_change_the_correction_within_limits():
    style = Style()
    style.slopes[0, 0] = 0.1  # the first feature adds to the constant term
    features = torch.zeros(3, FEATURES)
    features[:, 0] = torch.tensor([0.0, 1.0, 50.0])
    change = evaluate_color_polynomial(style.coefficients(features), torch.full((3, 3, 1, 1), 0.4))
    torch.testing.assert_close(change[:, 0, 0, 0], torch.tensor([0.0, 0.1, 0.25]))


def test_features_of_two_halves():
    """A photo that is half black and half pure red, as worked out by hand."""
    photo = torch.zeros(1, 3, 2, 10)
    photo[:, 0, :, 5:] = 1
    luma, red, blue = 0.2126, 1 - 0.2126, -0.2126
    chroma = (red**2 + 2 * blue**2) ** 0.5
    expected = [luma / 2, luma / 2, 0, luma / 2, luma, luma / 2, red / 2, blue / 2, chroma / 2]
    found = style_features(ColorFunction(None), photo)
    torch.testing.assert_close(found, torch.tensor([expected]))


def test_photos_of_a_batch_are_corrected_one_by_one(photo, brighter):
    style = Style()
    style.constant = polynomial_of(lambda c: -0.2 * c)
    style.slopes[1, 0] = 0.05
    both = style(brighter, photo)(photo)
    one = ColorFunction(ColorMapping(*(part[1:] for part in brighter.mapping)), highlights=True)
    torch.testing.assert_close(both[1:], style(one, photo[1:])(photo[1:]), rtol=0, atol=1e-5)
