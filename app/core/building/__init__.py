"""Good photos -> a bank.

preset.py      a named, complete recipe, one TOML file each in presets/
reading.py     files -> prepared photos, decoded in parallel
selection.py   which of the features' dimensions are kept
build.py       the build of one category
"""
