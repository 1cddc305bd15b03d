"""What the command `goodsguard` does, a file for each sub-command: its `main`.

build.py      good photos -> a bank per category       threshold.py  another threshold, no rebuild
evaluate.py   banks + labelled photos -> figures       sign.py       who vouches for a bank
explore.py    what is in a data folder                 key.py        API keys
compare.py    presets side by side                     serve.py      the HTTP service

looks_to_compare.py, contenders.py, drawn_to_compare.py, banks_to_compare.py and comparing.py are
the steps of compare.py, threshold_trial.py those of a dry run of threshold.py, build_report.py the
report of build.py. data_folder.py says which categories of a data folder a command works on, and
why others are left out.

A file says what its command takes before it imports what does the work, inside its functions:
`--help` loads no torch. The list of sub-commands is in __main__.py, what they share (options,
consoles, how they stop) in cli.py; scripts/*.py run the same `main` in a checkout.
"""
