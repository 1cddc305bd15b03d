"""Bytes -> a photo at the network's input size.

formats/          a file rewritten with nothing in it but its picture, in a bounded number of steps
pixel_budget.py   how many pixels are in memory at once
jpeg_pixels.py    JPEG -> pixels, damage refused
pixel_types.py    any pixel type -> 8-bit RGB
sixteen_bits.py   all bits of 16-bit colours
images.py         decode: bytes -> upright RGB, every limit checked
preprocess.py     prepare: RGB -> (H, W, 3) uint8, and where each pixel of the photo went; box.py
cell_boxes.py     which part of the photo a cell of the feature grid shows
small_jpeg.py     small pictures of our own, written and read again with distrust
look.py           which part of a photo is judged, and what each place of it counts
view.py           which part of what a camera sends is the photo; masks that people draw
fingerprint.py    what a photo is recognised by when another file shows the same picture
category_names.py, labels.py, listing.py, mask_files.py
                  what names of folders and files say, and which photos lie below a folder
layout.py         a category's folder -> its photos, their labels and masks, what was left out
category_folders.py
                  which folders of a data folder are categories, and why others are not
data_root.py      what is wrong with a folder that holds no categories
dataset.py        a category's labelled photos, as MVTec AD and PKU-GoodsAD lay them out
masks.py          a mask's file -> the pixels that it marks
"""
