"""A prepared photo -> its features.

extractor.py      FeatureSpec, what a feature is; FeatureExtractor, which computes it
backbones.py      the table of networks; backbone.py what a row is; families/ the rows
weights.py        a network's weights, found and loaded; weight_sources.py who publishes them;
                  downloads.py how a silent network is told
embedding.py      the whole pass as one torch module: normalise, network, pool
runtimes/         the engines that run it: OpenVINO, torch
sample.py         one photo's features, and where in the grid they lie: what methods see
spool.py          samples of many photos between the passes of a build
"""
