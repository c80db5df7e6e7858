"""The components that the service offers: what is on its list, and how a file is fetched safely."""
