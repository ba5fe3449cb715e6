"""HTTP requests that hold no thread while they wait. Knows neither the API nor S3."""
