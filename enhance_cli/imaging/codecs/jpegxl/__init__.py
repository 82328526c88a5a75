"""JPEG XL (ISO/IEC 18181): its boxes, its header and the profile packed in it, its pixels."""
