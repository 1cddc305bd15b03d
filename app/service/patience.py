"""How long the server waits, in seconds, where it is not told otherwise."""

from __future__ import annotations

# An idle connection is kept for longer than any proxy or client keeps it (nginx: 60 s, in
# deploy/nginx.conf): whoever sends must be the one that closes, or what it sends is lost when it
# crosses with the closing.
KEEP_ALIVE_S = 75

# For requests under way once connections are refused. `docker stop` kills after 10 seconds: 2 of
# draining (GOODSGUARD_DRAIN_S), these, and the next.
GRACE_S = 6

# For threads at work once nobody waits for an answer any more.
CLOSE_S = 1.0
