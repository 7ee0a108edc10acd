"""How runs, orders and steps look on a terminal, and as JSON."""
