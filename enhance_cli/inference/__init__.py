"""Weights on a device, and one photo through the networks."""
