"""Danish addresses: one form for what is typed, the one register address it means, and where that lies."""
