"""HDR gain maps: small pictures that turn a photo into its HDR rendition (ISO 21496-1)."""
