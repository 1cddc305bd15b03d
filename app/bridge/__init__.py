"""Between cameras, the service and those who are told: a process of its own, without torch.

What goes out, in reading order:

alarms.py      k of the last n photos: when a category of a camera is an alarm, and when no more
blindness.py   when the camera itself is: it is lost, or what it sends cannot be judged
delivering.py  a task for each target, with pauses that outlast a restart
sinks/         how one event is told, one module for each way

Events and deliveries lie in the records (`records/outbox.py`) until somebody has taken them.
"""
