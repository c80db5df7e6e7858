"""The kiosk: a wizard for people nobody knows, one after the other, and no way out of it.

A small parent owns the terminal and gives each person a process of their own. It never reads a key,
so it has nothing to forget; what a person typed ends with their process, however that ends.
"""
