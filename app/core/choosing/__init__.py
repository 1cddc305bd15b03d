"""What fits a category where no damaged goods are at hand: damage is drawn on its good photos.

    good photos ─► split ─► learnt from ─► candidates, each with its scorer ─┐
                     └────► held out ─► trying: good and damaged, scored ◄───┘ ─► verdict

split.py        photos learnt from and photos held out
candidates.py   the looks to try, each fitted
following.py    whether a prior knows the goods, or only the frame
placing.py      where damage is drawn: on the goods, where they can be found
trials.py       held-out photos, as they are and with damage drawn on them
trying.py       what each look scores them
verdict.py      scores -> the table, and what is taken
choose.py       all of that for a category
auto.py         the build with the look that was taken
drawn_split.py  a test split for whole banks where none is stored: drawn, as files
"""
