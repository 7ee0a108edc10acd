"""The embedded parts of `up` and `demo`: what runs where nothing is installed, and ends with it."""
