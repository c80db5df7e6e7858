"""Fixtures for the tests of the client's components."""

from component_desk import desk, sandbox

__all__ = ["desk", "sandbox"]
