"""What learns from features of good photos and scores those of others."""
