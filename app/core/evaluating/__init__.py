"""How well a bank tells good from defective on a stored test split.

metrics.py      scores -> AUROC with its interval, AUPRO, counts at a threshold
evaluation.py   a bank and a test split -> these figures
"""
