"""Which look a category's bank is built with, measured by damage drawn on good photos.

    good photos ─► split ─► learnt from ─► candidates, each with its scorer ─┐
                     └────► held out ─► trying: good and damaged, scored ◄───┘ ─► verdict

split.py        photos learnt from and photos held out
candidates.py   the looks to try, each fitted
following.py    whether a prior knows the goods, or only the frame
trying.py       held-out photos, as they are and with damage drawn on them, and what they score
verdict.py      scores -> the table, and what is taken
choose.py       all of that for a category
auto.py         the build with the look that was taken
"""
