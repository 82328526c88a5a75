"""Ways to upsample PRNet's residual, on photos that the networks see at a quarter of their size.

    python tests/benchmarks/enlarging.py PHOTO [PHOTO ...]

Both figures are in 8-bit levels. "downscaled": how far the downscaled result is from the result on
the small photo. "at edges": how far its detail (what a blur of 2 px removes) is, at strong edges,
from that of the networks' result on the large photo itself.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

from enhance_cli.imaging.affine_grid import apply_affine_grid
from enhance_cli.imaging.resize import Size, resize_pixels
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import find_weights
from enhance_cli.models import guided_upsampling
from enhance_cli.models.cascade import Cascade, Enhancement
from enhance_cli.models.prnet import Shape

QUARTER, DETAIL, EDGES = 4, 2.0, 0.05


def ways(model: Cascade, seen: Enhancement, large: np.ndarray) -> dict[str, np.ndarray]:
    """The large photo's result by each way, clamped."""
    tensor = torch.from_numpy(large).permute(2, 0, 1)[None]
    coarse = tensor if seen.mapping is None else tensor + seen.mapping.residual(tensor)
    size = Shape(*large.shape[:2])
    alone = torch.nn.functional.interpolate(seen.residual, size, mode="bilinear")
    original = guided_upsampling._sharpened
    try:
        guided_upsampling._sharpened = lambda rest, _shape: 0 * rest
        affine = guided_upsampling.guided_affine_grid(seen, size)
        guided_upsampling._sharpened = lambda rest, _shape: rest
        enlarged = guided_upsampling.guided_affine_grid(seen, size)
    finally:
        guided_upsampling._sharpened = original
    grid = guided_upsampling.guided_affine_grid(seen, size)

    def pixels(result: torch.Tensor) -> np.ndarray:
        return result[0].permute(1, 2, 0).clamp(0, 1).numpy()

    return {
        "the residual, bilinear": pixels(coarse + alone),
        "the affine fit alone": apply_affine_grid(large, affine.numpy()),
        "the affine fit, and its remainder enlarged": apply_affine_grid(large, enlarged.numpy()),
        "the same, with the remainder sharpened": apply_affine_grid(large, grid.numpy()),
        "the networks on the large photo itself": pixels(model(tensor).enhanced),
    }


@torch.inference_mode()
def figures(model: Cascade, path: Path) -> dict[str, tuple[float, float]]:
    """Both distances of each way, for one photo."""
    large = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    size = Size(large.shape[1] // QUARTER, large.shape[0] // QUARTER)
    small = resize_pixels(large, size)
    seen = model(torch.from_numpy(small).permute(2, 0, 1)[None])
    expected = seen.enhanced[0].permute(1, 2, 0).clamp(0, 1).numpy()
    results = ways(model, seen, large)
    gradient = gaussian_gradient_magnitude(large.mean(2), 1.0)
    edges = gradient > np.quantile(gradient, 1 - EDGES)

    def detail(photo: np.ndarray) -> np.ndarray:
        return (photo - gaussian_filter(photo, (DETAIL, DETAIL, 0)))[edges]

    reference = detail(list(results.values())[-1])
    measured: dict[str, Callable[[np.ndarray], float]] = {
        "small": lambda one: np.abs(resize_pixels(one, size) - expected).mean() * 255,
        "edges": lambda one: np.abs(detail(one) - reference).mean() * 255,
    }
    return {name: tuple(f(one) for f in measured.values()) for name, one in results.items()}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+")
    given = parser.parse_args()
    model = load_weights(find_weights(None)).model
    all_figures = [figures(model, path) for path in given.photos]
    print("| way | downscaled | at edges |\n|---|---|---|")
    for name in all_figures[0]:
        small, edges = np.mean([one[name] for one in all_figures], axis=0)
        print(f"| {name} | {small:.1f} | {edges:.1f} |")


if __name__ == "__main__":
    main()
