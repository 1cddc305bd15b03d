"""What `scripts/*.py` call, a module each; what takes seconds to import is imported inside."""
