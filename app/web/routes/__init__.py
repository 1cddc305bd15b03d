"""The pages, each /page/<name>; parts of one that scripts fetch are /page/<name>/<part>.

home.py        / and what is no page
login.py       in and out
now.py         the newest verdicts, live
health.py      how the service is
"""
