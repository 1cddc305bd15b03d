"""What learns from samples of good photos and scores the cells of others.

method.py        what a method is, and what it learns from
scoring.py       the cells' scores -> one score per photo, and the map that is shown
registry.py      which methods there are: the modules here that name a `METHOD`

knn/             the memory bank
gaussian.py      a mean and a covariance for each place of the grid
autoencoder.py   a small network that draws good photos again
"""
