"""Captured pairs: the store, imports and exports, the proxy, the review page."""
