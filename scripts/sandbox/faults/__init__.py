"""What goes wrong at a broker and on the way to it, on order: POST a list to /sandbox/faults."""
