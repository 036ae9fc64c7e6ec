"""ReT-2 as transformers models: one shared encoder, few layers, one vector; only what differs from ReT.

Its processor is ReT's. `import plait.model.auto` makes them known to AutoConfig, AutoModel and AutoProcessor.
"""
