"""A smart card made of bytes: the test card of demos, of system tests and of `virtual-card`."""
