"""Scores -> what is said of a photo.

calibration.py    held-out scores -> threshold, p-value, verdict
anomaly_map.py    the grid's scores -> map over the photo, regions, overlay
backdrop.py       what an overlay is drawn on, kept until then
golden.py         a bank's own photos, whose scores tell whether another engine may serve it
"""
