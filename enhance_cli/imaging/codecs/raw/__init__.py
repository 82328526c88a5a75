"""Camera RAW: pixels developed by LibRaw, and the metadata in the file or in a sidecar."""
