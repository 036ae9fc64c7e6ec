"""ReT as transformers models: configuration, modelling, processing, and the official release's files.

`import plait.model.auto` makes them known to AutoConfig, AutoModel and AutoProcessor.
"""
