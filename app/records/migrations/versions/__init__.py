"""One step a file, in order.

m0001_verdicts.py      verdicts, reviews, thumbnails, photos
m0002_review_queue.py  what to review next, and who has it before them
m0003_place.py         which of a camera's places was judged
m0004_outbox.py        events, who is to be told of them, and how the cameras are
"""
