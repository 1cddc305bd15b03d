"""Good photos -> a bank.

preset.py      a named, complete recipe, one TOML file each in presets/
levels.py      how bright white is in 16-bit photos
reading.py     files -> prepared photos, decoded in parallel
selection.py   which of the features' dimensions are kept
build.py       the build of one category
"""
