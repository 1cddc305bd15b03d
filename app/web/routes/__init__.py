"""The pages, each /page/<name>; parts of one that scripts fetch are /page/<name>/<part>.

home.py        / and what is no page
login.py       in and out
now.py         the newest verdicts, live
review.py      one photo after another, and what people say of it; review_parts.py: what its script
               sends and asks for
history.py     what was answered; verdict.py: one verdict; deletion.py: a time span, for ever
trying.py      Try: a photo judged at once, nothing of it kept
categories.py  what is known of each; category.py: one of them, its threshold and versions
health.py      how the service is
"""
