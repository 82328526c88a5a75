"""The networks of a weights file on a device: run by PyTorch, or by ONNX Runtime on a CPU."""
