"""JPEG 2000 (ISO/IEC 15444): its boxes and header, its pixels."""
