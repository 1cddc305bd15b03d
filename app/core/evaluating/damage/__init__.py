"""Damage drawn on photos of good goods, where no photos of damaged ones are at hand.

pixels.py      arrays of pixels, their coordinates, masks made of them
surface.py     what is drawn on: pixels, where the goods are, their light
drawing.py     noise, broken lines, soft edges, grain
spot.py        the part of a photo that one damage may change
goods.py       where in photos of a set the goods are, and a place among them
dents.py       facets pressed in
tears.py       ragged openings
scars.py       thin strips cut from elsewhere in the photo
blots.py       irregular blobs of another colour
pieces.py      missing pieces: what lies around grows over them (healing.py), or another photo
drawn.py       a photo with a damage of a given kind and size, and its exact mask
"""
