"""Fixtures for the tests that start real daemons."""

from pcscd import pcscd, pcscd_home

__all__ = ["pcscd", "pcscd_home"]
