#!/bin/sh
# Prints a Python from 3.11, the first that is found; else says that there is none.
for python in python3 python3.11 python3.12 python3.13 python3.14 python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        command -v "$python"
        exit 0
    fi
done
echo "no Python from 3.11 was found; install one, or name it: make setup PYTHON=/path/to/python" >&2
exit 1
