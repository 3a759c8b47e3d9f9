"""Push for readers: the published mart, exports, the page."""
