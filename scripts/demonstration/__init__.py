"""What `openbell demo` is made of: its home, its story, what one sees, and what it promises."""
