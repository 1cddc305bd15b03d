"""What people look at: pictures and pages.

style.py                 the one palette and style of all pictures
markdown.py              names in pages of text
plots.py                 histogram and ROC curve, drawn on axes that are given
pictures.py, pages.py    of an evaluation
exploration.py           what is in a data folder, file by file (seen_photo.py);
                         exploration_pictures.py its pictures, exploration_look.py what its
                         bank looks at
build_page.py            of a build; look_pictures.py shows what a bank looks at
comparison_page.py       presets side by side, one HTML file made of comparison.html;
                         comparison_table.py and comparison_pictures.py its parts
look_trial_table.py      the looks that were tried at a build, for the terminal
"""
