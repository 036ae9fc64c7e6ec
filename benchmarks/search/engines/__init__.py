"""The engines: modules with the same names, each imported in a process and an environment of its own.

`build(store, data)` makes the index of a collection in a folder; `Opened(store)` opens it, and its
`nearest(query, k, group, setting)` returns the k nearest documents and details; `SETTINGS` are the options
it is asked with, in turn. `READ` tells which files asking reads, where that is not all; `add` is plait's.
"""
