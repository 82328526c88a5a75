"""The non-local block of PRNet (section 2.2; Wang et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class NonLocalBlock(nn.Module):
    """Embedded-Gaussian non-local block: ``x + out(softmax(theta(x) phi(x)^T) g(x))``.

    Each position is refined by a weighted sum over all positions. The names are those of the
    non-local paper; the embeddings have half the channels. ``out`` is initialised to zero, so that
    an untrained block is the identity.

    Args:
        channels: Number of channels of input and output; even.
        pool: Side, in positions, of the squares over which ``phi`` and ``g`` are averaged. This is
            the subsampling trick of the non-local paper (its section 3.3, which uses max pooling).
            1 keeps every position.
    """

    def __init__(self, channels: int, pool: int = 1) -> None:
        super().__init__()
        inner = channels // 2
        self.pool = pool
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)
        self.g = nn.Conv2d(channels, inner, 1)
        self.out = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Refine each position by attending to all others.

        Args:
            features: ``(B, C, H, W)``, float.

        Returns:
            Refined features, ``(B, C, H, W)``.
        """
        batch, _, height, width = features.shape
        # The fused kernel works in blocks and never builds the N x N matrix (1 GB at 500 px).
        # That holds for contiguous tensors only: for transposed views it silently builds it.
        attended = F.scaled_dot_product_attention(
            _positions_first(self.theta(features)),
            _positions_first(self._pooled(self.phi(features))),
            _positions_first(self._pooled(self.g(features))),
            scale=1.0,
        )
        attended = attended.squeeze(1).transpose(1, 2).reshape(batch, -1, height, width)
        return features + self.out(attended)

    def _pooled(self, features: Tensor) -> Tensor:
        if self.pool == 1:
            return features
        return F.avg_pool2d(features, self.pool, ceil_mode=True, count_include_pad=False)


def _positions_first(features: Tensor) -> Tensor:
    """Reshape ``(B, C, H, W)`` to a contiguous ``(B, 1, N, C)``: one head, N = H * W positions."""
    return features.flatten(2).transpose(1, 2).unsqueeze(1).contiguous()
