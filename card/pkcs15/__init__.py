"""Cards with a PKCS#15 application (PKCS#15 v1.1, ISO/IEC 7816-15)."""
