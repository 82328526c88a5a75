"""Functions that torch's own stubs leave without a return type, with one."""

# The types inside are unknown for just that reason.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import torch
from torch import Tensor


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve ``matrix @ x = right`` for ``x`` by ``torch.linalg.solve``.

    Args:
        matrix: ``(..., N, N)``, regular.
        right: ``(..., N, K)``.

    Returns:
        ``x``, ``(..., N, K)``.
    """
    return torch.linalg.solve(matrix, right)


def split(tensor: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """Split a tensor along its first dimension into views, as ``Tensor.split`` does."""
    return tensor.split(sizes)


def unflatten(tensor: Tensor, dim: int, sizes: tuple[int, ...]) -> Tensor:
    """View dimension ``dim`` of a tensor as several, of ``sizes``, as ``Tensor.unflatten`` does."""
    return tensor.unflatten(dim, sizes)
