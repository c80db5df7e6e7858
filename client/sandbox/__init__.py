"""A reporting service for demos and tests: the contract of client/openapi.yaml over real TLS."""
