"""For the person on the phone: the user's screens, what can go wrong on each, what to ask."""
