"""From any message to its remedy: the catalogue, the search, the support code."""
