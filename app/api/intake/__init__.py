"""What is taken from a request: its body, the photos in it, and how long it is wanted.

receiving.py   a body's bytes, within the limits of one and of all that are being received
uploads.py     the photos in a body; multipart.py its files; mistakes.py what is sent instead
lifetime.py    the deadline, and work that ends with the client
"""
