"""The grid: small models and what ONNX Runtime makes of them."""
