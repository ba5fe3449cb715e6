"""Long texts: a document's structure, and its division into parts that one call can speak well. Pure."""
