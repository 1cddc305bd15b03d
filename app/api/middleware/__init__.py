"""What stands around every request, plain ASGI."""
