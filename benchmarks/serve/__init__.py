"""The HTTP service under load: a large library, clients, and what an answer costs."""
