"""HTTP: what comes in, what goes out.

services.py     the application's parts, which every route asks for
problems.py     every error as RFC 9457, one table of causes
faults.py       what is wrong with a request, in words
middleware/     what stands around every request, from the outside in
intake/         a request's body, photos and deadline
security.py     API keys, scopes
recording.py    from what was found to what is recorded
answers.py      from what was found to what is answered
readiness.py    whether photos can be scored, and why not
schemas.py      what is answered; record_schemas.py of the records, explanation_schemas.py of the
                nearest good patches
filters.py      which verdicts are meant; stored.py: one of them; deleting.py: a span of them
category_infos.py, versions.py, evaluating.py    what calls and pages do alike with categories
routes/         the calls
"""
