"""What is taken from a request: its body, the photos in it, and how long it is wanted.

receiving.py   a body's bytes, within the limits of one and of all that are being received
uploads.py     the photos in a body; mistakes.py what is sent instead
multipart.py   the files of a form; delimiters.py what may stand around its boundaries
json_body.py   a body of JSON, within a limit of its own
lifetime.py    the deadline, and work that ends with the client
"""
