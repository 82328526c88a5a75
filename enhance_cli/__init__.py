"""Learned colour enhancement of photographs, coarse to fine."""

__version__ = "0.1.0"
