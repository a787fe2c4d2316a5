"""What stands between a request and an engine: checks, bounds, jobs, temporary files, error messages, the pool."""
