"""Between cameras, the service and those who are told: a process of its own, without torch.

What comes in, in reading order:

config.py        the file's entries; config_values.py: what these may hold
config_file.py   TOML -> Config, each entry by itself; secrets from files; taken up when it changes
frames.py        Frame: a photo as it came, when, and who wants to know that it was judged
sources/         where photos come from
supervising.py   a source is run, watched and started again; its standing
triggers/        which of the frames are judged
small_grey.py    a photo -> a small grey picture, for what compares photos
check.py         --check: a line a camera on what works
capture.py       --capture: photos for `train/good`; collection.py: near-duplicates left out,
                 and what is missing

What goes out:

alarms.py        k of the last n photos: when a category of a camera is an alarm, and when no more
blindness.py     when the camera itself is: it is lost, or what it sends cannot be judged
delivering.py    a task for each target, with pauses that outlast a restart
sinks/           how one event is told, one module for each way

Events and deliveries lie in the records (`records/outbox.py`) until somebody has taken them.
"""
