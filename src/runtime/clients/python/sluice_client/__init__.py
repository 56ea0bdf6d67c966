"""What stands between a Python handler and the Runtime API."""
