"""One photo through the model."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from enhance_cli.models.cascade import Cascade


@torch.inference_mode()
def enhance_pixels(
    model: Cascade, pixels: NDArray[np.float32], device: torch.device, coarse_only: bool = False
) -> NDArray[np.float32]:
    """Enhance one photo.

    Args:
        model: In eval mode.
        pixels: ``(H, W, 3)``, sRGB in [0, 1].
        device: Where the model is.
        coarse_only: Leave PRNet out.

    Returns:
        ``(H, W, 3)`` float32, clamped to [0, 1].
    """
    batch = torch.from_numpy(pixels).to(device).permute(2, 0, 1).unsqueeze(0).contiguous()
    enhanced = model(batch, coarse_only).enhanced[0]
    return enhanced.clamp(0, 1).permute(1, 2, 0).cpu().numpy()
