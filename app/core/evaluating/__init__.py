"""How well banks tell good from defective on a stored test split.

damage/         damage drawn on photos of good goods
metrics.py      scores -> AUROC with its interval, AUPRO, counts at a threshold
shrinking.py    a mask -> the maps' size, no mark lost
pixels.py       maps and masks -> the pixel metrics
remarks.py      what a person must know of a bank's figures, in sentences
leaks.py        test photos that the bank may have learnt from
evaluation.py   a bank and a test split -> all these figures
pairing.py      two methods on the same photos -> the difference of their AUROCs with its interval
photos.py       the same where each damaged photo is a copy of a good one that is scored, too
timing.py       several methods in turn -> milliseconds a photo
outcome.py      what one preset reached on a category; where several disagree most
on_drawn.py     figures on drawn damage: what they are and what they are not
finding.py      which of them is best, in one sentence, and whether that is proven
comparison.py   all of that as figures, a row for each preset
"""
