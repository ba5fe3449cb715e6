"""The routes of the API, a module a noun. Each reads its request, asks the store, and writes its answer."""
