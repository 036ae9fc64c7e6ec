"""Rerankers that need models or an endpoint, and the names that a user gives them."""
