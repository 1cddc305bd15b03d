"""The calls, a module a family.

score.py        one photo, a batch, one photo by several categories
categories.py   what is loaded
evaluate.py     how well it does on stored test splits
admin.py        banks exchanged while the service runs
health.py       liveness, readiness, metrics
"""
