"""Scores -> what is said of a photo.

held_out.py       what good photos score when they are left out of what scores them
calibration.py    these scores -> threshold, p-value, verdict
drift.py          do photos score as the good ones did when the bank was built?
doubts.py         what these scores alone say against a bank
anomaly_map.py    the grid's scores -> map over the photo, regions, overlay
backdrop.py       what an overlay is drawn on, kept until then
inspection.py     a photo before it is judged, and what is said of it
origins.py        which place of which good photo each vector of a bank is
explanation.py    a photo's most anomalous places beside the nearest of these
golden.py         photos with known scores: do they score the same on this machine?
"""
