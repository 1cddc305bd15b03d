"""Banks that serve, and who may work when. Knows no web framework.

networks.py      each network loaded once, and the engine on which a bank is served
registry.py      the banks that are loaded; reloads.py exchanges them
scheduler.py     the network's threads: who is next
workers.py       admission, decoding threads, the network's threads
evaluations.py   evaluation jobs in the background
drain.py         SIGTERM
"""
