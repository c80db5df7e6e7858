"""Cards and security keys with a PIV application (NIST SP 800-73-5)."""
