"""What people see in a browser. Loads nothing from elsewhere: it works on a network of its own.

pages.py           the page as a whole: which routes, with which scope
viewers.py         who looks and what they may; every change is checked here
sessions.py        an API key as a signed cookie; secret.py: what signs it;
                   ended.py: which ones are over before their time
page_route.py      errors as pages
forms.py           a form's fields
reviewing.py       a verdict as it lies before a reviewer; taking_back.py: undo
rendering.py       templates/ -> HTML with its security headers
trial.py           a photo that is tried: what the page shows of it; trial_choices.py: by which
                   banks; score_words.py, score_histogram.py: its score in words and as a picture
asked.py           the filter of an address
category_page.py   what is known of a category; threshold_trial.py: what thresholds would have done;
                   changing.py: before and after of a change; charts.py: numbers as places in a
                   picture
routes/            the pages
board.py           what Now shows; live.py: what is new on it, told to all who watch
health.py          the service's facts; concerns.py: what is wrong with them, and what to do
drift_chart.py     how photos score beside the good ones of the build, as a picture
static_files.py    the files that pages load, out of static/
documentation.py   /docs
static/            page/ is ours; the rest as its authors ship it (README.md in each folder)
"""
