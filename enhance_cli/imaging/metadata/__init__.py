"""What files say beside their pixels: EXIF, XMP, IPTC."""
