import numpy as np
import pytest
from scipy.stats import sem

from enhance_cli.imaging.metrics import Score, l2_lab, mean, psnr, score, ssim, standard_error

# CIELab (D65) of the sRGB primaries, as published (Lindbloom; rounded to two decimals).
LAB = {
    (1, 0, 0): (53.24, 80.09, 67.20),
    (0, 1, 0): (87.73, -86.18, 83.18),
    (0, 0, 1): (32.30, 79.19, -107.86),
    (1, 1, 1): (100, 0, 0),
    (0, 0, 0): (0, 0, 0),
}


def uniform(rgb) -> np.ndarray:
    return np.broadcast_to(np.array(rgb, np.float32), (16, 16, 3)).copy()


@pytest.mark.parametrize("photo", LAB)
@pytest.mark.parametrize("expert", LAB)
def test_l2_lab_is_the_distance_of_published_lab_values(photo, expert):
    expected = np.linalg.norm(np.subtract(LAB[photo], LAB[expert]))
    assert l2_lab(uniform(photo), uniform(expert)) == pytest.approx(expected, abs=0.05)


def test_l2_lab_is_a_mean_over_pixels():
    photo, expert = uniform((0, 0, 0)), uniform((0, 0, 0))
    photo[:4] = 1  # a quarter is 100 apart
    assert l2_lab(photo, expert) == pytest.approx(25, abs=0.01)


@pytest.mark.parametrize("difference", [0.5, 0.1, 0.01])
def test_psnr_of_a_constant_difference(difference):
    photo, expert = uniform([0.3 + difference] * 3), uniform([0.3] * 3)
    assert psnr(photo, expert) == pytest.approx(-20 * np.log10(difference), rel=1e-4)


def test_ssim_of_two_uniform_photos_is_its_luminance_term():
    a, b, c1 = 0.4, 0.7, 0.01**2  # Wang et al. 2004, eq. 6 with K1 = 0.01
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    assert ssim(uniform([a] * 3), uniform([b] * 3)) == pytest.approx(expected, abs=1e-5)


def test_equal_photos_score_best(coffee):
    photo = coffee.astype(np.float32) / 255
    result = score(photo, photo)
    assert result.psnr == np.inf and result.l2_lab == 0 and result.ssim == pytest.approx(1)


def test_values_outside_the_range_count_as_clamped():
    assert score(uniform([1.5] * 3), uniform([1.0] * 3)).l2_lab == 0


def test_photos_of_different_size_are_an_error():
    with pytest.raises(ValueError, match="dimensions"):
        score(uniform([0] * 3), uniform([0] * 3)[:12])


def test_the_mean_is_over_photos():
    assert mean([Score(20, 10, 0.8), Score(30, 4, 0.9)]) == Score(25, 7, pytest.approx(0.85))


def test_the_standard_error_is_that_of_scipy():
    figures = np.random.default_rng(0).random((9, 3))
    found = standard_error([Score(*row) for row in figures.tolist()])
    assert (found.psnr, found.l2_lab, found.ssim) == pytest.approx(tuple(sem(figures)))
    assert standard_error([Score(20, 10, 0.8)]) is None


def test_equal_photos_leave_the_other_standard_errors():
    found = standard_error([Score(np.inf, 0, 1), Score(20, 4, 0.9)])
    assert np.isnan(found.psnr) and found.l2_lab == pytest.approx(2)
