"""What people see: the wizard's steps, its widgets, the remedies."""

__version__ = "0.1.0"
