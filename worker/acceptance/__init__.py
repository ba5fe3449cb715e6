"""Whether a take says its text, once and whole, and when it says each word. Offline; stores and retries nothing."""
