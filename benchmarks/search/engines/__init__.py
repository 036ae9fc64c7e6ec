"""The engines, each a module with the same names, imported in a process and an environment of its own.

build(store, data)                          make the index of a collection in a folder
SETTINGS                                    how it is asked: one dict of options each
Opened(store).nearest(query, k, group, setting)   the k nearest documents, and details
add(opened, documents)                      plait only
"""
