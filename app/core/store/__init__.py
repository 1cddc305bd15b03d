"""A bank on disk.

artifact.py          one version in memory: saved whole or not at all, verified when loaded
manifest.py          manifest.json: everything but the numbers; schema3.py its form before
look_trial.py        in it: which looks were tried
tensors.py           bank.safetensors: the numbers
version_folders.py   a category's folder: its versions, and the one that `current` names
serving.py           what serves where, noted by the services
clearing.py          which versions are kept
whereabouts.py       why a folder holds no bank
signing.py           signatures over a version; signing_keys.py the keys
"""
