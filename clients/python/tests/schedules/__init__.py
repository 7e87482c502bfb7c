"""Random schedules against a model of the server."""
