"""The connections below HTTP: proxies and CA files, what was sent, what belongs to a response."""
