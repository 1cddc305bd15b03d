"""The calls, a module a family.

score.py        one photo, a batch, one photo by several categories
categories.py   what is loaded
evaluate.py     how well it does on stored test splits
verdicts.py     what was answered, recorded; verdict_photos.py its pictures, verdict_reviews.py what
                people say of it, verdict_files.py all of it as a file
admin.py        banks exchanged while the service runs
health.py       liveness, readiness, metrics
"""
