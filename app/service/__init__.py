"""Banks that serve, and who may work when. Knows no web framework.

inspector.py     the one door: a photo's bytes -> what was found; who is let in
scheduler.py     the network's threads: who is next; searches.py those that search beside a GPU
pool.py          the other threads, and work that ends when nobody waits for it
networks.py      each network loaded once, and the engine on which a bank is served
registry.py      the banks that are loaded; reloads.py exchanges them
evaluations.py   evaluation jobs in the background
metrics.py       what is counted and measured
drain.py         SIGTERM
"""
