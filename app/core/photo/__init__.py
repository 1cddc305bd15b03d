"""Bytes -> a photo at the network's input size.

formats/          a file rewritten with nothing in it but its picture, in a bounded number of steps
pixel_budget.py   how many pixels are in memory at once
jpeg_pixels.py    JPEG -> pixels, damage refused
pixel_types.py    any pixel type -> 8-bit RGB
sixteen_bits.py   all bits of 16-bit colours
images.py         decode: bytes -> upright RGB, every limit checked
preprocess.py     prepare: RGB -> (H, W, 3) uint8, and where each pixel of the photo went
dataset.py        folders of labelled photos, in the layout of MVTec AD and PKU-GoodsAD
"""
