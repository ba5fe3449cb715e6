"""What the installation shows of itself: the table of metrics, their text form, and the alerts over them."""
