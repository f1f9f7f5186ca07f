"""Connections below HTTP: proxies, CA files, whether a request was sent, stray responses."""
