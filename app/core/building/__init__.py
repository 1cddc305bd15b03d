"""Good photos -> a bank.

preset.py      a named, complete recipe, one TOML file each in presets/
levels.py      how bright white is in 16-bit photos
reading.py     files -> prepared photos, decoded in parallel
promise.py     how many photos the false-alarm rate asks for, and what is refused
seen.py        the photos as they are read
copies.py      which of them show what another shows: found by sketches.py, confirmed by
               likeness.py once registration.py has laid one over the other
groups.py      which belong together: by visits.py, by SKUs that numbering.py finds in their names,
               or by groups_file.py
visits.py      photos of one visit: proposed by taken.py, proven by evidence.py
looking.py     `[look]`: which part of the photos is judged; prior.py: where the goods are in them;
               look_remarks.py: what of a look to tell whoever builds
augment.py     `[augment]`: turned and mirrored copies that teach, too
selection.py   which of the features' dimensions are kept
first_pass.py  each photo is read, embedded once and noted
album.py       small pictures of the photos, and where each vector of the bank comes from
build.py       the build of one category
"""
