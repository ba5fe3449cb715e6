"""The routes of the API, one module per resource. Each parses its request, calls the store, and writes its response."""
