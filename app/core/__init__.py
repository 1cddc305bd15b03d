"""The pipeline from photo to verdict. It knows no web, no environment and no database.

Rooms in the order of a photo's way; each may import those before it:

photo/        bytes -> a photo at the network's input size
features/     a prepared photo -> its features
methods/      what learns from features of good photos and scores those of others
judging/      scores -> threshold, verdict, map
store/        a bank on disk
detector.py   the photo's way, on top of all above
building/     good photos -> a bank
evaluating/   how well banks do on labelled photos
choosing/     which way to build is better, tried on drawn damage

errors.py, files.py, threads.py, crew.py (threads that nobody waits for), lookout.py (files that may
change while the service runs), wording.py (faults of values in words) and arrays.py (names of
types) serve all of them.
"""

import logging

# FAISS tells of each library that it tries before the one that fits: this reads like failures.
# Here, because this file runs before any that imports it.
logging.getLogger("faiss.loader").setLevel(logging.WARNING)
