"""How the networks run where they no longer learn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from enhance_cli.models.cascade import Cascade


def swift_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware calculates in it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # Processors that only emulate it are slower with it.
    able = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if able else torch.float32


@torch.inference_mode()
def enhance_pixels(
    model: Cascade, pixels: NDArray[np.float32], device: torch.device, coarse_only: bool = False
) -> NDArray[np.float32]:
    """Enhance one photo, in the precision of the model.

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
