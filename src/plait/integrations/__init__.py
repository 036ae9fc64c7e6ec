"""A library as a retriever of other frameworks: LangChain, LlamaIndex, Haystack."""
