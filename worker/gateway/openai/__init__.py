"""OpenAI's speech protocol at `/openai/v1`: a dialect in front of the queue, with errors in OpenAI's form."""
