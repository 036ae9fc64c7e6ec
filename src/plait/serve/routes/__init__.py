"""The addresses of the service, a file a noun. Each route asks first whether its caller may, by `allowed`.

pages.py        the search page's files
health.py       /health, /metrics, /openapi.json, /status
searching.py    /search, /similar, /answer, /feedback
explaining.py   /explain
counting.py     /count, /facets, /fields
documents.py    /documents
jobs.py         /jobs
units.py        /units, their pictures, /parts
"""
