"""Banks that serve, and who may work when. Knows no web framework.

inspector.py     the one door: a photo's bytes -> what was found (findings.py)
admission.py     who is let in, by permit.py
scheduler.py     the network's threads: who is next (jobs.py); searches.py search beside a GPU
pool.py          the other threads, and work that ends when nobody waits for it
cameras.py       the cameras that requests may name, from cameras_file.py
networks.py      each network loaded once, and the engine on which a bank is served
registry.py      the banks that are loaded; reloads.py exchanges them
older.py         versions that judged photos and serve no more, for their overlays
serving_notes.py which versions serve, noted for whoever clears away old ones
evaluations.py   evaluation jobs in the background
thresholds.py    another threshold for the bank that serves
metrics.py       what is counted and measured; worker_metrics.py: of several processes;
                 record_metrics.py: of the records
upkeep.py        what is done by itself: new banks, networks that failed
signals.py       signals, handed to the event loop
drain.py         SIGTERM
hangup.py        SIGHUP
closing.py       the end, within its time; patience.py: how long that is
"""
