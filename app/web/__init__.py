"""What people see in a browser. Loads nothing from elsewhere: it works on a network of its own.

static_files.py    the files that pages load, out of static/
documentation.py   /docs
static/            ours, and swagger-ui/ as its authors ship it (README.md there)
"""
