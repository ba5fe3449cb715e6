"""`ttsq gates`: what holds the queue, and the hand that opens and closes it."""
