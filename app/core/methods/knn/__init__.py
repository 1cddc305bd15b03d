"""The memory bank: good photos' features, and the distance to the nearest of them."""
