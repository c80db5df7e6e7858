"""Cards that only a PKCS#11 module can drive; the module runs in a process of its own."""
