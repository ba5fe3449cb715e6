"""`ttsq run`: from the rows of an input to audio in a folder."""
