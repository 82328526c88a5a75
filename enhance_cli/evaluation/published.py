"""The scores printed in tables 1 and 2 of the paper, on RANDOM250."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRow:
    """One row as printed; None where the paper has a dash.

    Attributes:
        table: Number of the table, 1 or 2.
        method: The paper's name of the method.
        l2_lab: L2 error in CIELab.
        psnr: PSNR in dB.
        ssim: SSIM.
    """

    table: int
    method: str
    l2_lab: float | None
    psnr: float | None
    ssim: float | None


PUBLISHED = (
    PublishedRow(1, "CE", 10.32, 22.85, 0.893),
    PublishedRow(1, "PR", 10.93, 22.07, 0.882),
    PublishedRow(1, "PRNL", 9.32, 23.90, 0.905),
    PublishedRow(1, "CE+PR", 9.50, 23.89, 0.906),
    PublishedRow(1, "CE+PRNL", 9.10, 24.19, 0.915),
    PublishedRow(2, "Exemplar-based", 15.01, None, None),
    PublishedRow(2, "DeepNet-based", 9.85, None, None),
    PublishedRow(2, "DeepRL-based", 10.99, None, 0.905),
    PublishedRow(2, "CE (ours)", 10.32, 22.85, 0.893),
    PublishedRow(2, "DPE", 9.93, 23.89, 0.906),
    PublishedRow(2, "CE+PRNL (ours)", 9.10, 24.19, 0.915),
)
