"""What is taken from a request: its body, the photos in it, and how long it is wanted."""
