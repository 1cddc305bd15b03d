"""A prepared photo -> its features.

extractor.py      FeatureSpec, what a feature is; FeatureExtractor, which computes it
backbones.py      the table of networks; weights.py where their weights come from
embedding.py      the whole pass as one torch module: normalise, network, pool
runtimes/         the engines that run it: OpenVINO, torch
spool.py          features of many photos between the passes of a build
"""
