"""The forms of what the service takes and gives: checked where they come in, described at /openapi.json."""
