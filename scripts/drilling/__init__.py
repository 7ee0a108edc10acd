"""What `openbell drill` is made of: its plan, its hands that do harm, and its count."""
