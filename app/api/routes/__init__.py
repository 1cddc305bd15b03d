"""The calls, a module a family."""
