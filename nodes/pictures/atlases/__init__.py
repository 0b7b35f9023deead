"""What the viewer in the browser is sent: maps as atlases of pictures, and what they show."""
