"""What stands around every request, plain ASGI, from the outside in.

websockets.py   refused: no gate looks at them
headers.py      security headers on every answer
leniency.py     a slash at the end of a path; further in, HEAD as GET
context.py      request id, log line, metrics, and the 500
local.py        without keys, this machine alone
admission.py    while the queue is full, photos are refused before routing
"""
