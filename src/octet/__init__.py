"""Octet: a Kubernetes pod network that can be any of eight. Start reading in ``octet.models``."""

__version__ = "0.1.0"
