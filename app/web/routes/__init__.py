"""The pages, each /page/<name>; parts of one that scripts fetch are /page/<name>/<part>.

home.py        / and what is no page
login.py       in and out
history.py     what was answered; verdict.py: one verdict; deletion.py: a time span for good
categories.py  what is known of each; category.py: one of them, its threshold and versions
"""
