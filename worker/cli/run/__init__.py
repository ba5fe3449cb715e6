"""`ttsq run`: from an input's rows to audio in a folder."""
