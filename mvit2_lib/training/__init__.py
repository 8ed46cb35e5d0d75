"""Training: settings, the loop, what survives an interruption, several processes; and how good the result is."""
