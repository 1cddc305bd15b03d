"""Which of a camera's frames are judged.

opening.py   opening hours in words: "mon-sat 08:00-20:00"
hours.py     only while the shop is open
every.py     one every so many seconds
motion.py    when what moved is still again
message.py   when somebody asks
trigger.py   Trigger, and what a camera's entry makes of them
"""
