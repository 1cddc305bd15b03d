"""Measurements; `make bench` runs them."""

# First, and before torch: how OpenMP's threads wait is read once, when torch is loaded, and a bench
# must wait as the service does. Threads that spin made the network's pass after each search a
# quarter slower here.
import app  # noqa: F401
