"""The first places of a ranking put in order anew, by what is too slow to ask of every unit."""
