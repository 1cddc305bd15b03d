"""The service's memory: verdicts, what people said of them, and photos. Knows no web framework.

In reading order; whoever uses the room takes dataclasses in and gets dataclasses back:

verdicts.py      Draft (a verdict to write), Verdict (one that is stored), Review, DrawnBox
errors.py        what may be wrong, in sentences for the user
rows.py          dataclasses <-> rows
opening.py       open_records() -> Records: the database, by migrations/ up to date, and the photos
writing.py       Recorder: put() and go on; one thread writes (batch.py), losses.py counts
keeping.py       which photos are kept
thumbnails.py    a photo's bytes -> a small WebP; pace.py: of how many of the good ones
photos.py        photos as files by their sha256
filters.py       Filter: which verdicts are meant
reading.py       a verdict and its neighbours, pages, counts, histogram, newest per camera
newest.py        what is new, for who watches
scores.py        scores, for whoever tries a threshold on them
reviews.py       append a review, its history, the defect types that are known
review_queue.py  what to review next, leased so that two people never see the same photo
export.py        CSV and Parquet, as a stream
deleting.py      by time span
retention.py     what has to go by days and bytes
mending.py       files without a row, rows without their file
upkeep.py        both of them now and then, on a thread
events.py        Event: what happened at a camera that somebody is to be told of
outbox.py        events on their way to targets, in order, at least once; alarms' states
outbox_upkeep.py  its bounds and its counts
camera_states.py  how each camera of the bridge is
keeper.py        Keeper: all of it for a process that serves, which never waits for it

ids.py (UUIDv7), columns.py (how values lie in a database), schema.py (tables) and transactions.py
(one writer at a time) serve all of them.
"""
