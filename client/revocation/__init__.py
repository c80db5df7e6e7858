"""Whether a card's certificate was revoked: by OCSP or in its issuer's list."""
