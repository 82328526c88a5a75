"""Formats that are built of boxes (ISO/IEC 14496-12): AVIF and HEIC."""
