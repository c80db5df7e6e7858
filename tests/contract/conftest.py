"""Fixtures for the contract tests that need a real daemon."""

from pcscd import pcscd, pcscd_home

__all__ = ["pcscd", "pcscd_home"]
