"""`ttsq schedule`: back-office runs by the clock."""
