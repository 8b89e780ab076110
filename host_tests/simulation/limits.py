"""Figures that scenarios set and checks know."""

# A cell that runs down: twice the interval, then nothing is sent any more.
LOW_BATTERY = {"below_mv": 3000, "stretch": 2, "stop_mv": 2800}
ALARM_ABOVE = 55  # what one reading in sixteen exceeds
