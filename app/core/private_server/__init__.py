"""The parts of app.core.embedded. Imports nothing, as the supervisor must stay small."""
