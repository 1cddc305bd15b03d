"""The command `goodsguard`: a file here is a sub-command of that name, its `main` what it does.

build.py      good photos -> a bank per category       threshold.py  another threshold, no rebuild
evaluate.py   banks + labelled photos -> figures       sign.py       who vouches for a bank
explore.py    what is in a data folder                 key.py        API keys
compare.py    presets side by side                     serve.py      the HTTP service

A file says what its command takes before it imports what does the work, inside its functions:
`--help` loads no torch. The first line of `main`'s docstring is the command's line in the list.
The options that commands share are in cli.py; scripts/*.py run the same `main` in a checkout.
"""
