"""`ar-music`: a recurrent network that writes melodies in ABC notation."""
